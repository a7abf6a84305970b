"""Who waits for a read model to reach a position. Woken by the commit; nobody polls."""

import asyncio

MOST = 4_096
"""Waiters at once. One more is told at once that it would take too long."""


class Waiters:
    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, position: int, timeout: float) -> bool:  # noqa: ASYNC109 - part of the answer
        """True once ``reached`` is told ``position`` or more; False after ``timeout`` seconds."""
        if len(self._waiting) >= MOST:
            return False
        arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[arrival] = position
        try:
            async with asyncio.timeout(timeout):
                await arrival
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(arrival, None)
        return True

    def reached(self, position: int) -> None:
        """All events up to ``position`` are to be seen."""
        for arrival in [each for each, wanted in self._waiting.items() if wanted <= position]:
            del self._waiting[arrival]
            if not arrival.done():
                arrival.set_result(None)
