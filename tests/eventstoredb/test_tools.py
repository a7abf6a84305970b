"""``admitone events`` and ``doctor`` on EventStoreDB, as they are started."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.notebook import Past
from domain.decider import Proposed
from domain.order import order
from gateways.codec import Codec
from tests.deploy.logbook import Logbook, bought
from tests.deploy.running import ADMITONE, admitone, environment
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.record import New


def write(double: Cluster, log: Logbook) -> None:
    """Put what a logbook tells into the double."""
    for fact in log.facts:
        encoded = Codec().encode(Proposed(fact.id, fact.event, fact.metadata))
        double.log.write(fact.stream, [New(fact.id, encoded.type, encoded.data, encoded.metadata, json=True)])


@pytest.fixture
async def sold(double: Cluster) -> Cluster:
    write(double, bought())
    return double


async def told(*words: str, status: int = 0, **variables: str) -> Any:
    done = await asyncio.to_thread(admitone, *words, variables=variables)
    assert done.returncode == status, done.stdout + done.stderr
    return done


async def printed(double: Cluster, *words: str) -> list[dict[str, Any]]:
    done = await told("events", *words, "--store", double.uri())
    return [json.loads(line) for line in done.stdout.splitlines()]


# ── events ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_log_is_printed_whole_in_part_and_from_its_end(sold: Cluster) -> None:
    sold.log.write("invoice-1", [New(uuid4(), "InvoiceSent")])
    whole = await printed(sold)
    assert [fact["type"] for fact in whole] == [type(fact.event).__name__ for fact in bought().facts]
    of_order = [fact for fact in whole if fact["stream"] == "order-o"]
    assert await printed(sold, "order-o") == await printed(sold, "order") == of_order
    assert await printed(sold, "--after=-2") == whole[-2:]
    assert await printed(sold, "--after=-100") == whole
    assert await printed(sold, "--after", str(whole[2]["position"]), "--limit", "2") == whole[3:5]
    nowhere = await told("events", "--after", str(whole[2]["position"] + 1), "--store", sold.uri(), status=1)
    assert "nothing stands at position" in nowhere.stderr


async def test_the_same_form_comes_from_both_stores(sold: Cluster, tmp_path: Path) -> None:
    await told("copy", "--from", sold.uri(), "--to", str(tmp_path))
    there = await printed(sold)
    here = [json.loads(line) for line in (await told("events", "--data", str(tmp_path))).stdout.splitlines()]
    assert [{**fact, "position": 0} for fact in there] == [{**fact, "position": 0} for fact in here]


@pytest.mark.parametrize("stream", [(), ("order-o",)], ids=["all", "one"])
async def test_the_log_is_followed_also_through_an_outage(sold: Cluster, stream: tuple[str, ...]) -> None:
    following = await asyncio.create_subprocess_exec(
        ADMITONE, "events", *stream, "--follow", "--after=-1", "--store", sold.uri(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert following.stdout is not None
    assert following.stderr is not None
    async with asyncio.timeout(30):
        assert json.loads(await following.stdout.readline())["type"] == "OrderCompleted"
        await sold.stop()
        assert b"is not followed" in await following.stderr.readline()
        await sold.start()
        sold.log.write("ticket-x", [New(uuid4(), "TicketDelisted", b"{}", json=True)])
        sold.log.write("order-o", [New(uuid4(), "OrderShredded", b"{}", json=True)])
        seen = [json.loads(await following.stdout.readline())["type"] for _ in range(1 if stream else 2)]
        assert seen == ["OrderShredded"] if stream else ["TicketDelisted", "OrderShredded"]
        following.terminate()
        await following.wait()


async def test_a_stream_that_was_cut_off_says_so_in_its_place(sold: Cluster) -> None:
    sold.log.write("$$order-o", [New(uuid4(), "$metadata", b'{"$tb":2}', json=True)])
    gap, *rest = await printed(sold, "order-o")
    assert "revisions 0 to 1 are gone" in gap["unreadable"]
    assert [fact["revision"] for fact in rest] == [2]
    done = await told("events", "--store", sold.uri())
    assert "no longer shows all of order-o: it was cut off before revision 2" in done.stderr


# ── doctor ────────────────────────────────────────────────────────────────────────────────────────


async def examined(double: Cluster, data: Path, status: int = 1) -> str:
    done = await told("doctor", "--data", str(data), "--store", double.uri(), status=status)
    assert isinstance(done.stdout, str)
    return done.stdout


async def test_the_doctor_finds_what_a_sale_lacks(sold: Cluster, tmp_path: Path) -> None:
    found = await examined(sold, tmp_path / "none")
    assert "the provider keeps 0.00 USD, and the log says 49.50 USD" in found, "there is no ledger here"
    assert "--store esdb://…" in found
    assert sold.uri() not in found
    assert "9 events in 3 streams: 1 finding." in found
    assert not (tmp_path / "none").exists(), "looking makes nothing"


async def test_the_doctor_names_every_stream_that_is_not_as_it_should_be(
    double: Cluster, tmp_path: Path
) -> None:
    def event(type_: str = "TicketListed", data: bytes = b"{}", metadata: bytes = b"") -> New:
        return New(uuid4(), type_, data, metadata, json=True)

    newer = b'{"$correlationId":"","$causationId":"","actor":"","at":"2026-11-22T20:00:00Z","schema":9}'
    double.log.write("ticket-foreign", [event("ForeignThing")])
    double.log.write("ticket-strange", [New(uuid4(), "TicketListed", b"\xff\x00")])
    double.log.write("ticket-newer", [event(metadata=newer)])
    double.log.write("ticket-scavenged", [event()], revision=4)
    write(double, Logbook().write("ticket-cut", *[fact.event for fact in bought().facts[:1]]))
    for stream in ("ticket-deleted", "ticket-ended", "ticket-back"):
        write(double, Logbook().write(stream, *[fact.event for fact in bought().facts[:1]]))
    double._writer.tombstone("ticket-ended", 0)
    double._writer.delete("ticket-deleted", 0)
    double.log.write("$$ticket-back", [event("$metadata", b'{"$tb":1}')])
    double.log.write("$$ticket-back", [event("$metadata", b'{"$acl":{}}')])
    double.log.write("$$ticket-cut", [event("$metadata", b'{"$tb":1}')])
    found = await examined(double, tmp_path)
    assert "ticket-foreign cannot be read: revision 0: this version knows no event type" in found
    assert "ticket-strange cannot be read: revision 0" in found
    assert "ticket-newer cannot be read: revision 0: written with schema 9" in found
    assert "ticket-scavenged cannot be read: revision 4 does not follow" in found
    assert "ticket-cut cannot be read: EventStoreDB no longer shows all of it: it was cut off" in found
    assert "ticket-deleted cannot be read: EventStoreDB no longer shows all of it: it was deleted" in found
    assert "ticket-ended cannot be read: EventStoreDB no longer shows all of it: it was ended" in found
    assert "ticket-back" not in found


# ── export ────────────────────────────────────────────────────────────────────────────────────────


async def test_an_export_is_the_same_from_both_stores_but_for_the_positions(
    sold: Cluster, tmp_path: Path
) -> None:
    async def rows(*words: str) -> list[dict[str, Any]]:
        done = await told("export", *words)
        return [{**json.loads(line), "position": 0} for line in done.stdout.splitlines()]

    await told("copy", "--from", sold.uri(), "--to", str(tmp_path))
    there, here = ("--store", sold.uri()), ("--data", str(tmp_path))
    events = await rows(*there)
    assert len(events) == len(bought().facts)
    assert events == await rows(*here)
    (order,) = await rows("orders", *there)
    assert order["status"] == "complete"
    second = (await printed(sold))[1]["position"]
    assert len(await rows("--until", str(second), *there)) == 2
    done = await told("export", "--until", str(10**12), *there, status=2)
    assert "the log ends at position" in done.stderr


async def test_every_question_to_the_log_is_answered_from_eventstoredb_too(
    sold: Cluster, tmp_path: Path
) -> None:
    there = ("--store", sold.uri())
    asked = await told("sql", "SELECT status FROM orders.placed_order", *there)
    assert json.loads(asked.stdout) == {"status": "complete"}
    replayed = json.loads((await told("what-if", *there)).stdout)
    assert replayed["recorded"] == replayed["otherwise"]
    assert replayed["recorded"]["sales"] == 1
    page = tmp_path / "report.html"
    assert "as of position" in (await told("report", "--out", str(page), *there)).stdout
    assert b"49.50 USD" in page.read_bytes()
    past = await asyncio.to_thread(Past, sold.uri())
    held = await asyncio.to_thread(past.state, "ticket-t")
    assert held.order == "o"


async def test_a_notebook_folds_the_same_states_from_both_stores(sold: Cluster, tmp_path: Path) -> None:
    await told("copy", "--from", sold.uri(), "--to", str(tmp_path))
    sold.log.write("ticket-unread", [New(uuid4(), "TicketBlessed")])
    here, there = Past(tmp_path), Past(sold.uri())
    states = dict(await asyncio.to_thread(list, here.states()))
    assert {stream.partition("-")[0] for stream in states} == {"ticket", "order", "payment"}
    assert dict(await asyncio.to_thread(list, there.states())) == states
    assert await asyncio.to_thread(there.fold, order) == await asyncio.to_thread(here.fold, order)
    for stream, state in states.items():
        assert await asyncio.to_thread(there.state, stream) == state
