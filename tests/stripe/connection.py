"""How a line is cut: without an answer, politely or by a reset."""

import os
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CUT = "stripe.cut"
"""The extension of the ASGI scope that cuts the line: a function that is told whether to reset."""


class Line(HttpToolsProtocol):
    """uvicorn's protocol, whose requests may cut their line."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {CUT: self._cut}
        self.scope["extensions"] = extensions

    def _cut(self, reset: bool) -> None:
        if reset:
            _linger_zero(self.transport.get_extra_info("socket").fileno())
            self.transport.abort()
        else:
            self.transport.close()


def _linger_zero(descriptor: int) -> None:
    """Make the close that follows a reset (SO_LINGER with no time)."""
    with socket.socket(fileno=os.dup(descriptor)) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
