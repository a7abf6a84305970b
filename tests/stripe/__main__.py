"""``python -m tests.stripe --port 12111``: the double, by hand, on this machine only."""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
from pathlib import Path

import uvloop

from tests.stripe.serving import Settings, serve
from tests.stripe.webhooks import Target

KEY = "sk_test_admitone"
_NOTICE = """\
This is NOT Stripe. It is a double of Stripe's API, made for tests and trials of Admit One: it listens on
this machine only and moves no money. Never give it a real card's number or a real key."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stripe", description=__doc__)
    parser.add_argument("--port", type=int, default=12111, help="port to listen on; 0 takes a free one")
    parser.add_argument(
        "--ledger", type=Path, help="file to keep the ledger in; without it, all is forgotten"
    )
    parser.add_argument("--key", action="append", help=f"secret key that it takes (default: {KEY})")
    parser.add_argument("--webhook", metavar="URL", help="where to send events to")
    parser.add_argument(
        "--secret", action="append", default=[], help="secret to sign webhooks with; repeatable"
    )
    parser.add_argument(
        "--retries",
        default="0.1,0.3,1",
        help="seconds before each further try of a webhook (default: %(default)s)",
    )
    parser.add_argument(
        "--settle-after",
        type=float,
        metavar="SECONDS",
        help="when pending refunds succeed and those to pm_card_refundFail fail (default: when told to)",
    )
    parser.add_argument("--with-parent", action="store_true", help="end when standard input is closed")
    arguments = parser.parse_args()
    if arguments.webhook and not arguments.secret:
        parser.error("--webhook needs a --secret to sign with, such as whsec_demo")
    return arguments


def main() -> None:
    arguments = _arguments()
    if arguments.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    keys = arguments.key or [KEY]
    target = Target(
        url=arguments.webhook,
        secrets=arguments.secret,
        retries=[float(pause) for pause in arguments.retries.split(",") if pause],
    )

    def ready(url: str) -> None:
        print(_NOTICE)
        print(f"Secret key: {keys[0]}")
        print(f"Webhooks: {arguments.webhook or 'sent to nobody'}")
        print(f"Address: {url}", flush=True)

    with contextlib.ExitStack() as stack:
        folder = arguments.ledger or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ledger"
        settings = Settings(folder, arguments.port, frozenset(keys), target, arguments.settle_after)
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(serve(settings, ready))


def _end_with_parent() -> None:
    """Whoever began this process holds the other end of its standard input for as long as it lives."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
