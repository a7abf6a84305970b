"""How far the log has grown, and who waits for it to grow further."""

import asyncio


class News:
    """The last position known to be in the log. Followers wait here; nobody has to poll."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.closed = False
        self._grown = asyncio.Event()

    def tell(self, head: int) -> None:
        """The log goes up to ``head``. Wakes everybody if that is news."""
        if head > self.head:
            self.head = head
            self._wake()

    def close(self) -> None:
        """There will be no more. Wakes everybody."""
        self.closed = True
        self._wake()

    async def wait(self, after: int) -> None:
        """Return once the log goes beyond ``after``, or is closed."""
        while self.head <= after and not self.closed:
            await self._grown.wait()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()
