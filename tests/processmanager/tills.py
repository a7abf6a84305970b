"""Payment providers that fail in one way each. The one that works is the real card simulator."""

import asyncio
from collections.abc import Awaitable, Callable

from processmanager.ports import (
    Answer,
    Attempt,
    Confirmation,
    IsAuthorized,
    IsCaptured,
    IsVoided,
    NeedsAction,
    PaymentsUnavailable,
)


class ClosedTill:
    """Never answers a question but by failing. ``asked``: how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        return self._fail()

    async def look(self, attempt: Attempt) -> Answer:
        return self._fail()

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        return self._fail()

    async def void(self, attempt: Attempt, key: str) -> Answer:
        return self._fail()

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        return self._fail()

    async def confirmation(self, attempt: Attempt) -> Confirmation | None:
        self._fail()
        return None

    def _fail(self) -> Answer:
        self.asked += 1
        raise PaymentsUnavailable("the provider is away")


class HangingTill(ClosedTill):
    """Takes every question and answers none. ``hanging``: how many wait now."""

    def __init__(self) -> None:
        super().__init__()
        self.hanging = 0

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        self.hanging += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.hanging -= 1
        raise AssertionError("nobody ever sets that event")


class AskingTill(ClosedTill):
    """Waits for the buyer to confirm at his bank, until it is ``away``."""

    away = False

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        return await self.look(attempt)

    async def look(self, attempt: Attempt) -> Answer:
        return self._fail() if self.away else NeedsAction(f"at provider {attempt.id}", "confirm")


class OvertakenTill(ClosedTill):
    """Says yes, the first time only when ``meanwhile`` has happened; or nothing, while it is ``away``."""

    away = False

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        return await self._slowly(IsAuthorized(f"at provider {attempt.id}"))

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        return await self._slowly(IsCaptured(f"at provider {attempt.id}"))

    async def _slowly(self, answer: Answer) -> Answer:
        if self.away:
            return self._fail()
        happening, self.meanwhile = self.meanwhile, None
        if happening is not None:
            await happening()
        return answer


class OpenTill(ClosedTill):
    """Says yes to everything at once, and remembers what it did."""

    def __init__(self) -> None:
        super().__init__()
        self.did: list[str] = []

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        self.did.append(key)
        return IsAuthorized(f"at provider {attempt.id}")

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        self.did.append(key)
        return IsCaptured(f"at provider {attempt.id}")

    async def void(self, attempt: Attempt, key: str) -> Answer:
        self.did.append(key)
        return IsVoided()
