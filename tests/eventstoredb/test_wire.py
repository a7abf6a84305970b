"""The network's faults, and the double started by hand."""

import asyncio
import re
import signal
import sys
from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import EventStoreDBClientException, GrpcDeadlineExceeded

from tests.eventstoredb.clients import PATIENCE, connected, events, fresh, ids, listed, take
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.wire import Wire

ANY = StreamState.ANY


def _wired(wire: Wire) -> str:
    return f"esdb://{wire.address}?Tls=false"


async def test_a_connection_that_is_cut_ends_what_runs_on_it(kind: str, double: Cluster) -> None:
    async with Wire(double.nodes[0].endpoint) as wire, connected(kind, _wired(wire)) as client:
        subscription = await client.subscribe_to_all(from_end=True)
        wire.cut()
        with pytest.raises(EventStoreDBClientException):
            await listed(subscription)
        batch = events(1)
        stream = fresh()
        await client.append_to_stream(stream, current_version=ANY, events=batch)
        assert ids(await client.get_stream(stream)) == ids(batch)


async def test_a_read_can_be_cut_off_after_some_bytes(kind: str, double: Cluster) -> None:
    stream, batch = fresh(), events(500)
    async with Wire(double.nodes[0].endpoint) as wire, connected(kind, _wired(wire)) as client:
        await client.append_to_stream(stream, current_version=ANY, events=batch)
        wire.answer_limit = 20_000
        read = await client.read_stream(stream)
        taken: list[Any] = []
        with pytest.raises(EventStoreDBClientException):
            await _collect(read, taken)
        assert 0 < len(taken) < 500
        assert ids(taken) == ids(batch[: len(taken)])
        assert len(await client.get_stream(stream)) == 500


async def test_a_peer_that_has_vanished_is_silent(kind: str, double: Cluster) -> None:
    async with Wire(double.nodes[0].endpoint) as wire, connected(kind, _wired(wire)) as client:
        await client.append_to_stream(fresh(), current_version=ANY, events=events(1))
        wire.stall()
        with pytest.raises(GrpcDeadlineExceeded):
            await client.append_to_stream(fresh(), current_version=ANY, events=events(1), timeout=0.2)
        wire.resume()
        await client.append_to_stream(fresh(), current_version=ANY, events=events(1))


@pytest.mark.parametrize("options", [[], ["--tls"], ["--nodes", "3"]], ids=["plain", "tls", "three"])
async def test_the_double_can_be_started_by_hand(options: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.eventstoredb", "--port", "0", *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE):
            told = await _until_address(process)
            assert "NOT EventStoreDB" in told
            address = re.search(r"Address: (\S+)", told)
            assert address
            async with connected("async", address[1]) as client:
                stream, batch = fresh(), events(2)
                await client.append_to_stream(stream, current_version=ANY, events=batch)
                assert ids(await take(await client.subscribe_to_stream(stream), 2)) == ids(batch)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


async def _collect(items: Any, into: list[Any]) -> None:
    async for item in items:
        into.append(item)  # noqa: PERF401 - what came before an error is to be kept


async def _until_address(process: Any) -> str:
    told = ""
    while "Address:" not in told:
        line = await process.stdout.readline()
        assert line, told
        told += line.decode()
    return told
