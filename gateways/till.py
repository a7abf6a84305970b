"""The till, as those who serve buyers see it: another process, which speaks with the payment provider.

What a provider's SDK costs is half of what a payment costs, and nobody who only reads is to wait for it.
So purchases are driven on in a process of their own, and here one only waits for the outcome. Whoever loses
the connection asks the next till the same: all that is asked of it may be asked twice.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from msgspec import Raw, msgpack

from gateways.till_words import (
    Asked,
    Confirm,
    End,
    Frames,
    HearOf,
    NotAMessage,
    PaymentOf,
    PumpOrder,
    Question,
    Returning,
    Told,
    framed,
)
from processmanager.desk import Cause, Desk
from processmanager.looking import look
from processmanager.ports import Confirmation, PaymentsUnavailable
from processmanager.pump import StepFailed
from processmanager.purchase import Purchase

GREETING = 3.0
"""Seconds within which a till must say that it is at work: as long as its successor may take to begin."""
PATIENCE = 60.0
"""Seconds for one question: longer than a purchase takes, with a provider who uses all of his time."""
TRIES = 3
"""How often one question is asked, by whoever loses the connection meanwhile."""
AWAY = "the process that speaks with the payment provider is not at work now"


class Lost(Exception):
    """The connection ended before the answer came."""


class Stopped(Exception):
    """A step of a purchase failed at the till: with ``error``."""

    def __init__(self, step: str, error: Exception) -> None:
        super().__init__(f"{step}: {error}")
        self.step = step
        self.error = error


class Till:
    """A connection to the till, made when it is needed. Belongs to the event loop that it is used on."""

    def __init__(self, path: Path, *, greeting: float = GREETING, patience: float = PATIENCE) -> None:
        """path: of its socket. greeting, patience: seconds for a connection, and for a question."""
        self._path = path
        self._greeting = greeting
        self._patience = patience
        self._line: _Line | None = None
        self._connecting: asyncio.Task[_Line] | None = None
        self._away = False

    async def ask(self, question: Question) -> Raw:
        """The value that is answered, as it came.

        Raises Stopped where a step of a purchase failed, else the error that the till met;
        PaymentsUnavailable also where there is no till.
        """
        told = await self._answered(question)
        if told.trouble is None:
            return told.value
        error = told.trouble.error()
        raise error if told.trouble.step is None else Stopped(told.trouble.step, error)

    def health(self) -> str | None:
        """None, or in one line that the till was not to be had when it was last asked."""
        return AWAY if self._away else None

    async def close(self) -> None:
        """Hang up. Who still waits for an answer gets PaymentsUnavailable."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._line is not None:
            self._line.close()

    async def _answered(self, question: Question) -> Told:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                for _ in range(TRIES):
                    line = await self._connected()
                    with suppress(Lost):
                        return await line.ask(question)
        raise PaymentsUnavailable("the process that speaks with the payment provider did not answer")

    async def _connected(self) -> "_Line":
        """Who comes while one connects, waits with him."""
        if self._line is not None and not self._line.lost:
            return self._line
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._note)
        return await asyncio.shield(self._connecting)

    def _note(self, connecting: "asyncio.Task[_Line]") -> None:
        self._away = connecting.cancelled() or connecting.exception() is not None
        if not self._away:
            self._line = connecting.result()

    async def _connect(self) -> "_Line":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._greeting):
                transport, line = await loop.create_unix_connection(_Line, str(self._path))
                try:
                    await line.greeted
                except BaseException:
                    transport.close()
                    raise
        except (OSError, Lost):  # TimeoutError is an OSError
            raise PaymentsUnavailable(AWAY) from None
        return line


class _Line(asyncio.Protocol):
    """One connection. ``greeted`` is done when a till has taken it up."""

    def __init__(self) -> None:
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self._frames = Frames(Told)
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Told]] = {}

    async def ask(self, question: Question) -> Told:
        """Raises Lost."""
        if self.lost:
            raise Lost
        self._number = number = self._number + 1
        answer: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._transport.write(framed(Asked(number, question)))
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for told in self._frames.messages(data):
                self._hear(told)
        except NotAMessage:
            self._transport.abort()

    def _hear(self, told: Told) -> None:
        if told.number == 0:
            if not self.greeted.done():
                self.greeted.set_result(None)
        elif (waiting := self._waiting.get(told.number)) is not None and not waiting.done():
            waiting.set_result(told)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.greeted.done():
            self.greeted.set_exception(Lost())
            self.greeted.exception()  # nobody may be waiting for it any more
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Lost())


# ── What is asked ─────────────────────────────────────────────────────────────────────────────────

_truth = msgpack.Decoder(bool).decode
_name: Callable[[Raw], str | None] = msgpack.Decoder(str | None).decode
_confirmation: Callable[[Raw], Confirmation | None] = msgpack.Decoder(Confirmation | None).decode


class DistantPump:
    """Pumps by asking the till, and then looks at what has become of the purchase: as ``Pumping``."""

    def __init__(self, till: Till, desk: Desk) -> None:
        self._till = till
        self._desk = desk

    async def pump(self, order_id: str, cause: Cause, *, current: bool = True) -> Purchase:
        """As ``Pumping`` says. ``current`` makes no difference: the till looks at the streams first."""
        try:
            await self._till.ask(PumpOrder(order_id, cause))
        except (Stopped, PaymentsUnavailable) as error:
            step, why = (error.step, error.error) if isinstance(error, Stopped) else ("pump", error)
            raise StepFailed(await look(self._desk, order_id), step, why) from why
        return await look(self._desk, order_id)

    async def hear_of(self, payment_id: str, cause: Cause) -> None:
        """As ``Pumping`` says, but for a step that failed: that raises PaymentsUnavailable."""
        try:
            await self._till.ask(HearOf(payment_id, cause))
        except Stopped as stopped:
            raise PaymentsUnavailable(str(stopped)) from None

    async def confirmation(self, payment_id: str) -> Confirmation | None:
        return _confirmation(await self._till.ask(Confirm(payment_id)))

    async def end(self, payment_id: str, reason: str, cause: Cause) -> bool:
        return _truth(await self._till.ask(End(payment_id, reason, cause)))


class DistantNames:
    """Whose attempt a provider's name is, by asking the till: as ``processmanager.hints.Names``."""

    def __init__(self, till: Till) -> None:
        self._till = till

    async def payment_of(self, reference: str) -> str | None:
        return _name(await self._till.ask(PaymentOf(reference)))

    async def returning(self, reference: str, secret: str) -> str | None:
        return _name(await self._till.ask(Returning(reference, secret)))
