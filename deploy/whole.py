"""An answer in one piece: uvicorn's cycle of request and response, ended with a single write.

In messages, an answer's head and body are two system calls, each of which wakes the client, and every header
is looked through for itself: together a quarter of what a refusal costs (docs/decisions/0021).
"""

import re
from collections.abc import Sequence
from weakref import ref

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gateways.http.answer import Header

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BODILESS = frozenset({204, 304})


def send_whole(of: "ref[RequestResponseCycle]", status: int, headers: Sequence[Header], body: bytes) -> bool:
    """Send an answer, if nothing about it or its connection is out of the ordinary; else say so by False.

    of: the request's cycle, which its scope must not keep alive: it has the scope, so all of a request would
    be left to the garbage collector, whose pauses everybody waits for.
    headers: the content length among them fits the body.
    """
    cycle = of()
    if cycle is None or cycle.response_started or cycle.disconnected:
        return False
    if cycle.flow.write_paused or not cycle.keep_alive:
        return False
    if cycle.scope["method"] == "HEAD" or (status in _BODILESS and body):
        return False
    lines = _lines([*cycle.default_headers, *headers])
    if lines is None:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join((STATUS_LINE[status], lines, b"\r\n", body)))
    cycle.message_event.set()
    cycle.on_response()
    return True


def _lines(headers: Sequence[Header]) -> bytes | None:
    """The lines of the head; None if one ends early, holds what no header may, or ends the connection."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    fit = lines.count(b"\n") == lines.count(b"\r") == len(headers) and not _CONTROL.search(lines)
    return lines if fit and b"\nconnection: " not in lines else None
