"""Events on EventStoreDB are chained too, by every process, and what was done to them is found."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from domain.decider import NO_STREAM
from domain.parking import PurchaseRetried
from gateways.chain import carried, parted
from gateways.chain_proof import Verified
from gateways.damage import StoreDamaged
from gateways.eventstoredb_verify import verify
from processmanager.ports import WrongRevision
from tests.deploy.logbook import bought
from tests.deploy.running import admitone
from tests.eventstoredb.adapting import fact, facts, opened, parking
from tests.eventstoredb.clients import connected, until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.record import New, Record
from tests.eventstoredb.test_copying import assert_copied
from tests.eventstoredb.test_tools import told, write

READS = "Streams/Read"


async def verified(double: Cluster) -> Verified:
    return await verify(double.uri(), lambda *_: None)


def ours(double: Cluster) -> list[Record]:
    return [record for record in double.log.records if not record.stream.startswith("$")]


# ── Who chains ────────────────────────────────────────────────────────────────────────────────────


async def test_every_event_follows_on_the_one_before_it(double: Cluster) -> None:
    stream = parking()
    async with opened(double.uri()) as store:
        await store.append(stream, facts(3), NO_STREAM)
        await store.append(stream, facts(1), 2)
        await store.append(parking(), facts(1), NO_STREAM)
    assert all(carried(record.event.metadata) for record in ours(double))
    assert await verified(double) == Verified(events=5, streams=2, unchained=0)


async def test_a_process_that_has_not_seen_the_event_before_reads_it_once(double: Cluster) -> None:
    stream = parking()
    async with opened(double.uri()) as store:
        await store.append(stream, facts(2), NO_STREAM)
    async with opened(double.uri()) as store:
        await until(lambda: not double.calls.open())
        double.calls.clear()
        await store.append(stream, facts(1), 1)
        await store.append(stream, facts(1), 2)
        assert double.calls.count(READS) == 1
        with pytest.raises(WrongRevision):
            await store.append(stream, facts(1), 7)
    assert (await verified(double)).events == 4


async def test_what_another_process_was_quicker_with_breaks_no_chain(double: Cluster) -> None:
    """Two watchdogs decide the same at once: the same id, but each says when it decided."""
    stream, first = parking(), fact("dog")
    later = replace(first, metadata=replace(first.metadata, at=first.metadata.at + timedelta(seconds=1)))
    async with opened(double.uri()) as one, opened(double.uri()) as other:
        assert await one.append(stream, [first], NO_STREAM) == await other.append(stream, [later], NO_STREAM)
        await other.append(stream, facts(1), 0)
        await other.append(stream, facts(1), 1)
    assert await verified(double) == Verified(events=3, streams=1, unchained=0)


async def test_what_was_written_before_events_were_chained_is_gone_on_from(double: Cluster) -> None:
    write(double, bought())
    stream = next(record.stream for record in ours(double))
    before = await verified(double)
    assert before.unchained == before.events
    async with opened(double.uri()) as store:
        revision = (await store.read(stream))[-1].revision
        await store.append(stream, facts(2), revision)
    after = await verified(double)
    assert (after.events, after.unchained) == (before.events + 2, before.events)


async def test_a_copy_either_way_is_proved_like_its_source(double: Cluster, tmp_path: Path) -> None:
    async with opened(double.uri()) as store:
        for _ in range(5):
            await store.append(parking(), facts(2), NO_STREAM)
    await assert_copied(double.uri(), tmp_path / "copy")
    async with Cluster() as back:
        await assert_copied(tmp_path / "copy", back.uri())
        assert await verified(back) == await verified(double)
    done = await told("verify-log", "--data", str(tmp_path / "copy"))
    assert "10 events in 5 streams" in done.stdout


# ── What is found ─────────────────────────────────────────────────────────────────────────────────

Tamper = Callable[[list[Record], random.Random], list[Record]]


def altered(records: list[Record], chance: random.Random) -> list[Record]:
    at = chance.randrange(len(records))
    return [*records[:at], _other(records[at], chance), *records[at + 1 :]]


def missing(records: list[Record], chance: random.Random) -> list[Record]:
    """Any but the last event of a stream: what a stream ends with, EventStoreDB alone knows."""
    lasts = {record.stream: record for record in records}.values()
    gone = chance.choice([record for record in records if record not in lasts])
    return [record for record in records if record is not gone]


def moved_up(records: list[Record], chance: random.Random) -> list[Record]:
    """The same, with all behind it one revision earlier."""
    lasts = {record.stream: record for record in records}.values()
    gone = chance.choice([record for record in records if record not in lasts])
    return [
        replace(record, revision=record.revision - 1)
        if record.stream == gone.stream and record.revision > gone.revision
        else record
        for record in records
        if record is not gone
    ]


def reordered(records: list[Record], chance: random.Random) -> list[Record]:
    """Two events of a stream, each at the other's revision."""
    one = chance.choice([record for record in records if record.revision])
    other = next(r for r in records if (r.stream, r.revision) == (one.stream, one.revision - 1))
    events = {id(one): other.event, id(other): one.event}
    return [replace(record, event=events.get(id(record), record.event)) for record in records]


def put_in(records: list[Record], chance: random.Random) -> list[Record]:
    """An event of somebody who knows nothing of chains, at the end of a stream."""
    last = chance.choice([*{record.stream: record for record in records}.values()])
    event = New(uuid4(), last.type, last.event.data, parted(last.event.metadata)[0], json=True)
    return [*records, replace(last, revision=last.revision + 1, event=event)]


def elsewhere(records: list[Record], chance: random.Random) -> list[Record]:
    """A stream that was given another name."""
    name = chance.choice(records).stream
    return [replace(r, stream=r.stream + "x") if r.stream == name else r for r in records]


TAMPERS: Sequence[Tamper] = (altered, missing, moved_up, reordered, put_in, elsewhere)


def _other(record: Record, chance: random.Random) -> Record:
    """One bit of the event is another."""
    part = chance.choice(("data", "metadata", "id"))
    if part == "id":
        return replace(record, event=replace(record.event, id=uuid4()))
    content = bytearray(getattr(record.event, part))
    place = chance.randrange(len(content) * 8)
    content[place // 8] ^= 1 << place % 8
    return replace(record, event=replace(record.event, **{part: bytes(content)}))


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
async def test_whatever_is_done_to_a_stream_is_found(double: Cluster, tamper: Tamper) -> None:
    streams = [parking() for _ in range(4)]
    async with opened(double.uri()) as store:
        for revision in range(3):
            for stream in streams:
                await store.append(stream, facts(1), revision - 1)
    assert (await verified(double)).events == 12
    for seed in range(15):
        async with Cluster() as other:
            for record in tamper(ours(double), random.Random(seed)):
                other.log.write(record.stream, [record.event], record.revision)
            with pytest.raises(StoreDamaged, match=r"position \d+ \(parking-\w+ revision \d+\)") as found:
                await verified(other)
            assert "\n" not in str(found.value)


async def test_a_stream_that_was_cut_off_or_deleted_is_named(double: Cluster) -> None:
    stream = parking()
    async with opened(double.uri()) as store, connected("async", double.uri()) as client:
        await store.append(stream, facts(5), NO_STREAM)
        await client.set_stream_metadata(stream, metadata={"$tb": 3})
    with pytest.raises(StoreDamaged, match=f"no longer shows all of {stream}"):
        await verified(double)


async def test_the_command_says_what_it_found(double: Cluster) -> None:
    async with opened(double.uri()) as store:
        await store.append("parking-1", facts(2), NO_STREAM)
    sound = await told("verify-log", "--store", double.uri())
    assert sound.stdout.startswith("2 events in 1 stream: ")
    double.log.write("parking-1", [New(uuid4(), PurchaseRetried.__name__, b"{}", b"{}", json=True)])
    damaged = await told("verify-log", "--store", double.uri(), status=3)
    assert "parking-1 revision 2" in damaged.stderr
    assert len(damaged.stderr.splitlines()) == 1
    await told("verify-log", "--store", double.uri(), "--mark", "1:00", status=2)


def test_the_command_says_where_no_store_is() -> None:
    assert admitone("verify-log", "--store", "esdb://127.0.0.1:9?Tls=false").returncode == 1
