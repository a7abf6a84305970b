"""What can go wrong with a history on the double: how often, and how it is brought about."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tests.eventstoredb.answers import Failure, aborted, too_slow, unavailable
from tests.eventstoredb.faults import Action, delay_answer, in_band, lose, refuse, repeat, swallow
from tests.simulation.weather import KINDS as IN_MEMORY

if TYPE_CHECKING:
    from tests.simulation.on_double import OnDouble

Strike: TypeAlias = Callable[["OnDouble"], object]

WRITES, READS = "Streams/BatchAppend", "Streams/Read"


def _some(method: str, action: Callable[[], Action], most: int) -> Strike:
    """Strike the next call, or some."""
    return lambda on: on.double.faults.add(method, action(), times=on.rng.randint(1, most))


def _end_subscriptions(failure: Callable[[], Failure]) -> Strike:
    return lambda on: on.double.calls.end_subscriptions(failure())


def _restart(on: "OnDouble") -> None:
    on.run(on.double.restart(forget_ids=on.rng.random() < 0.5))


def _elect(on: "OnDouble") -> None:
    on.double.elect(on.rng.choice(on.double.nodes))


def _cut(on: "OnDouble") -> None:
    for wire in on.wires:
        wire.cut()


def _cut_after_some_bytes(on: "OnDouble") -> None:
    for wire in on.wires:
        wire.answer_limit = on.rng.randint(1, 3_000)


STRIKES: dict[str, Strike] = {
    "call refused": _some("", lambda: refuse(unavailable()), 3),
    "nobody there": _some("", lambda: refuse(unavailable()), 40),
    "node not ready": _some(WRITES, in_band, 3),
    "answer lost": _some(WRITES, lambda: lose(unavailable()), 2),
    "answer aborted": _some(WRITES, lambda: lose(aborted()), 2),
    "connection reset": _some(WRITES, lambda: lose(Failure("INTERNAL", "stream reset")), 2),
    "no answer": _some(WRITES, swallow, 1),
    "late answer": _some(WRITES, lambda: delay_answer(0.05), 2),
    "told twice": lambda on: on.double.faults.add(READS, repeat(), subscribes=True),
    "subscription ended": _end_subscriptions(unavailable),
    "subscription ended in silence": _end_subscriptions(lambda: Failure("OK")),
    "consumer too slow": _end_subscriptions(too_slow),
    "connection cut": _cut,
    "connection cut after some bytes": _cut_after_some_bytes,
    "store restarted": _restart,
    "leader moved": _elect,
}

_SHARES = {
    "nobody there": 0.1,
    "no answer": 0.2,
    "connection cut": 0.2,
    "connection cut after some bytes": 0.2,
    "store restarted": 0.05,
    "leader moved": 0.3,
}
KINDS = {
    kind: IN_MEMORY[kind] for kind in IN_MEMORY if kind.startswith(("provider", "authorisation", "crash"))
}
KINDS |= {kind: _SHARES.get(kind, 0.4) for kind in STRIKES}
