"""Webhooks: told to one address, at least once and in no promised order. https://docs.stripe.com/webhooks

What is to be sent stands in the ledger, in the transaction of what it tells of, so a restart forgets
none. Rules of a test drop, double, delay or hold back some of it.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import httpx
import msgspec
from msgspec import Struct, field

from tests.stripe.bank import Bank
from tests.stripe.errors import missing
from tests.stripe.shapes import Event
from tests.stripe.signing import signature

log = logging.getLogger("stripe.webhooks")

AT_ONCE = 8
"""How many are on their way together."""


class Target(Struct, kw_only=True):
    """Whom to tell; nobody if ``url`` is None.

    retries: seconds before each further try. timeout: seconds that one may take.
    """

    url: str | None = None
    secrets: list[str] = field(default_factory=list)
    retries: list[float] = field(default_factory=lambda: [0.1, 0.3, 1.0])
    timeout: float = 5.0


class Rule(Struct, kw_only=True):
    """What becomes of events whose type is like ``type``; ``times`` None: of all that come.

    drop: they are never sent. double: sent ``copies`` times. delay: sent ``seconds`` later.
    hold: kept until they are asked for.
    """

    action: Literal["drop", "double", "delay", "hold"]
    type: str = "*"
    copies: int = 2
    seconds: float = 0.0
    skip: int = 0
    times: int | None = None
    struck: int = 0

    def applies(self, kind: str) -> bool:
        if (self.times is not None and self.struck >= self.times) or not fnmatchcase(kind, self.type):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.struck += 1
        return True


class Delivery(Struct, frozen=True):
    """One event on its way. ``answers``: the status of each try, 0 for none."""

    number: int
    event: str
    type: str
    state: str
    tries: int
    answers: list[int]


class Webhooks:
    """Sends what stands in the ledger while ``run`` runs."""

    def __init__(self, bank: Bank, target: Target) -> None:
        self._bank = bank
        self.target = target
        self.rules: list[Rule] = []
        self._wake = asyncio.Event()
        self._client = httpx.AsyncClient(trust_env=False)
        self._sending: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something may have come to be sent."""
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        async with self._client:
            while True:
                self._wake.clear()
                self._sort()
                pause = self._start_due()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)

    def deliveries(self) -> Iterator[Delivery]:
        rows = self._bank.ledger.db.execute(
            "SELECT number, event, json_extract(body, '$.type'), state, tries, answers "
            "FROM deliveries JOIN objects ON objects.id = event ORDER BY number"
        )
        for number, event, kind, state, tries, answers in rows.fetchall():
            yield Delivery(number, event, kind, state, tries, json.loads(answers))

    async def deliver(self, events: Sequence[str]) -> list[int]:
        """Send these now, one after the other, whatever was sent before; the statuses that came back."""
        return [await self._deliver(name) for name in events]

    async def send(self, body: str, header: str | None) -> int:
        """Post ``body`` to the target: the status of the answer, 0 if none came."""
        if self.target.url is None:
            return 0
        headers = [
            (b"Content-Type", b"application/json; charset=utf-8"),
            (b"User-Agent", b"Stripe/1.0 (a double)"),
        ]
        if header is not None:
            headers.append((b"Stripe-Signature", header.encode("latin-1")))
        try:
            answer = await self._client.post(
                self.target.url, content=body.encode(), headers=headers, timeout=self.target.timeout
            )
        except httpx.HTTPError as error:
            log.info("no answer from %s: %r", self.target.url, error)
            return 0
        return answer.status_code

    def body_of(self, name: str) -> str:
        """The event as it is sent. Raises StripeError."""
        return msgspec.json.encode(self._bank.find(Event, "event", name)).decode()

    # ── What is due ───────────────────────────────────────────────────────────────────────────────

    def _sort(self) -> None:
        """Decide what becomes of each new event."""
        db = self._bank.ledger.db
        rows = db.execute(
            "SELECT number, event, json_extract(body, '$.type') FROM deliveries "
            "JOIN objects ON objects.id = event WHERE state = 'new' ORDER BY number"
        ).fetchall()
        if not rows:
            return
        with self._bank.ledger.transaction():
            for number, event, kind in rows:
                rule = next((rule for rule in self.rules if rule.applies(kind)), None)
                state, due = self._fate(rule)
                db.execute("UPDATE deliveries SET state = ?, due = ? WHERE number = ?", (state, due, number))
                for _ in range(rule.copies - 1 if rule is not None and rule.action == "double" else 0):
                    db.execute(
                        "INSERT INTO deliveries (event, state, due) VALUES (?, ?, ?)", (event, state, due)
                    )

    def _fate(self, rule: Rule | None) -> tuple[str, float]:
        now = self._bank.clock.now()
        if self.target.url is None:
            return "unsent", now
        if rule is None or rule.action == "double":
            return "waiting", now
        if rule.action == "delay":
            return "waiting", now + rule.seconds
        return ("dropped" if rule.action == "drop" else "held"), now

    def _start_due(self) -> float | None:
        """Begin to send what is due. Seconds until more is; None if nothing waits."""
        now = self._bank.clock.now()
        rows = self._bank.ledger.db.execute(
            "SELECT number, event, due FROM deliveries WHERE state = 'waiting' ORDER BY due, number LIMIT 100"
        ).fetchall()
        for number, event, due in rows:
            if due > now:
                return max(0.001, float(due) - now)
            if len(self._sending) >= AT_ONCE:
                return None  # the next that ends wakes
            self._set(number, "sending")
            task = asyncio.create_task(self._try(number, event))
            self._sending.add(task)
            task.add_done_callback(self._ended)
        return None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self.wake()

    async def _try(self, number: int, event: str) -> None:
        status = await self._post(event)
        row = self._bank.ledger.db.execute(
            "SELECT tries, answers FROM deliveries WHERE number = ?", (number,)
        ).fetchone()
        tries, answers = int(row[0]) + 1, [*json.loads(row[1]), status]
        due = self._bank.clock.now()
        if 200 <= status < 300:
            state = "delivered"
        elif tries <= len(self.target.retries):
            state, due = "waiting", due + self.target.retries[tries - 1]
        else:
            state = "failed"
        self._bank.ledger.db.execute(
            "UPDATE deliveries SET state = ?, due = ?, tries = ?, answers = ? WHERE number = ?",
            (state, due, tries, json.dumps(answers), number),
        )
        if state == "delivered":
            self._arrived(event)

    async def _deliver(self, event: str) -> int:
        status = await self._post(event)
        if 200 <= status < 300:
            self._bank.ledger.db.execute(
                "UPDATE deliveries SET state = 'delivered' "
                "WHERE event = ? AND state IN ('held', 'waiting', 'failed')",
                (event,),
            )
            self._arrived(event)
        return status

    async def _post(self, event: str) -> int:
        body = self.body_of(event)
        return await self.send(body, signature(body, self.target.secrets, int(time.time())))

    def _arrived(self, name: str) -> None:
        event = self._bank.find(Event, "event", name)
        event.pending_webhooks = 0
        self._bank.ledger.put(event)

    def _set(self, number: int, state: str) -> None:
        self._bank.ledger.db.execute("UPDATE deliveries SET state = ? WHERE number = ?", (state, number))

    def resume(self) -> None:
        """Send again what was on its way when the process ended: it may have arrived or not."""
        self._bank.ledger.db.execute("UPDATE deliveries SET state = 'waiting' WHERE state = 'sending'")


def check_known(bank: Bank, events: Sequence[str]) -> None:
    """Raises StripeError unless all of them are there."""
    for name in events:
        if bank.ledger.get(Event, name) is None:
            raise missing("event", name)
