"""Log lines: one JSON object each, or readable text on a terminal, always on stderr.

Our own lines (structlog) and those of libraries (logging) go through one chain of processors, so every
line has ``ts``, ``level``, ``msg`` and ``logger``, and within a request its ``request_id``. Values under
names that stand for secrets are never written, nor the number of a card that a client has sent by mistake.
"""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, TypeAlias

import msgspec
import structlog
from structlog.contextvars import merge_contextvars

from gateways.card_numbers import without_card_numbers
from gateways.log_lines import Lines

Line: TypeAlias = MutableMapping[str, Any]

SECRETS = frozenset(
    "password secret token jwt jwt_key key authorization cookie set-cookie session client_secret".split()
)
_QUIET = ("uvicorn", "apscheduler", "httpx", "httpcore", "aiohttp", "asyncio")
_TALKATIVE = ("stripe",)
"""Libraries that write out the bodies of answers at the level debug, with secrets of buyers in them."""
_PLAIN_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}
_encode = msgspec.json.Encoder(enc_hook=repr, decimal_format="number").encode


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line of this process to ``stream`` (stderr unless given), from ``level`` up.

    Libraries speak from warnings up, unless the level is debug. May be called again, as tests do.
    """
    out = sys.stderr if stream is None else stream
    readable = out.isatty()
    chain = [merge_contextvars, _stamped, _without_secrets, *_rendering(readable)]
    number = logging.getLevelNamesMapping()[level.upper()]
    lines = Lines(out.buffer)
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda name="admitone": _Named(name, lines),
        cache_logger_on_first_use=True,
    )
    # What no line shows need not be found out for each (the logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(handlers=[_Handler(chain, lines)], level=number, force=True)
    logging.captureWarnings(True)
    for library in _QUIET:
        logging.getLogger(library).setLevel(number if level == "debug" else max(number, logging.WARNING))
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(max(number, logging.WARNING))


class _Named:
    """What ``structlog.get_logger(name)`` writes to."""

    __slots__ = ("critical", "debug", "error", "exception", "info", "name", "warning")

    def __init__(self, name: str, lines: Lines) -> None:
        self.name = name
        self.debug = self.info = lines.soon
        self.warning = self.error = self.exception = self.critical = lines.now


class _Handler(logging.Handler):
    """Gives the lines of ``logging`` to the chain that ours go through."""

    def __init__(self, chain: list[Any], lines: Lines) -> None:
        super().__init__()
        self._chain = chain
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line: Any = {n: value for n, value in vars(record).items() if n not in _PLAIN_RECORD}
            line["event"] = record.getMessage()
            if record.exc_info:
                line["exc_info"] = record.exc_info
            level = record.levelname.lower()
            for step in self._chain:
                line = step(record, level, line)
            self._lines.now(line)
        except Exception:  # as logging's own handlers do: a line that fails must not fail the work
            self.handleError(record)


def _stamped(source: Any, level: str, line: Line) -> Line:
    """The line with its standard fields first. ``source``: whatever has the logger's name."""
    return {
        "ts": datetime.now(UTC),
        "level": "error" if level == "exception" else level,
        "logger": source.name,
        "msg": line.pop("event", ""),
        **line,
    }


def _without_secrets(_: Any, __: str, line: Line) -> Line:
    for name in SECRETS.intersection(line):
        line[name] = "(secret)"
    return line


def _without_cards(_: Any, level: str, line: Line) -> Line:
    """What clients have sent: the path in the line of each request, and whatever is told of trouble."""
    for name in ("path",) if level == "info" else tuple(line):
        value = line.get(name)
        if isinstance(value, str):
            line[name] = without_card_numbers(value)
    return line


def _rendering(readable: bool) -> list[Any]:
    if not readable:
        return [structlog.processors.format_exc_info, _without_cards, _as_json]
    console = structlog.dev.ConsoleRenderer(
        event_key="msg",
        timestamp_key="ts",
        sort_keys=False,
        pad_event_to=0,
        exception_formatter=structlog.dev.plain_traceback,  # the others show local variables: secrets too
    )

    def render(logger: Any, level: str, line: Line) -> bytes:
        line["ts"] = line["ts"].astimezone().strftime("%H:%M:%S")
        return str(console(logger, level, line)).encode("utf-8", "backslashreplace")

    return [_without_cards, render]


def _as_json(_: Any, __: str, line: Line) -> bytes:
    try:
        return _encode(line)
    except (TypeError, ValueError, OverflowError, RecursionError):
        # Lone surrogates, numbers beyond 64 bits, keys that are no texts: rare, and worth a slower way.
        return _encode({_writable(str(name)): _writable(value) for name, value in line.items()})


def _writable(value: Any) -> Any:
    try:
        _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ascii(value)
    return value
