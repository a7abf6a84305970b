"""The network between a client and a node: a relay that can cut, stall or lose what passes through it."""

import asyncio
from typing import Self

from tests.eventstoredb.answers import Endpoint
from tests.eventstoredb.node import HOST

_CHUNK = 65_536


class Wire:
    """Relays TCP to ``target``. Clients use ``address`` in place of the node's."""

    def __init__(self, target: Endpoint) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flow = asyncio.Event()
        self._flow.set()
        self.connections = 0
        """How many connections clients have made so far."""
        self.answer_limit: int | None = None
        """Bytes of answers that still pass before all connections are cut; None: no limit."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.resume()
        self.cut()

    @property
    def address(self) -> str:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def cut(self) -> None:
        """Reset every connection that is open now."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def stall(self) -> None:
        """Let nothing pass, and close nothing: a peer that has vanished."""
        self._flow.clear()

    def resume(self) -> None:
        self._flow.set()

    async def _relay(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            node, to_node = await asyncio.open_connection(self._target.host, self._target.port)
        except OSError:
            to_client.transport.abort()
            return
        self._open |= {to_client, to_node}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(client, to_node, answers=False))
                group.create_task(self._pass(node, to_client, answers=True))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open -= {to_client, to_node}
            to_client.transport.abort()
            to_node.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await source.read(_CHUNK):
            await self._flow.wait()
            if answers and self.answer_limit is not None:
                data = data[: self.answer_limit]
                self.answer_limit -= len(data)
            to.write(data)
            await to.drain()
            if answers and self.answer_limit == 0:
                self.answer_limit = None
                self.cut()
        raise ConnectionResetError
