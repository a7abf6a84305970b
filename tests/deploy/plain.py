"""The least application that can be served: what the server is tried on where the product plays no part."""

import asyncio
from typing import Any


class Plain:
    """Answers 200 to everything, after ``slowness`` seconds on /slow."""

    def __init__(self, slowness: float = 0.3) -> None:
        self.slowness = slowness
        self.draining = self.started = self.stopped = False

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        self.stopped = True

    def drain(self) -> None:
        self.draining = True

    @property
    def asgi(self) -> Any:
        return self._answer

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/slow":
            await asyncio.sleep(self.slowness)
        headers = [(b"content-length", b"2")]
        if self.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})
