"""``admitone copy`` as it is started: a log moved between the embedded store and EventStoreDB."""

import asyncio
import os
import pty
import signal
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.application import LocalNotificationLog

from gateways.codec import StoredFact
from gateways.embedded_recorder import EventRecorder
from gateways.embedded_verbatim import VerbatimWriter
from gateways.raw_log import RawEvent
from tests.deploy.running import ADMITONE, admitone, environment
from tests.eventstoredb.answers import Failure
from tests.eventstoredb.clients import until
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import delay_answer, lose, refuse, swallow
from tests.eventstoredb.record import New, Record

AWAY = Failure("UNAVAILABLE", "gone")


def fact(stream: str, revision: int, **more: Any) -> StoredFact:
    written = {
        "topic": "PurchaseRetried",
        "state": b'{"by":"operator"}',
        "metadata": b'{"$correlationId":"c","$causationId":"c","actor":"a","at":"2026-11-22T20:00:00Z"}',
        "event_id": uuid4(),
    }
    return StoredFact(originator_id=stream, originator_version=revision, **{**written, **more})


def sales(count: int) -> list[StoredFact]:
    """``count`` purchases whose events stand between one another's."""
    return [fact(f"order-{number}", revision) for revision in range(3) for number in range(count)]


ODD = [
    fact("ticket-1", 0, topic="TicketTeleported", state=b'{"where": "later"}'),
    fact("ticket-1", 1, state=b"\x00\xff no JSON", metadata=b""),
    fact("voucher-1", 0, topic="VoucherIssued", state=b"{}"),
    fact("ticket-1", 2, topic="TicketListed", state=b"", metadata=b'{"schema":99,"unknown":[1]}'),
    fact("parking-ünïcode", 0, topic="Ereignis-ß"),
    fact("parking-a.b*c$", 0),
]
"""What this version does not know or cannot read."""


def written(data: Path, facts: Sequence[StoredFact]) -> Path:
    """A data directory whose log holds ``facts``."""
    data.mkdir(parents=True, exist_ok=True)
    writer = VerbatimWriter(data / "log.sqlite")
    writer.write([_raw(each) for each in facts])
    writer.close()
    return data


def _raw(fact: StoredFact) -> RawEvent:
    stream, revision = str(fact.originator_id), fact.originator_version
    return RawEvent(stream, revision, 0, fact.event_id, fact.topic, fact.state, fact.metadata)


def rows(data: Path) -> list[Any]:
    """The whole log, as it lies in the file."""
    with closing(sqlite3.connect(data / "log.sqlite")) as connection:
        return connection.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()


def ours(double: Cluster) -> list[Record]:
    return [record for record in double.log.records if not record.stream.startswith("$")]


def assert_same(facts: Sequence[StoredFact], records: Sequence[Record]) -> None:
    for fact_, record in zip_longest(facts, records):
        assert (fact_.originator_id, fact_.originator_version, fact_.event_id, fact_.topic) == (
            record.stream,
            record.revision,
            record.id,
            record.type,
        )
        assert (fact_.state, fact_.metadata) == (record.event.data, record.event.metadata)


async def copied(source: str | Path, target: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command, run to its end. In a thread, for the double lives on this event loop."""
    return await asyncio.to_thread(admitone, "copy", "--from", str(source), "--to", str(target))


async def assert_copied(source: str | Path, target: str | Path) -> str:
    done = await copied(source, target)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "are the same in both, in the same order" in done.stdout
    return done.stdout


async def refused(source: str | Path, target: str | Path, status: int = 1) -> str:
    """The one line with which the command ends."""
    done = await copied(source, target)
    assert done.returncode == status, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""
    return done.stderr


# ── From here to there ────────────────────────────────────────────────────────────────────────────


async def test_a_log_moves_to_eventstoredb_and_back_byte_for_byte(double: Cluster, tmp_path: Path) -> None:
    facts = [*sales(40), *ODD]
    source = written(tmp_path / "source", facts)
    said = await assert_copied(source, double.uri())
    assert "Copied 126 events" in said
    assert "126 events in 44 streams" in said
    assert_same(facts, ours(double))
    assert [record.event.json for record in ours(double)] == [
        fact_.state not in (b"\x00\xff no JSON", b"") for fact_ in facts
    ]
    known = [fact_ for fact_ in facts if fact_.originator_id != "voucher-1"]
    await assert_copied(double.uri(), tmp_path / "back")
    assert [row[1:5] for row in rows(tmp_path / "back")] == [
        (f.originator_id, f.originator_version, f.topic, f.state) for f in known
    ]


async def test_a_log_moves_between_directories_as_it_lies_in_the_file(tmp_path: Path) -> None:
    source = written(tmp_path / "source", [*sales(5), *ODD])
    await assert_copied(source, tmp_path / "new" / "target")
    assert rows(tmp_path / "new" / "target") == rows(source)


async def test_whatever_else_lives_in_the_database_stays_and_does_not_come_along(
    double: Cluster, tmp_path: Path
) -> None:
    double.log.write("invoice-1", [New(uuid4(), "InvoiceSent")])
    source = written(tmp_path / "source", sales(2))
    await assert_copied(source, double.uri())
    double.log.write("invoice-1", [New(uuid4(), "InvoicePaid")])
    said = await assert_copied(double.uri(), tmp_path / "back")
    assert "Copied 6 events" in said
    assert rows(tmp_path / "back") == rows(source)


async def test_the_eventsourcing_library_s_tools_read_a_copy(double: Cluster, tmp_path: Path) -> None:
    facts = sales(20)
    await assert_copied(written(tmp_path / "source", facts), double.uri())
    await assert_copied(double.uri(), tmp_path / "copy")
    recorder = EventRecorder.at(tmp_path / "copy" / "log.sqlite")
    section = LocalNotificationLog(recorder, section_size=10)["11,20"]
    assert [(each.id, each.topic, each.state) for each in section.items] == [
        (number, fact_.topic, fact_.state) for number, fact_ in enumerate(facts[10:20], 11)
    ]
    recorder.datastore.close()


async def test_an_empty_log_is_copied_as_one(tmp_path: Path) -> None:
    source = written(tmp_path / "source", [])
    done = await copied(source, tmp_path / "target")
    assert done.returncode == 0
    assert "0 events" in done.stdout


# ── Taken up again ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("there", range(10))
async def test_a_copy_that_ended_at_any_event_is_taken_up_there(tmp_path: Path, there: int) -> None:
    facts = sales(3)
    source, target = written(tmp_path / "source", facts), written(tmp_path / "target", facts[:there])
    assert f"Copied {9 - there} events" in await assert_copied(source, target)
    assert rows(target) == rows(source)


@pytest.mark.parametrize("there", [1, 60, 200, 590])
async def test_a_copy_that_is_killed_is_finished_by_the_same_command(
    double: Cluster, tmp_path: Path, there: int
) -> None:
    facts = sales(200)
    source = written(tmp_path / "source", facts)
    double.faults.add("BatchAppend", delay_answer(0.004))
    copying = await asyncio.create_subprocess_exec(
        ADMITONE, "copy", "--from", str(source), "--to", double.uri(), env=environment()
    )
    await until(lambda: len(ours(double)) >= there)
    copying.kill()
    assert await copying.wait() == -signal.SIGKILL
    await assert_copied(source, double.uri())
    assert_same(facts, ours(double))


@pytest.mark.parametrize(
    "fault", [refuse(AWAY), lose(AWAY), swallow(), lose(Failure("ABORTED", "timed out"))],
    ids=["away", "lost answer", "no answer", "aborted"],
)  # fmt: skip
async def test_a_fault_of_the_store_is_outlived_without_a_duplicate(
    double: Cluster, tmp_path: Path, fault: Any
) -> None:
    facts = sales(100)
    source = written(tmp_path / "source", facts)
    double.faults.add("BatchAppend", fault)
    await assert_copied(source, double.uri())
    assert_same(facts, ours(double))


async def test_a_restart_is_outlived_without_a_duplicate(double: Cluster, tmp_path: Path) -> None:
    facts = sales(200)
    source = written(tmp_path / "source", facts)
    double.faults.add("BatchAppend", delay_answer(0.004))
    copying = asyncio.create_task(copied(source, double.uri()))
    await until(lambda: len(ours(double)) >= 150)
    await double.restart()
    done = await copying
    assert done.returncode == 0, done.stderr
    assert_same(facts, ours(double))


async def test_two_copies_at_once_make_one(double: Cluster, tmp_path: Path) -> None:
    facts = sales(150)
    source = written(tmp_path / "source", facts)
    both = await asyncio.gather(copied(source, double.uri()), copied(source, double.uri()))
    assert [done.returncode for done in both] == [0, 0], both
    assert_same(facts, ours(double))


async def test_what_was_written_since_comes_with_a_second_run(double: Cluster, tmp_path: Path) -> None:
    source = written(tmp_path / "source", sales(2))
    await assert_copied(source, double.uri())
    written(source, [fact("ticket-2", 0)])
    assert "Copied 1 events" in await assert_copied(source, double.uri())
    assert len(ours(double)) == 7


async def test_a_leader_that_changes_is_followed(trio: Cluster, tmp_path: Path) -> None:
    facts = sales(200)
    source = written(tmp_path / "source", facts)
    trio.faults.add("BatchAppend", delay_answer(0.004))
    copying = asyncio.create_task(copied(source, trio.cluster_uri()))
    await until(lambda: len(ours(trio)) >= 150)
    trio.elect(trio.nodes[1])
    trio.calls.end("BatchAppend", AWAY)
    done = await copying
    assert done.returncode == 0, done.stderr
    assert_same(facts, ours(trio))


# ── Refused, and nothing changed ──────────────────────────────────────────────────────────────────


async def test_a_target_that_holds_something_else_is_refused(double: Cluster, tmp_path: Path) -> None:
    source = written(tmp_path / "source", sales(2))
    other = written(tmp_path / "other", sales(2))
    before = rows(other)
    assert "holds something else" in await refused(source, other)
    assert rows(other) == before
    double.log.write("ticket-1", [New(uuid4(), "TicketListed")])
    assert "holds something else" in await refused(source, double.uri())
    assert len(ours(double)) == 1


async def test_a_target_that_holds_something_else_in_the_middle_is_found_out(tmp_path: Path) -> None:
    facts = sales(3)
    source = written(tmp_path / "source", facts)
    forged = [*facts[:4], fact("order-1", 1), *facts[5:]]
    said = await refused(source, written(tmp_path / "target", forged))
    assert "order-1 revision 1 differs in its id" in said


async def test_an_altered_event_is_refused_before_anything_is_copied(double: Cluster, tmp_path: Path) -> None:
    source = written(tmp_path / "source", sales(1_500))
    with closing(sqlite3.connect(source / "log.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE stored_events SET state = '{}' WHERE rowid = 1200")
    assert "the event at position 1200 was altered" in await refused(source, double.uri(), 3)
    assert ours(double) == []


async def test_a_stream_whose_beginning_is_gone_is_refused(double: Cluster, tmp_path: Path) -> None:
    double.log.write("ticket-1", [New(uuid4(), "TicketListed")])
    double.log.write("ticket-2", [New(uuid4(), "TicketSold")], revision=3)
    said = await refused(double.uri(), tmp_path / "target")
    assert "revisions 0 to 2 of ticket-2 are gone" in said
    assert not (tmp_path / "target").exists()


async def test_an_event_that_eventstoredb_cannot_hold_is_refused(double: Cluster, tmp_path: Path) -> None:
    for number, impossible in enumerate(
        [fact("ticket-1", 0, state=b" " * 1_100_000), fact("$ticket-1", 0), fact("ticket-1", 0, topic="")]
    ):
        source = written(tmp_path / str(number), [*sales(2), impossible])
        assert "EventStoreDB" in await refused(source, double.uri())
    assert ours(double) == []


async def test_a_source_that_is_none_and_a_target_that_is_the_source_are_refused(tmp_path: Path) -> None:
    assert "there is no log" in await refused(tmp_path / "nowhere", tmp_path / "target")
    assert not (tmp_path / "target").exists()
    source = written(tmp_path / "source", sales(1))
    assert "the same store" in await refused(source, tmp_path / "x" / ".." / "source")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "log.sqlite").write_bytes(b"no database" * 1_000)
    assert "no log" in await refused(tmp_path / "junk", tmp_path / "target", 3)
    assert "esdb://" in await refused(source, "http://admin:canary-5up3r@localhost", 2)
    assert "canary" not in await refused(source, "http://admin:canary-5up3r@localhost", 2)


# ── What the source no longer shows ───────────────────────────────────────────────────────────────


async def test_streams_that_were_cut_off_or_deleted_are_named_and_copied_from_the_log(
    double: Cluster, tmp_path: Path
) -> None:
    for name in ("cut", "deleted", "ended"):
        double.log.write(f"ticket-{name}", [New(uuid4(), "TicketListed"), New(uuid4(), "TicketSold")])
    double.log.write("$$ticket-cut", [New(uuid4(), "$metadata", b'{"$tb":1}', json=True)])
    double._writer.tombstone("ticket-ended", 1)
    double._writer.delete("ticket-deleted", 1)
    said = await assert_copied(double.uri(), tmp_path / "target")
    for name in ("cut", "deleted", "ended"):
        assert f"no longer shows all of ticket-{name}" in said
    assert len(rows(tmp_path / "target")) == 6


async def test_a_target_that_hides_a_stream_is_found_out(double: Cluster, tmp_path: Path) -> None:
    double.log.write("$$order-1", [New(uuid4(), "$metadata", b'{"$maxCount":1}', json=True)])
    source = written(tmp_path / "source", sales(2))
    assert "does not show all of order-1" in await refused(source, double.uri())


# ── How far it is ─────────────────────────────────────────────────────────────────────────────────


def test_how_far_it_is_is_shown_as_a_bar_on_a_terminal_and_in_lines_elsewhere(tmp_path: Path) -> None:
    source = written(tmp_path / "source", sales(5_000))
    done = admitone("copy", "--from", str(source), "--to", str(tmp_path / "target"))
    assert "Copying: 10,000 of 15,000 events" in done.stderr
    ours_, theirs = pty.openpty()
    command = [ADMITONE, "copy", "--from", str(source), "--to", str(tmp_path / "second")]
    with subprocess.Popen(
        command, env=environment() | {"TERM": "xterm"}, stdout=subprocess.DEVNULL, stderr=theirs
    ) as copying:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours_, 65_536)
            except OSError:  # the terminal's other side is closed
                break
        assert copying.wait(30) == 0
    os.close(ours_)
    assert "━".encode() in shown
