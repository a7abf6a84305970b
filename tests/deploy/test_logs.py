"""Every log line is one JSON object, whoever wrote it, and no secret is in it."""

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from gateways import logs


class Terminal(io.TextIOWrapper):
    """A stream that is a terminal once it is told so."""

    is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal


def bytes_of(stream: Terminal) -> bytes:
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue()


@pytest.fixture
def written() -> Iterator[Terminal]:
    """Where the lines go; logging is as it was afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield Terminal(io.BytesIO())
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    logging.captureWarnings(False)


def lines(stream: Terminal) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bytes_of(stream).splitlines()]


def test_our_lines_and_those_of_libraries_have_the_same_fields(written: Terminal) -> None:
    logs.configure("info", written)
    with bound_contextvars(request_id="req-12345678"):
        structlog.get_logger("http").info("answered", status=201)
        logging.getLogger("admitone.store").info("appended %d events", 2, extra={"stream": "order-1"})
    ours, theirs = lines(written)
    assert (ours["level"], ours["logger"], ours["msg"], ours["status"]) == ("info", "http", "answered", 201)
    assert (theirs["logger"], theirs["msg"], theirs["stream"]) == (
        "admitone.store",
        "appended 2 events",
        "order-1",
    )
    assert ours["request_id"] == theirs["request_id"] == "req-12345678"
    assert ours["ts"] <= theirs["ts"]


def test_the_level_decides_what_is_written_and_libraries_are_quiet_unless_debugging(
    written: Terminal,
) -> None:
    logs.configure("info", written)
    structlog.get_logger("a").debug("not this")
    logging.getLogger("uvicorn.error").info("nor this")
    logging.getLogger("uvicorn.error").warning("this")
    logs.configure("debug", written)
    structlog.get_logger("b").debug("now this")
    logging.getLogger("uvicorn.error").info("and this")
    assert [line["msg"] for line in lines(written)] == ["this", "now this", "and this"]


def test_secrets_are_never_written(written: Terminal) -> None:
    logs.configure("info", written)
    structlog.get_logger("http").info("signed in", password="hunter2", token="tok", cookie="c00kie")
    logging.getLogger("x").warning("w", extra={"authorization": "Bearer abc"})
    for secret in (b"hunter2", b'"tok"', b"c00kie", b"Bearer"):
        assert secret not in bytes_of(written)


def test_a_failure_is_written_with_its_traceback_in_one_line_and_without_local_variables(
    written: Terminal,
) -> None:
    logs.configure("info", written)
    card = "4242" * 4
    try:
        len(card) // 0
    except ZeroDivisionError:
        structlog.get_logger("http").exception("failed")
        logging.getLogger("x").exception("failed too")
    for line in lines(written):
        assert line["level"] == "error"
        assert "ZeroDivisionError" in line["exception"]
    assert card.encode() not in bytes_of(written)


def test_a_line_that_is_no_clean_json_is_written_all_the_same(written: Terminal) -> None:
    logs.configure("info", written)
    structlog.get_logger("http").info("path \ud800", size=2**80, order="o-1", what=object)
    (line,) = lines(written)
    assert (line["order"], line["size"], line["level"]) == ("o-1", 2**80, "info")
    assert "ud800" in line["msg"]


def test_a_person_at_a_terminal_reads_text(written: Terminal) -> None:
    written.is_terminal = True
    logs.configure("info", written)
    structlog.get_logger("http").warning("slow \ud800", ms=900)
    text = bytes_of(written).decode()
    assert "slow" in text
    assert "900" in text
    assert not text.startswith("{")


def test_a_line_costs_little(written: Terminal) -> None:
    logs.configure("info", written)
    log = structlog.get_logger("http")

    def microseconds() -> float:
        # Of this thread's own time: tests run beside each other.
        began = time.thread_time()
        for _ in range(2000):
            log.info("answered", status=201, path="/api/orders", ms=1.25)
        return (time.thread_time() - began) / 2000 * 1e6

    # 10 on a quiet machine; the bound leaves room for a busy one and still catches a second renderer.
    assert min(microseconds() for _ in range(5)) < 40


async def test_a_line_that_tells_of_trouble_takes_those_that_wait_along_in_their_order(
    written: Terminal,
) -> None:
    logs.configure("info", written)
    log = structlog.get_logger("http")
    log.info("first")
    log.info("second")
    assert lines(written) == []
    log.warning("third")
    assert [line["msg"] for line in lines(written)] == ["first", "second", "third"]


async def test_a_line_does_not_wait_for_others_to_come(written: Terminal) -> None:
    logs.configure("info", written)
    structlog.get_logger("http").info("alone")
    for _ in range(500):
        if lines(written):
            break
        await asyncio.sleep(0.01)
    assert [line["msg"] for line in lines(written)] == ["alone"]
