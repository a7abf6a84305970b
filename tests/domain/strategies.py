"""Random business for any decider, made from its types: what can be said, what can have happened.

Two worlds. In the *small* world names, prices and moments come from a handful, so that chance meets
every collision: the same order twice, a stranger, a deadline to the instant. In the *wide* world a
field may hold anything that its type can hold. A new command, event or field takes part by itself.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from types import NoneType
from typing import Any, TypeAlias, get_args, get_type_hints

from hypothesis import find
from hypothesis import strategies as st
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import fields

from domain.decider import AnyDecider, Metadata, Refused
from domain.money import MAX_MINOR, Money

START = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
END = START + timedelta(minutes=15)
GRACE = START + timedelta(minutes=25)

# ── The small world: few of each, so everything meets ─────────────────────────────────────────────

_PEOPLE = ("ann", "sue")
_MOMENTS = (START, END, GRACE)
_SMALL: dict[str, tuple[Any, ...]] = {
    "buyer": _PEOPLE,
    "seller": _PEOPLE,
    "by": _PEOPLE,
    "order": ("o1", "o2"),
    "ticket": ("t1", "t2"),
    "payment": ("p1", "p2"),
    "title": ("concert", "opera", " "),
    "price": (Money(1999, "usd"), Money(0, "usd")),
    "amount": (Money(1999, "usd"), Money(1, "usd")),
    "reason": ("why", " "),
    "reference": ("pi_1", "pi_2"),
    "at": _MOMENTS,
    "made": (START,),
    "expires_at": (START, END),
    "grace_until": _MOMENTS,
    "own_allowed": (False, True),
    "ticket_version": (0,),
    "tries": (5,),
    "won": (False, True),
}


def _small(name: str, type_: Any) -> tuple[Any, ...]:
    """What a field called ``name`` can hold in the small world; one word when it matters to no rule."""
    if isinstance(type_, type) and issubclass(type_, Struct) and type_ is not Money:
        return tuple(_every(type_))
    if NoneType in get_args(type_):
        # When something was asked matters to no rule; how much of it may be left open.
        return (None, *_SMALL[name]) if Money in get_args(type_) else (None,)
    return _SMALL[name] if type_ is not str else _SMALL.get(name, (name,))


def _every(type_: type[Struct]) -> Iterable[Any]:
    hints = get_type_hints(type_)
    names = [field.name for field in fields(type_)]
    return (type_(*values) for values in product(*(_small(name, hints[name]) for name in names)))


def command_types(decider: AnyDecider) -> tuple[type[Struct], ...]:
    """Every type of command that ``decider`` takes, as its ``decide`` declares."""
    declared = get_type_hints(decider.decide)["command"]
    return get_args(declared) or (declared,)


def state_types(decider: AnyDecider) -> tuple[type[Struct], ...]:
    """Every state that ``decider`` can be in, as its ``decide`` declares."""
    return get_args(get_type_hints(decider.decide)["state"])


@cache
def all_commands(decider: AnyDecider) -> tuple[Any, ...]:
    """Everything that can be said to ``decider`` in the small world."""
    return tuple(command for type_ in command_types(decider) for command in _every(type_))


def commands(decider: AnyDecider) -> st.SearchStrategy[Any]:
    """One command of the small world, each type as likely as another."""
    return st.sampled_from(command_types(decider)).flatmap(
        lambda type_: st.sampled_from([said for said in all_commands(decider) if type(said) is type_])
    )


def facts_of(decider: AnyDecider, command: Any, state: Any) -> tuple[Any, ...]:
    """The facts to which a command leads; a refusal leaves none."""
    decision = decider.decide(command, state)
    return () if isinstance(decision, Refused) else decision


@cache
def moves(decider: AnyDecider, state: Any) -> tuple[tuple[Any, ...], ...]:
    """The commands that lead to something in ``state``, one group for each type of command."""
    groups: dict[type, list[Any]] = {}
    for command in all_commands(decider):
        if facts_of(decider, command, state):
            groups.setdefault(type(command), []).append(command)
    return tuple(map(tuple, groups.values()))


@st.composite
def histories(draw: st.DrawFn, decider: AnyDecider, max_commands: int = 12) -> tuple[Any, ...]:
    """The facts that a random run of commands leaves behind: always a legal history.

    Only commands that lead to something are drawn; left to chance alone, hardly a ticket is ever sold.
    """
    state = decider.initial
    facts: list[Any] = []
    for _ in range(draw(st.integers(0, max_commands))):
        groups = moves(decider, state)
        if not groups:
            break
        led_to = facts_of(decider, draw(st.sampled_from(draw(st.sampled_from(groups)))), state)
        state = decider.fold(state, led_to)
        facts += led_to
    return tuple(facts)


# ── The wide world: whatever a type can hold ──────────────────────────────────────────────────────

_Leaf: TypeAlias = Callable[[], st.SearchStrategy[Any]]

_WIDE: dict[Any, _Leaf] = {
    str: st.text,
    bool: st.booleans,
    int: lambda: st.integers(-(2**53), 2**53),
    Money: lambda: st.builds(Money, st.integers(-MAX_MINOR, MAX_MINOR), st.text(max_size=3)),
    datetime: lambda: st.datetimes(timezones=st.just(UTC)),
    UnsetType: lambda: st.just(UNSET),
    NoneType: st.none,
}


def _wide(type_: Any) -> st.SearchStrategy[Any]:
    if leaf := _WIDE.get(type_):
        return leaf()
    return st.one_of([_wide(choice) for choice in get_args(type_)])


def anything(type_: type[Struct]) -> st.SearchStrategy[Any]:
    """Any value of a Struct, odd text and far-off dates included."""
    hints = get_type_hints(type_)
    return st.builds(type_, *(_wide(hints[field.name]) for field in fields(type_)))


def any_metadata() -> st.SearchStrategy[Metadata]:
    """Whatever can be known beside an event."""
    return anything(Metadata)


def example_of(values: st.SearchStrategy[Any], type_: type) -> Any:
    """The simplest value of ``type_`` among ``values``. Raises NoSuchExample if chance meets none."""
    return find(values, lambda value: type(value) is type_)
