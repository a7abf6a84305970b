"""What the suite says at its end: on which kinds of store it has run, and on which it has not."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_node import CLUSTER, NODE, VARIABLE

EMBEDDED, DOUBLE = "embedded", "EventStoreDB's double"
REAL = "a real EventStoreDB"
_PROPERTY = "store"

_BY_PARAMETER = {"embedded": EMBEDDED, "eventstoredb": DOUBLE, "double": DOUBLE, "real": REAL, "memory": None}
"""Where a test runs once for each kind: what its parameter says."""
_PARAMETERS = ("store_kind", "store", "name", "uri", "secure_uri", "cluster_uri")
_BY_PLACE = {
    "tests/eventstoredb/test_checklist.py": None,
    "tests/eventstoredb": DOUBLE,
    "tests/simulation/test_wired_histories.py": DOUBLE,
    "tests/store": EMBEDDED,
    "tests/backup": EMBEDDED,
    "tests/live": EMBEDDED,
}
"""Where it runs on one kind only."""


def pytest_configure() -> None:
    """Ctrl-C is heard by what tests start, though the suite runs where it is not: in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _kind(item: pytest.Item) -> str | None:
    parameters = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    for name in _PARAMETERS:
        if (told := str(parameters.get(name))) in _BY_PARAMETER:
            return _BY_PARAMETER[told]
    place = item.path.relative_to(Path(__file__).parents[1])
    return next((kind for part, kind in _BY_PLACE.items() if place.is_relative_to(part)), None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note it with the test, so that it is in its report, from whatever process that comes."""
    if kind := _kind(item):
        item.user_properties.append((_PROPERTY, kind))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.when == "call":
                kinds = [kind for name, kind in report.user_properties if name == _PROPERTY]
                ran.update(kinds)
                failed.update(kinds if outcome == "failed" else ())
    terminalreporter.section("stores")
    for line in _told(ran, failed):
        terminalreporter.line(line)


def _told(ran: Counter[str], failed: Counter[str]) -> Iterator[str]:
    for kind in (EMBEDDED, DOUBLE, REAL):
        if ran[kind]:
            yield f"ran on {kind}: {ran[kind]}" + (f", {failed[kind]} failed" if failed[kind] else "")
        elif kind == REAL and not NODE:
            yield f"NOT run on {kind}: {VARIABLE} names none (e.g. esdb://127.0.0.1:2113?Tls=false)"
        else:
            yield f"NOT run on {kind}"
    if NODE and not CLUSTER:
        yield f"NOT run on a real cluster: {VARIABLE} names one node"
