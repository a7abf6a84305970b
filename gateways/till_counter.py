"""The till's own side: answers those who serve buyers, on a socket, by pumping here."""

import asyncio
import socket
from logging import getLogger
from typing import Any, cast

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
    Trouble,
    framed,
)
from processmanager.hints import Names
from processmanager.ports import PaymentsUnavailable
from processmanager.pump import Pumping, StepFailed

log = getLogger("admitone.till")

MOST = 1_000
"""Questions at once. One more is told at once that there is too much to do."""
FINISHING = 20.0
"""Seconds that the questions at hand are given at the end."""
GREETING = framed(Told(0))
BUSY = Trouble.of(PaymentsUnavailable("too many payments at once"))


class Counter:
    """Where the till serves. Belongs to the event loop that it is opened on."""

    def __init__(self, pump: Pumping, names: Names) -> None:
        self._pump = pump
        self._names = names
        self._served: set[asyncio.Task[None]] = set()
        self._customers: set[_Customer] = set()
        self._server: asyncio.AbstractServer | None = None

    async def open(self, listener: socket.socket) -> None:
        """Serve whoever connects."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Customer(self), sock=listener)

    async def close(self) -> None:
        """Take no further questions, answer those at hand, and let all connections go. Who had asked more,
        asks the next till."""
        if self._server is not None:
            self._server.close()
        for customer in self._customers:
            customer.deaf()
        if self._served:
            await asyncio.wait(self._served, timeout=FINISHING)
        for task in self._served:
            task.cancel()
        for customer in [*self._customers]:
            customer.go()

    def came(self, customer: "_Customer") -> None:
        self._customers.add(customer)

    def went(self, customer: "_Customer") -> None:
        self._customers.discard(customer)

    def serve(self, asked: Asked, customer: "_Customer") -> None:
        """Answer a question, beside the others."""
        if len(self._served) >= MOST:
            customer.tell(Told(asked.number, trouble=BUSY))
            return
        task = asyncio.create_task(self._serve(asked, customer))
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(self, asked: Asked, customer: "_Customer") -> None:
        try:
            value = Raw(msgpack.encode(await self._answer(asked.question)))
        except StepFailed as failed:
            told = Told(asked.number, trouble=Trouble.of(failed.error, failed.step))
        except Exception as error:
            trouble = Trouble.of(error)
            if not trouble.foreseen:
                log.exception("the till could not answer %s", type(asked.question).__name__)
            told = Told(asked.number, trouble=trouble)
        else:
            told = Told(asked.number, value)
        customer.tell(told)

    async def _answer(self, question: Question) -> Any:
        match question:
            case PumpOrder(order, cause):
                await self._pump.pump(order, cause)
                return None
            case HearOf(payment, cause):
                await self._pump.hear_of(payment, cause)
                return None
            case Confirm(payment):
                return await self._pump.confirmation(payment)
            case End(payment, reason, cause):
                return await self._pump.end(payment, reason, cause)
            case PaymentOf(reference):
                return await self._names.payment_of(reference)
            case Returning(reference, secret):
                return await self._names.returning(reference, secret)


class _Customer(asyncio.Protocol):
    """One connection."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._frames = Frames(Asked)

    def tell(self, told: Told) -> None:
        if not self._transport.is_closing():
            self._transport.write(framed(told))

    def deaf(self) -> None:
        """Hear no more."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def go(self) -> None:
        """End, once all is sent."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._counter.came(self)
        self._transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        try:
            for asked in self._frames.messages(data):
                self._counter.serve(asked, self)
        except NotAMessage as wrong:
            log.warning("somebody speaks at the till who does not know how: %s", wrong)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._counter.went(self)
