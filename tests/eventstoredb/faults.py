"""Faults on demand: each turns the answers of a call into what the client gets instead.

An action is given the answers before anything has been done, since nothing is done until they are
iterated; so one that never looks at them has kept the call from happening at all.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

from esdbclient.protos.Grpc import code_pb2

from tests.eventstoredb.answers import Failure
from tests.eventstoredb.batches import error, not_ready
from tests.eventstoredb.calls import Call
from tests.eventstoredb.messages import checkpoint

Answers: TypeAlias = AsyncIterator[Any]
Action: TypeAlias = Callable[[Answers], Answers]


class Fault:
    """One fault that waits for its calls.

    method: the end of the method's name; "" means any. times: how many calls it strikes, None: all.
    skip: how many it lets pass first. agent: only calls of the ``sync`` or the ``async`` client.
    node: only calls of that one. subscribes: only catch-up subscriptions, or only other reads.
    proposes: only appends of that type of event.
    """

    def __init__(
        self,
        method: str,
        action: Action,
        *,
        times: int | None = 1,
        skip: int = 0,
        agent: str | None = None,
        node: int | None = None,
        subscribes: bool | None = None,
        proposes: str | None = None,
    ) -> None:
        self._method = method
        self._agent = agent
        self._node = node
        self._subscribes = subscribes
        self._proposes = proposes
        self._skip = skip
        self.action = action
        self.left = times
        self.struck = 0

    def strikes(self, call: Call) -> bool:
        """Whether it is this call's turn. Counts, so it must be asked once a call."""
        if self.left == 0 or not call.method.endswith(self._method):
            return False
        if self._agent not in (None, call.agent) or self._node not in (None, call.node):
            return False
        if self._subscribes not in (None, call.subscribes):
            return False
        if self._proposes is not None and self._proposes not in call.types:
            return False
        if self._skip:
            self._skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        self.struck += 1
        return True

    def stop(self) -> None:
        self.left = 0


class Faults:
    """The faults that are set. At most one strikes a call: the first that was set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, method: str, action: Action, **which: Any) -> Fault:
        """Set a fault. which: as for ``Fault``."""
        fault = Fault(method, action, **which)
        self._faults.append(fault)
        return fault

    def apply(self, call: Call, answers: Answers) -> Answers:
        for fault in self._faults:
            if fault.strikes(call):
                return fault.action(answers)
        return answers

    def clear(self) -> None:
        self._faults.clear()


# ── Whole calls ───────────────────────────────────────────────────────────────────────────────────


def refuse(failure: Failure) -> Action:
    """Do nothing but fail."""

    async def acting(_: Answers) -> Answers:
        await _fail(failure)
        yield

    return acting


def hold() -> Action:
    """Do nothing, and leave the client waiting."""

    async def acting(_: Answers) -> Answers:
        await asyncio.Event().wait()
        yield

    return acting


def lose(failure: Failure) -> Action:
    """Do what was asked, then fail instead of answering: the lost acknowledgement."""

    async def acting(answers: Answers) -> Answers:
        await _do(answers)
        await _fail(failure)
        yield

    return acting


def swallow() -> Action:
    """Do what was asked, and leave the client waiting for the answer."""

    async def acting(answers: Answers) -> Answers:
        await _do(answers)
        await asyncio.Event().wait()
        yield

    return acting


def meanwhile(happening: Callable[[], object]) -> Action:
    """Do what was asked, but let something happen just before."""

    async def acting(answers: Answers) -> Answers:
        happening()
        async for answer in answers:
            yield answer

    return acting


def lose_while(happening: Callable[[], object]) -> Action:
    """Do what was asked, then let something happen that keeps the answer from its way."""

    async def acting(answers: Answers) -> Answers:
        await _do(answers)
        happening()
        await asyncio.Event().wait()
        yield

    return acting


def delay(seconds: float) -> Action:
    """Do what was asked, but only after a while."""

    async def acting(answers: Answers) -> Answers:
        await asyncio.sleep(seconds)
        async for answer in answers:
            yield answer

    return acting


def delay_answer(seconds: float) -> Action:
    """Do what was asked at once, and say so only after a while."""

    async def acting(answers: Answers) -> Answers:
        async for answer in answers:
            await asyncio.sleep(seconds)
            yield answer

    return acting


def in_band(details: Any = None) -> Action:
    """Answer a BatchAppend with an error inside the answer, doing nothing.

    details: the message that says which error; None is the server that is not ready.
    """

    async def acting(_: Answers) -> Answers:
        yield not_ready() if details is None else error(code_pb2.UNKNOWN, "", details)

    return acting


# ── Subscriptions and reads ───────────────────────────────────────────────────────────────────────


def end_after(events: int, failure: Failure) -> Action:
    """End the call after some events; with ``Failure("OK")``, as if all were well."""

    async def acting(answers: Answers) -> Answers:
        async for answer in _up_to(answers, events):
            yield answer
        raise failure.anew()

    return acting


def stall_after(events: int) -> Action:
    """Say nothing more after some events, and keep the call open."""

    async def acting(answers: Answers) -> Answers:
        async for answer in _up_to(answers, events):
            yield answer
        await asyncio.Event().wait()

    return acting


def repeat() -> Action:
    """Deliver every event twice."""

    async def acting(answers: Answers) -> Answers:
        async for answer in answers:
            yield answer
            if _is_event(answer):
                yield answer

    return acting


def impossible_checkpoint() -> Action:
    """Send a checkpoint of 2^64-1 once caught up, such as servers before 24.10.5 sent."""

    async def acting(answers: Answers) -> Answers:
        async for answer in answers:
            yield answer
            if answer.WhichOneof("content") == "caught_up":
                yield checkpoint(2**64 - 1)

    return acting


async def _fail(failure: Failure) -> None:
    raise failure.anew()


async def _do(answers: Answers) -> None:
    """Let the work happen; it is done when the first answer is there."""
    await anext(answers, None)


async def _up_to(answers: Answers, events: int) -> Answers:
    async with aclosing(answers):  # type: ignore[type-var]  # all answers are generators
        if events == 0:
            yield await anext(answers)
            return
        async for answer in answers:
            yield answer
            events -= _is_event(answer)
            if events == 0:
                return


def _is_event(answer: Any) -> bool:
    return "content" in answer.DESCRIPTOR.oneofs_by_name and answer.WhichOneof("content") == "event"
