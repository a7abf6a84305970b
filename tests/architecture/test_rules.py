"""Each rule sees the violation that it is there for, and leaves what is right alone."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.house import House

AGGREGATE = '''"""A thing."""
# ── Commands ──────────
# ── Events ────────────
class ThingMade: ...
class ThingLost: ...
Event: TypeAlias = ThingMade | ThingLost
# ── States ────────────
# ── Decide ────────────
# ── Evolve ────────────
# ── The decider ───────
thing: Decider[Command, State, Event] = Decider(category="thing", events=(ThingMade, ThingLost))
'''
LISTED = '"""All."""\nfrom domain.thing import thing\n'

HOLD = "from datetime import timedelta\nHOLD = timedelta(minutes=15)\n"


def broken(rule: Callable[[House], Iterator[str]], **texts: str) -> list[str]:
    """What a rule says of a house of these modules; a dot in a name is written as two underscores."""
    return list(rule(House({name.replace("__", "."): text for name, text in texts.items()})))


# ── Imports ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("domain", "projections"),
        ("domain", "processmanager"),
        ("domain", "gateways"),
        ("projections", "processmanager"),
        ("projections", "gateways"),
        ("processmanager", "projections"),
        ("processmanager", "gateways"),
        ("gateways", "deploy"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        "import {}.thing",
        "from {}.thing import run",
        "from {} import thing",
        "def later():\n    from {}.thing import run",
        "if TYPE_CHECKING:\n    import {}.thing as other",
    ],
)
def test_no_import_points_outward_however_it_is_written(inner: str, outer: str, words: str) -> None:
    texts = {f"{inner}__a": words.format(outer), outer: "", f"{outer}__thing": "def run(): ..."}
    assert broken(rules.imports_point_inward, **texts) == [f"{inner}.a imports {outer}.thing"]


def test_imports_that_point_inward_are_welcome() -> None:
    assert not broken(
        rules.imports_point_inward,
        domain__a="import json, msgspec",
        projections__b="import domain.a",
        processmanager__c="from domain import a",
        gateways__d="import domain.a, projections.b, processmanager.c",
        deploy__e="import domain.a, projections.b, processmanager.c, gateways.d",
    )


@pytest.mark.parametrize("folder", ["domain", "projections", "processmanager"])
def test_the_inner_layers_take_msgspec_and_nothing_else_from_outside(folder: str) -> None:
    texts = {f"{folder}__a": "import json\nfrom msgspec.structs import fields\nimport eventsourcing.domain"}
    assert broken(rules.packages_stay_outside, **texts) == [f"{folder}.a imports eventsourcing"]


def test_the_outer_layers_take_what_is_declared_for_running_only() -> None:
    declared = "import jwt, litestar, argon2, esdbclient\nfrom eventsourcing.sqlite import SQLiteDatastore"
    assert not broken(rules.packages_stay_outside, gateways__a=declared, deploy__b=declared)
    assert broken(rules.packages_stay_outside, gateways__a="import hypothesis", deploy__b="import yaml") == [
        "gateways.a imports hypothesis",
        "deploy.b imports yaml",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from datetime import datetime\ndef f(): return datetime.now(UTC)", "datetime.datetime.now"),
        ("import datetime as dt\ndef f(now=dt.datetime.utcnow): ...", "datetime.datetime.utcnow"),
        ("from datetime import date as day\nday.today()", "datetime.date.today"),
        ("import time\ntime.time()", "time.time"),
        ("from time import time as t", "time.time"),
        ("from uuid import uuid4", "uuid.uuid4"),
        ("import uuid\nmake = uuid.uuid4", "uuid.uuid4"),
        ("import random", "random"),
        ("from secrets import token_hex", "secrets.token_hex"),
        ("import os\nos.urandom(8)", "os.urandom"),
    ],
)
def test_time_and_chance_do_not_come_in_by_themselves(text: str, name: str) -> None:
    for folder in rules.PURE:
        assert broken(rules.time_and_chance_are_arguments, **{f"{folder}__a": text}) == [
            f"{folder}.a uses {name}"
        ]
    assert not broken(rules.time_and_chance_are_arguments, gateways__a=text)


def test_a_clock_that_was_handed_in_may_be_asked() -> None:
    text = "from uuid import uuid5\nfrom time import monotonic\ndef f(clock): return clock.now(), self.random"
    assert not broken(rules.time_and_chance_are_arguments, domain__a=text)


# ── Modules ───────────────────────────────────────────────────────────────────────────────────────


def test_a_module_that_only_tests_or_other_dead_modules_import_is_dead() -> None:
    assert broken(
        rules.no_module_is_dead,
        deploy="",
        deploy__cli="def main():\n    from deploy.serve import serve\n    run('-m', 'deploy.worker')",
        deploy__serve="import gateways.store",
        deploy__worker="",
        gateways="",
        gateways__store="",
        gateways__old="import gateways.older",
        gateways__older="import gateways.old",
        tests__test_old="import gateways.old",
    ) == [
        "gateways.old is reached from no entry point",
        "gateways.older is reached from no entry point",
    ]


def test_one_read_model_does_not_lean_on_another() -> None:
    declared = "ROWS = Projection(name='x')"
    assert broken(
        rules.read_models_keep_to_themselves,
        projections__projection="class Projection: ...",
        projections__orders=f"from projections.projection import Projection\n{declared}",
        projections__ledger=f"from projections.orders import ROWS\n{declared}",
    ) == ["projections.ledger imports projections.orders"]


def test_files_and_functions_have_an_end() -> None:
    long_file = "a = 1\n\n" * 301
    long_function = "def f():\n" + "    a = 1\n" * 60
    assert broken(rules.files_and_functions_are_seen_whole, tests__a=long_file, domain__b=long_function) == [
        "tests.a has 301 lines, blank ones not counted",
        "domain.b.f has 61 lines",
    ]
    assert not broken(rules.files_and_functions_are_seen_whole, domain__a="a = 1\n\n" * 300)


def test_what_others_import_says_what_it_means() -> None:
    plain = '"""All about it."""\nclass Row:\n    a: int\ndef told():\n    return 1\n'
    engine = "class {}:\n    def run(self): ...\n"
    silent = "def {}():\n    a = 1\n    return a\n"
    assert broken(
        rules.what_others_use_says_what_it_means,
        domain__a=plain + engine.format("Engine") + silent.format("reached") + silent.format("own"),
        domain__b=plain + engine.format("One") + engine.format("Two"),
        gateways__b='"""It."""\nfrom domain.a import Engine, Row, reached, told\nfrom domain.b import Two',
        gateways__c="import domain.a",
    ) == [
        "domain.a.reached has no docstring",
        "domain.b.Two has no docstring",
        "gateways.c has no docstring",
    ]


# ── The business ──────────────────────────────────────────────────────────────────────────────────


def test_an_aggregate_is_told_in_order_and_is_on_the_list() -> None:
    rule = rules.aggregates_are_told_in_order
    assert not broken(rule, domain__thing=AGGREGATE, domain__deciders=LISTED)
    assert broken(rule, domain__thing=AGGREGATE, domain__deciders="") == [
        "domain.thing is missing in domain.deciders"
    ]
    mixed = AGGREGATE.replace("# ── States", "# ── Decide", 1)
    (said,) = broken(rule, domain__thing=mixed, domain__deciders=LISTED)
    assert said.startswith("domain.thing has the headings ['Commands', 'Events', 'Decide'")


def test_an_event_that_its_decider_forgot_is_seen() -> None:
    rule = rules.every_event_is_in_its_decider
    assert not broken(rule, domain__thing=AGGREGATE)
    assert broken(rule, domain__thing=AGGREGATE.replace("ThingMade | ThingLost", "ThingMade")) == [
        "domain.thing: ThingLost is not both defined as an event and part of Event"
    ]
    assert broken(rule, domain__thing=AGGREGATE.replace("(ThingMade, ThingLost)", "(ThingMade,)")) == [
        "domain.thing: ThingLost is not both defined as an event and listed in the decider"
    ]


@pytest.mark.parametrize(
    "again",
    ["timedelta(minutes=15)", "timedelta(seconds=900)", "timedelta(hours=0.25)", "15 * 60", "60 * 15", "900"],
)
def test_the_hold_is_said_once(again: str) -> None:
    rule = rules.the_hold_is_fifteen_minutes_in_one_place
    assert not broken(rule, processmanager__a=HOLD, deploy__b="POLL = timedelta(seconds=15)\nA = 90 * 60")
    assert broken(rule, processmanager__a=HOLD, deploy__b=f"LIMIT = {again}") == [
        "the length of a hold is said 2 times: processmanager.a:2, deploy.b:1"
    ]
    assert broken(rule, processmanager__a="") == ["the length of a hold is said 0 times: "]


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "line",
    [
        "".join(["https://py", "pi.org/simple"]),
        "".join(["https://files.python", "hosted.org/packages/x.whl"]),
        "/".join(["", "home", "me", "admitone"]),
        "/".join(["", "Users", "me", "admitone"]),
        "/".join(["cd ", "work", "main"]),
    ],
)
def test_an_index_or_a_machine_is_seen_in_any_file(line: str) -> None:
    rule = rules.no_file_names_an_index_or_a_machine
    assert list(rule([("README.md", f"fine\n{line}")])) == [f"README.md:2: {line}"]


def test_a_lock_file_names_no_index_of_any_kind() -> None:
    line = "--index-url https://mirror.example/simple"
    rule = rules.no_file_names_an_index_or_a_machine
    assert list(rule([("requirements.lock", line)])) == [f"requirements.lock:1: {line}"]
    assert not list(rule([("Makefile", "uv pip compile --no-emit-index-url")]))
