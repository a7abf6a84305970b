"""``python -m tests.eventstoredb --port 2113``: the double, by hand, on this machine only."""

import argparse
import asyncio
import contextlib
import logging
import signal
import tempfile
from pathlib import Path

from tests.eventstoredb.certificates import make_certificates
from tests.eventstoredb.cluster import USERS, Cluster

_NOTICE = """\
This is NOT EventStoreDB. It is a double of it, made for tests and trials of Admit One: it listens on this
machine only, keeps everything in memory, and forgets it all when it ends. Never keep real data in it."""


async def serve(arguments: argparse.Namespace) -> None:
    """Until SIGINT or SIGTERM."""
    ports = [arguments.port and arguments.port + number for number in range(arguments.nodes)]
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with contextlib.ExitStack() as stack:
        certificates = None
        if arguments.tls:
            certificates = make_certificates(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        double = Cluster(ports=ports, certificates=certificates, projections=not arguments.no_projections)
        async with double:
            print(_NOTICE)
            if certificates:
                user, password = next(iter(USERS.items()))
                print(f"Its user is {user}, the password {password}.")
            print(f"Address: {double.cluster_uri()}", flush=True)
            await stop.wait()


def main() -> None:
    # gRPC reports each call that is open at the end as an error.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser(prog="python -m tests.eventstoredb", description=__doc__)
    parser.add_argument("--port", type=int, default=2113, help="port of the first node; 0 takes free ones")
    parser.add_argument(
        "--nodes", type=int, default=1, help="how many nodes to pretend, on the ports that follow"
    )
    parser.add_argument("--tls", action="store_true", help="serve over TLS with a root made for this run")
    parser.add_argument("--no-projections", action="store_true", help="write no $ce- and $et- streams")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
