"""Who only reads goes first on the event loop, and nobody is passed over for ever."""

import asyncio
import contextvars
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy import lanes
from deploy.lanes import LATELY, SLICE, LanedLoop, Lanes, Step
from gateways.http.turn import GOES_FIRST
from tests.deploy.plain import Plain
from tests.deploy.test_server import serving

PATIENCE = 10.0
"""Seconds after which something that is waited for here is given up."""


class Queue:
    """Lanes whose steps take as long as is said, by a clock that only they move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lanes = Lanes(lambda: self.now)
        self.taken: list[int] = []
        self.reported: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.reported.append(context))

    def join(self, name: int, *, first: bool, seconds: float = 0.0) -> Step:
        step = Step(self._take, (name, seconds), self._loop)
        self.lanes.join(step, first=first)
        return step

    def turn(self) -> list[int]:
        """The steps that were taken in it."""
        before = len(self.taken)
        self.lanes.turn()
        return self.taken[before:]

    def close(self) -> None:
        self._loop.close()

    def _take(self, name: int, seconds: float) -> None:
        self.now += seconds
        self.taken.append(name)


@pytest.fixture
def queue() -> Iterator[Queue]:
    with closing(Queue()) as queue:
        yield queue


# ── Whose turn it is ──────────────────────────────────────────────────────────────────────────────


arrivals = st.lists(st.tuples(st.booleans(), st.floats(0, 10 * SLICE)), max_size=12)


@settings(deadline=None)
@given(turns=st.lists(arrivals, min_size=1, max_size=12))
def test_every_step_is_taken_once_in_the_order_of_its_lane_and_readers_wait_for_one_turn_only(
    turns: list[list[tuple[bool, float]]],
) -> None:
    with closing(Queue()) as queue:
        play(queue, turns)


def play(queue: Queue, turns: list[list[tuple[bool, float]]]) -> None:
    first: list[int] = []
    others: list[int] = []
    costs: list[float] = []
    for joining in turns:
        coming = []
        for goes_first, seconds in joining:
            name = len(costs)
            costs.append(seconds)
            (first if goes_first else others).append(name)
            coming += [name] if goes_first else []
            queue.join(name, first=goes_first, seconds=seconds)
        waiting = len(first) + len(others) - len(queue.taken) - len(coming)
        taken = queue.turn()
        assert taken[: len(coming)] == coming, "who goes first is taken in the next turn, before all others"
        assert bool(taken[len(coming) :]) == bool(waiting), "somebody of the others has a turn too"
        if coming:
            reading = sum(costs[name] for name in coming)
            longest = max([costs[name] for name in taken[len(coming) :]], default=0.0)
            meanwhile = sum(costs[name] for name in taken[len(coming) :])
            assert meanwhile <= max(SLICE, reading) + longest + 1e-9, "the next reader waits no longer"
    while queue.lanes:
        assert queue.turn()
    assert [name for name in queue.taken if name in set(first)] == first
    assert [name for name in queue.taken if name in set(others)] == others


def test_readers_without_end_leave_the_others_half_of_the_time(queue: Queue) -> None:
    step = 2.0**-12  # seconds that add up without rounding
    for purchase in range(1000):
        queue.join(purchase, first=False, seconds=step)
    for _ in range(50):
        for reader in range(8):
            queue.join(-1 - reader, first=True, seconds=step)
        queue.turn()
    purchases = sum(name >= 0 for name in queue.taken)
    assert purchases == 50 * 8


def test_while_nobody_reads_all_who_are_ready_have_their_turn_together(queue: Queue) -> None:
    queue.join(-1, first=True)
    queue.turn()
    for purchase in range(20):
        queue.join(purchase, first=False, seconds=SLICE)
    assert len(queue.turn()) == 1, "a reader was here just now"
    queue.now += LATELY
    assert len(queue.turn()) == 19


def test_a_step_that_was_called_off_is_not_taken(queue: Queue) -> None:
    for goes_first in (True, False):
        queue.join(0, first=goes_first).cancel()
    queue.turn()
    assert (queue.taken, queue.reported) == ([], [])
    assert not queue.lanes


# ── The loop ──────────────────────────────────────────────────────────────────────────────────────


def marked(first: bool) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(GOES_FIRST.set, first)
    return context


async def test_what_a_task_that_goes_first_begins_goes_first_too() -> None:
    assert marked(True).run(GOES_FIRST.get)

    async def see() -> bool:
        return await asyncio.create_task(asyncio.sleep(0, GOES_FIRST.get()))

    assert await asyncio.create_task(see(), context=marked(True))
    assert not await asyncio.create_task(see())


def test_a_step_that_fails_is_reported_and_stops_nobody() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        reported: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: reported.append(context))
        reached = asyncio.Event()
        for first in (True, False):
            loop.call_soon([].pop, context=marked(first))
        loop.call_soon(reached.set)
        await asyncio.wait_for(reached.wait(), PATIENCE)
        assert [type(context["exception"]) for context in reported] == [IndexError, IndexError]

    uvloop.run(scenario(), loop_factory=LanedLoop)


@pytest.fixture
def loop() -> Iterator[LanedLoop]:
    loop = LanedLoop()
    yield loop
    loop.close()


class Slow:
    """Steps that take longer than any turn leaves them, so each has one to itself."""

    def __init__(self) -> None:
        self.called: list[int] = []

    def __call__(self, number: int) -> None:
        time.sleep(2 * SLICE)
        self.called.append(number)


def go_on(loop: LanedLoop, called: Sized, until: int) -> None:
    """Run until so many were called. Only a timer looks, which makes nobody's turn due."""
    give_up = loop.time() + PATIENCE

    def look() -> None:
        if len(called) >= until or loop.time() > give_up:
            loop.stop()
        else:
            loop.call_later(0.005, look)

    loop.call_later(0.005, look)
    loop.run_forever()


@pytest.mark.parametrize("first", [True, False])
def test_a_step_that_ends_the_process_leaves_those_behind_it_to_whoever_cleans_up(
    loop: LanedLoop, first: bool
) -> None:
    def exit_now() -> None:
        raise SystemExit(3)

    called: list[str] = []
    loop.call_soon(exit_now, context=marked(first))
    loop.call_soon(called.append, "behind it", context=marked(first))
    loop.call_soon(called.append, "in the other lane", context=marked(not first))
    with pytest.raises(SystemExit):
        loop.run_forever()
    go_on(loop, called, 2)
    assert sorted(called) == ["behind it", "in the other lane"]


def test_who_is_left_over_at_the_end_of_a_turn_has_the_next_though_nobody_comes(loop: LanedLoop) -> None:
    slow = Slow()
    loop.call_soon(int, context=marked(True))
    for number in range(5):
        loop.call_soon(slow, number)
    go_on(loop, slow.called, 5)
    assert slow.called == [0, 1, 2, 3, 4]


def test_what_is_ready_when_a_loop_stops_is_called_when_it_goes_on(loop: LanedLoop) -> None:
    slow = Slow()
    loop.call_soon(int, context=marked(True))
    loop.call_soon(loop.stop)
    for number in range(20):
        loop.call_soon(slow, number)
    loop.run_forever()
    assert len(slow.called) < 20
    go_on(loop, slow.called, 20)
    assert slow.called == [*range(20)]


def test_a_closed_loop_takes_nothing() -> None:
    loop = LanedLoop()
    loop.call_soon(print, "never")
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)


def test_other_threads_timers_and_signals_are_heard_beside_the_lanes() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            assert await loop.run_in_executor(pool, lambda: 7) == 7
        elapsed = loop.create_future()
        loop.call_later(0.001, elapsed.set_result, None)
        never_resting(loop)
        await asyncio.wait_for(elapsed, PATIENCE)

    def never_resting(loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(never_resting, loop)

    uvloop.run(scenario(), loop_factory=LanedLoop)


# ── At a server ───────────────────────────────────────────────────────────────────────────────────


class Till(Plain):
    """Notes in which order it answers. The first request of all, and the first purchase, are not done before
    the street says that more have come."""

    def __init__(self, street: Callable[[str], None]) -> None:
        super().__init__()
        self.order: list[str] = []
        self._street = street

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self._street(scope["path"])
        self.order.append(scope["method"])
        await super()._answer(scope, receive, send)


class Street:
    """The callers, in a thread of their own: what they send is with the kernel when ``wait`` returns."""

    def __init__(self, purchases: int) -> None:
        self.purchases = purchases
        self._opened, self._bought = threading.Event(), threading.Event()
        self._crowded, self._read = threading.Event(), threading.Event()

    def wait(self, path: str) -> None:
        """Asked by the server, which does nothing else meanwhile."""
        if path == "/open":
            self._opened.set()
            assert self._crowded.wait(PATIENCE)
        elif path == "/buy" and not self._bought.is_set():
            self._bought.set()
            assert self._read.wait(PATIENCE)

    def come(self, port: int) -> None:
        lines = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(self.purchases + 2)]
        opener, reader, *buyers = lines
        for line in (reader, *buyers):
            ask(line, "GET", "/known")
            hear(line)
        ask(opener, "GET", "/open")
        assert self._opened.wait(PATIENCE)
        for buyer in buyers:
            ask(buyer, "POST", "/buy")
        self._crowded.set()
        hear(opener)
        assert self._bought.wait(PATIENCE)
        ask(reader, "GET", "/look")
        self._read.set()
        for line in (reader, *buyers):
            hear(line)
            line.close()
        opener.close()


def request(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode()


def ask(line: socket.socket, method: str, path: str) -> None:
    line.sendall(request(method, path))


def hear(line: socket.socket) -> None:
    heard = b""
    while not heard.endswith(b"ok"):
        more = line.recv(4096)
        assert more, "the server closed the connection"
        heard += more


def orders(loop: Callable[[], uvloop.Loop]) -> list[str]:
    """What a server on such a loop answers, from the moment on when twenty purchases are ready at once; the
    reader comes while the first of them is under way."""
    street = Street(purchases=20)
    till = Till(street.wait)

    async def scenario() -> None:
        async with serving(till) as (_, port):
            await asyncio.wait_for(asyncio.to_thread(street.come, port), 3 * PATIENCE)

    uvloop.run(scenario(), loop_factory=loop)
    return till.order[-21:]


def test_who_reads_waits_for_the_purchase_under_way_and_not_for_those_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "SLICE", 0.0)  # any purchase takes longer than that
    assert orders(LanedLoop) == ["POST", "GET", *["POST"] * 19]


def test_on_any_other_loop_he_would_wait_for_all_of_them() -> None:
    """What the test above is worth."""
    assert orders(uvloop.new_event_loop) == [*["POST"] * 20, "GET"]


def test_a_request_that_was_sent_ahead_goes_by_its_own_lane() -> None:
    lane: dict[str, bool] = {}

    class Noting(Plain):
        async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
            lane[scope["path"]] = GOES_FIRST.get()
            await super()._answer(scope, receive, send)

    async def scenario() -> None:
        async with serving(Noting()) as (_, port):
            await asyncio.wait_for(asyncio.to_thread(send_ahead, port), PATIENCE)

    def send_ahead(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
            for method, path in (
                ("POST", "/1"),
                ("GET", "/2"),
                ("POST", "/3"),
                ("HEAD", "/4"),
                ("GET", "/5"),
            ):
                ask(line, method, path)
            while "/5" not in lane:
                assert line.recv(4096)

    uvloop.run(scenario(), loop_factory=LanedLoop)
    assert lane == {"/1": False, "/2": True, "/3": False, "/4": True, "/5": True}
