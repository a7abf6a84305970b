"""The eventsourcing library's own tools on the log's file, and the recorder tests that it ships.

Of the shipped cases that concern an ApplicationRecorder two do not apply:

- ``optional_test_insert_subscribe``: the library's SQLite recorder has no ``subscribe`` (the library
  does not run it for SQLite either), so neither has ours; a follower uses ``EmbeddedStore.follow``.
- ``AggregateRecorderTestCase``: it demands that an insert returns no notification ids, which is what
  tells an AggregateRecorder from an ApplicationRecorder.

On EventStoreDB no such recorder is offered: the library's tools read a copy of its log. Why:
docs/decisions/0011-no-synchronous-recorder-on-eventstoredb.md.

Revisions begin at 0 and have no gaps, where the library's own aggregates begin at 1.
"""

import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import TestCase
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    Mapper,
    StoredEvent,
)
from eventsourcing.projection import ApplicationSubscription
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from domain.decider import NO_STREAM, Recorded
from domain.parking import PurchaseRetried
from gateways.codec import NOTHING_KNOWN, EventMapper
from gateways.embedded import EmbeddedStore
from gateways.embedded_recorder import EventRecorder
from tests.store.contract import event, events


class OnNewFile(TestCase):
    """Gives each case a file of its own."""

    INITIAL_VERSION = 0

    def setUp(self) -> None:
        self.running = set(threading.enumerate())
        self.directory = TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def new_originator_id(self) -> str:
        return f"ticket-{uuid4()}"

    def create_recorder(self) -> EventRecorder:
        recorder = EventRecorder.at(Path(self.directory.name, "log.sqlite"))
        self.addCleanup(recorder.datastore.close)
        self.addCleanup(self.wait_for_threads)
        recorder.create_table()
        return recorder

    def wait_for_threads(self) -> None:
        """Some cases leave readers behind, and a connection must not be closed under them."""
        for thread in set(threading.enumerate()) - self.running:
            thread.join(10)


class TestAsApplicationRecorder(OnNewFile, ApplicationRecorderTestCase[ApplicationRecorder]):
    """Shipped with the library."""


class TestNonInterleaving(OnNewFile, NonInterleavingNotificationIDsBaseCase):
    """Shipped with the library."""


@pytest.fixture
async def store(tmp_path: Path) -> Any:
    opened = await EmbeddedStore.open(tmp_path / "log.sqlite")
    yield opened
    await opened.close()


async def test_the_library_reads_what_the_store_wrote(store: EmbeddedStore) -> None:
    proposed = events(3)
    await store.append("parking-1", proposed, NO_STREAM)
    mapper = EventMapper()
    stored = store.recorder.select_events("parking-1", gt=0)
    assert [mapper.to_domain_event(one).id for one in stored] == [one.id for one in proposed[1:]]
    notified = store.recorder.select_notifications(start=1, limit=10)
    assert [mapper.to_domain_event(one) for one in notified] == list(await store.read("parking-1"))
    assert store.recorder.max_notification_id() == store.head() == 3


async def test_the_store_reads_what_the_library_wrote(store: EmbeddedStore) -> None:
    """Without an id or metadata, which the library has no place for: a legal row all the same."""
    stored = [StoredEvent("parking-1", n, "PurchaseRetried", b'{"by":"library"}') for n in range(2)]
    store.recorder.insert_events(stored)
    found = await store.read("parking-1")
    assert [(one.revision, one.position) for one in found] == [(0, 1), (1, 2)]
    assert [one.event for one in found] == [PurchaseRetried("library")] * 2
    assert len({one.id for one in found}) == 2
    assert all(one.metadata == NOTHING_KNOWN for one in found)
    assert await store.append("parking-1", [event()], 1) == 3


async def test_an_event_keeps_its_id_and_metadata_through_the_library(store: EmbeddedStore) -> None:
    proposed = event()
    mapper = EventMapper()
    recorded = Recorded("parking-1", 0, 1, proposed.id, proposed.event, proposed.metadata)
    store.recorder.insert_events([mapper.to_stored_event(recorded)])
    assert list(await store.read("parking-1")) == [recorded]
    assert await store.append("parking-1", [proposed], NO_STREAM) == 1


async def test_the_library_cannot_leave_a_gap(store: EmbeddedStore) -> None:
    stored = [StoredEvent("parking-1", n, "PurchaseRetried", b'{"by":"library"}') for n in (0, 2)]
    with pytest.raises(IntegrityError):
        store.recorder.insert_events(stored)
    with pytest.raises(IntegrityError):
        store.recorder.insert_events(stored[1:])
    assert not await store.read("parking-1")
    assert store.head() == 0


async def test_the_library_and_the_store_refuse_the_same_revision(store: EmbeddedStore) -> None:
    await store.append("parking-1", [event()], NO_STREAM)
    with pytest.raises(IntegrityError):
        store.recorder.insert_events([StoredEvent("parking-1", 0, "PurchaseRetried", b'{"by":"x"}')])


def application(path: Path) -> Application[str]:
    """An application of the library on the log, put together as its manual says."""

    class Desk(Application[str]):
        def construct_mapper(self) -> Mapper[str]:
            return EventMapper()

        def construct_recorder(self) -> ApplicationRecorder:
            return EventRecorder.at(path)

    return Desk()


async def test_an_application_of_the_library_works_on_the_log(store: EmbeddedStore, tmp_path: Path) -> None:
    await store.append("parking-1", events(2), NO_STREAM)
    app = application(tmp_path / "log.sqlite")
    first, second = await store.read("parking-1")
    assert list(app.events.get("parking-1")) == [first, second]
    added = Recorded("parking-1", 2, 0, UUID(int=9), PurchaseRetried("library"), first.metadata)
    app.events.put([added])
    assert (await store.read("parking-1"))[2].event == PurchaseRetried("library")
    assert [one.id for one in app.notification_log.select(start=1, limit=10)] == [1, 2, 3]
    with pytest.raises(NotImplementedError):  # as with every SQLite recorder of the library
        ApplicationSubscription(app)
    app.recorder.datastore.close()  # type: ignore[attr-defined]
