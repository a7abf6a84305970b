"""The desk decides on what is true, writes once, and remembers only what helps."""

from collections.abc import AsyncIterator, Sequence

import pytest

from domain import payment, ticket
from domain.decider import NO_STREAM, AnyProposed, AnyRecorded, Metadata, Proposed, Refused, Unreadable
from domain.payment import AuthorizePayment, CapturePayment, RequestPayment
from domain.ticket import DelistTicket, EditTicket, ListTicket, ReleaseTicket, ReserveTicket
from processmanager.desk import Desk, TooManyConflicts, UnreadableStream, event_id
from processmanager.ports import OutcomeUnknown, StoreUnavailable
from tests.processmanager.house import HOLD, PRICE, START, HandClock, cause
from tests.simulation.log import Log
from tests.simulation.memory_store import MemoryStore

LIST = ListTicket("sue", "a seat", PRICE)


class WatchedStore:
    """The store in memory; counts what is asked of it, and lets others in before an append."""

    def __init__(self, log: Log) -> None:
        self.store = MemoryStore(log)
        self.log = log
        self.reads = 0
        self.appends = 0
        self.rivals = 0
        """How many appends are still to find that another was quicker."""
        self.after_write: Exception | None = None

    async def read(self, stream: str, after: int = -1) -> Sequence[AnyRecorded]:
        self.reads += 1
        return await self.store.read(stream, after)

    async def append(self, stream: str, events: Sequence[AnyProposed], expected: int) -> int:
        self.appends += 1
        if self.rivals:
            self.rivals -= 1
            edit(self.log, stream, f"edited {self.appends}")
        position = await self.store.append(stream, events, expected)
        if self.after_write:
            raise self.after_write
        return position

    def follow(self, after: int = 0) -> AsyncIterator[Sequence[AnyRecorded]]:
        return self.store.follow(after)


def put(log: Log, stream: str, event: object) -> None:
    """Somebody else writes an event."""
    place = len(log.read(stream))
    proposed = Proposed(event_id(f"{stream}/{place}"), event, Metadata("c", "c", "another", START))
    log.append(stream, [proposed], place - 1)


def edit(log: Log, stream: str, title: str) -> None:
    put(log, stream, ticket.TicketEdited(title, PRICE))


@pytest.fixture
def store() -> WatchedStore:
    return WatchedStore(Log())


@pytest.fixture
def desk(store: WatchedStore) -> Desk:
    return Desk(store, HandClock())


# ── Conflicts ─────────────────────────────────────────────────────────────────────────────────────


async def test_whoever_was_overtaken_decides_again_on_what_is_there_now(
    desk: Desk, store: WatchedStore
) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"))
    store.rivals = 4
    done = await desk.execute(ticket.ticket, "t1", EditTicket("sue", "at last", PRICE), cause("edit"))
    assert isinstance(done.state, ticket.Available)
    assert (done.state.listing.title, done.state.listing.version, done.revision) == ("at last", 5, 5)


async def test_who_is_overtaken_every_time_gives_up_and_has_written_nothing(
    desk: Desk, store: WatchedStore
) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"))
    store.rivals = 5
    with pytest.raises(TooManyConflicts):
        await desk.execute(ticket.ticket, "t1", EditTicket("sue", "never", PRICE), cause("edit"))
    assert [fact.metadata.actor for fact in store.log.facts] == ["somebody"] + 5 * ["another"]
    assert store.appends == 6


# ── Memory ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_decision_that_writes_needs_no_reading_when_the_stream_is_remembered(
    desk: Desk, store: WatchedStore
) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"), new=True)
    await desk.execute(ticket.ticket, "t1", EditTicket("sue", "new", PRICE), cause("edit"))
    assert (store.reads, store.appends) == (0, 2)


async def test_a_refusal_from_memory_is_checked_before_it_is_given(desk: Desk, store: WatchedStore) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"))
    await desk.execute(ticket.ticket, "t1", ReserveTicket("o1", "ann", START + HOLD), cause("o1"))
    elsewhere = Desk(store, HandClock())
    await elsewhere.execute(ticket.ticket, "t1", ReleaseTicket("o1", "expired"), cause("o1"))
    done = await desk.execute(ticket.ticket, "t1", ReserveTicket("o2", "bob", START + HOLD), cause("o2"))
    assert isinstance(done.state, ticket.Reserved)
    assert done.state.order == "o2"


async def test_nothing_left_to_do_from_memory_is_checked_too(desk: Desk, store: WatchedStore) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"))
    await desk.execute(ticket.ticket, "t1", EditTicket("sue", "mine", PRICE), cause("edit"))
    edit(store.log, "ticket-t1", "theirs")
    done = await desk.execute(ticket.ticket, "t1", EditTicket("sue", "mine", PRICE), cause("edit"))
    assert len(done.events) == 1


async def test_a_refusal_is_a_fresh_value_each_time(desk: Desk) -> None:
    raised = []
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            await desk.execute(ticket.ticket, "t9", DelistTicket("sue"), cause("delist"))
        raised.append(refusal.value)
    assert raised == 2 * [ticket.UNKNOWN]
    assert len({id(each) for each in (*raised, ticket.UNKNOWN)}) == 3, "tracebacks would pile up on it"


async def test_the_memory_is_bounded_and_keeps_what_was_used_last(store: WatchedStore) -> None:
    desk = Desk(store, HandClock(), memory=2)
    for key in ("t1", "t2", "t1", "t3"):
        await desk.execute(ticket.ticket, key, LIST, cause("list"))
    before = store.reads
    for key in ("t1", "t3"):
        await desk.recall(ticket.ticket, key)
    assert store.reads == before
    await desk.recall(ticket.ticket, "t2")
    assert store.reads == before + 1


async def test_what_is_loaded_is_current_whatever_is_remembered(desk: Desk, store: WatchedStore) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"))
    edit(store.log, "ticket-t1", "theirs")
    remembered, loaded = await desk.recall(ticket.ticket, "t1"), await desk.load(ticket.ticket, "t1")
    assert (remembered.revision, loaded.revision) == (0, 1)


# ── Doubt ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("trouble", [OutcomeUnknown("lost"), StoreUnavailable("away")], ids=repr)
async def test_after_an_append_that_failed_memory_is_forgotten(
    desk: Desk, store: WatchedStore, trouble: Exception
) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"))
    store.after_write = trouble
    with pytest.raises(type(trouble)):
        await desk.execute(ticket.ticket, "t1", EditTicket("sue", "new", PRICE), cause("edit"))
    store.after_write, before = None, store.reads
    done = await desk.execute(ticket.ticket, "t1", EditTicket("sue", "new", PRICE), cause("edit"))
    assert (done.events, done.revision, store.reads) == ((), 1, before + 1), "it had been written after all"


async def test_the_same_command_of_the_same_cause_is_one_event(desk: Desk, store: WatchedStore) -> None:
    """The answer was lost, the process died, and another process is asked again."""
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"), new=True)
    again = await Desk(store, HandClock()).execute(ticket.ticket, "t1", LIST, cause("list"), new=True)
    assert (store.log.head, again.revision) == (1, 0)


async def test_two_commands_that_look_alike_are_two_events(store: WatchedStore) -> None:
    """Two watchdogs: one has heard that the money is set aside, the other that it is taken."""
    first, second = Desk(store, HandClock()), Desk(store, HandClock())
    request = RequestPayment("o1", PRICE, "tok_visa")
    await first.execute(payment.payment, "p1", request, cause("watchdog:o1"))
    await second.load(payment.payment, "p1")
    await first.execute(payment.payment, "p1", AuthorizePayment("ref"), cause("watchdog:o1"))
    await second.execute(payment.payment, "p1", CapturePayment("ref"), cause("watchdog:o1"))
    names = [type(fact.event).__name__ for fact in store.log.facts]
    assert names == ["PaymentRequested", "PaymentAuthorized", "PaymentCaptured"]


# ── Streams that cannot be read ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "event",
    [Unreadable("TicketBlessed", b"{}", "unknown type"), ticket.TicketSold("o1")],
    ids=["foreign", "out of place"],
)
async def test_nothing_is_decided_on_a_stream_that_cannot_be_read(
    desk: Desk, store: WatchedStore, event: object
) -> None:
    await desk.execute(ticket.ticket, "t1", LIST, cause("list"))
    put(store.log, "ticket-t1", event)
    for _ in range(2):
        with pytest.raises(UnreadableStream, match=r"ticket-t1 revision 1"):
            await desk.execute(ticket.ticket, "t1", EditTicket("sue", "a seat", PRICE), cause("edit"))
        with pytest.raises(UnreadableStream):
            await desk.load(ticket.ticket, "t1")
    assert store.log.head == 2


async def test_a_stream_that_was_never_written_is_not_remembered(desk: Desk, store: WatchedStore) -> None:
    assert (await desk.load(ticket.ticket, "t1")).revision == NO_STREAM
    put(store.log, "ticket-t1", ticket.TicketListed("sue", "a seat", PRICE))
    assert (await desk.recall(ticket.ticket, "t1")).revision == 0
