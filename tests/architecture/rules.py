"""The rules of the house. Each takes the house and says, one line each, where it is broken."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from math import prod
from typing import TypeAlias

from tests.architecture.house import PRODUCT, ROOT, House, Module

LAYERS = {
    "domain": {"domain"},
    "projections": {"projections", "domain"},
    "processmanager": {"processmanager", "domain"},
    "gateways": {"gateways", "projections", "processmanager", "domain"},
    "deploy": set(PRODUCT),
}
"""Whom a layer may import."""

PURE = ("domain", "projections", "processmanager")
CHANCE = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime"),
    *("uuid.uuid1", "uuid.uuid4", "os.urandom", "random", "secrets"),
}
"""Time and chance, which the pure layers are given as arguments."""

ENTRIES = {"deploy.cli", "deploy.notebook"}
"""What people start or import."""
LONGEST_FILE = 300
LONGEST_FUNCTION = 60
HOLD_SECONDS = 15 * 60
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}
HEADINGS = ["Commands", "Events", "States", "Decide", "Evolve", "The decider"]


def imports_point_inward(house: House) -> Iterator[str]:
    for module in house.of(*PRODUCT):
        for name in sorted(house.targets(module)):
            if name.partition(".")[0] not in LAYERS[module.folder]:
                yield f"{module.name} imports {name}"


def packages_stay_outside(house: House) -> Iterator[str]:
    outer = _declared_packages() | {"msgspec"}
    for module in house.of(*PRODUCT):
        allowed = outer if module.folder in {"gateways", "deploy"} else {"msgspec"}
        for top in sorted({name.partition(".")[0] for name in module.imported}):
            if top not in allowed and top not in sys.stdlib_module_names and top not in PRODUCT:
                yield f"{module.name} imports {top}"


def _declared_packages() -> set[str]:
    """The import names of what pyproject.toml declares for running."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = (extras[group] for group in ("eventstoredb", "stripe", "analysis", "backup"))
    wanted = [*project["dependencies"], *(line for group in optional for line in group)]
    declared = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in wanted}
    installed = packages_distributions().items()
    return declared | {top for top, dists in installed if declared & {dist.lower() for dist in dists}}


def time_and_chance_are_arguments(house: House) -> Iterator[str]:
    for module in house.of(*PURE):
        for name in sorted({*module.used, *module.imported}):
            if any(name == banned or name.startswith(f"{banned}.") for banned in CHANCE):
                yield f"{module.name} uses {name}"


def no_module_is_dead(house: House) -> Iterator[str]:
    reached, edge = set[str](), set(ENTRIES)
    while edge:
        reached |= edge
        needed = (house.targets(house.modules[name]) for name in edge if name in house.modules)
        edge = {name for names in needed for name in names} - reached
    packages = {".".join(name.split(".")[:end]) for name in reached for end in range(1, name.count(".") + 1)}
    for module in house.of(*PRODUCT):
        if module.name not in reached | packages:
            yield f"{module.name} is reached from no entry point"


def read_models_keep_to_themselves(house: House) -> Iterator[str]:
    """A service's rows are its own: a module that declares a projection imports no other that does."""
    declaring = {module.name for module in house.of("projections") if _declares(module, "Projection")}
    for name in sorted(declaring):
        for other in sorted(house.targets(house.modules[name]) & declaring):
            yield f"{name} imports {other}"


def aggregates_are_told_in_order(house: House) -> Iterator[str]:
    """Commands, events, states, decide, evolve, the decider; and every decider is on the list of all."""
    for module in house.of("domain"):
        if _declares(module, "Decider"):
            found = re.findall(r"^# ── ([\w ]+?) ─+$", module.text, re.MULTILINE)
            if found != HEADINGS:
                yield f"{module.name} has the headings {found}"
            if module.name not in house.targets(house.modules["domain.deciders"]):
                yield f"{module.name} is missing in domain.deciders"


def every_event_is_in_its_decider(house: House) -> Iterator[str]:
    for module in house.of("domain"):
        if _declares(module, "Decider"):
            defined, united, listed = _defined_events(module), _united_events(module), _listed_events(module)
            for event in sorted(defined ^ united):
                yield f"{module.name}: {event} is not both defined as an event and part of Event"
            for event in sorted(defined ^ listed):
                yield f"{module.name}: {event} is not both defined as an event and listed in the decider"


def _defined_events(module: Module) -> set[str]:
    """The classes between the headings of the events and of the states."""
    lines = module.text.splitlines()
    begin, end = (
        next((number for number, line in enumerate(lines, 1) if line.startswith(f"# ── {title}")), 0)
        for title in ("Events", "States")
    )
    classes = (node for node in module.tree.body if isinstance(node, ast.ClassDef))
    return {node.name for node in classes if begin < node.lineno < end}


def _united_events(module: Module) -> set[str]:
    for node in module.tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "Event" and node.value:
            return _names(node.value)
    return set()


def _listed_events(module: Module) -> set[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg == "events":
            return _names(node.value)
    return set()


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _declares(module: Module, kind: str) -> bool:
    """Whether a constant of the module is made by calling ``kind``."""
    constants = (node for node in module.tree.body if isinstance(node, ast.Assign | ast.AnnAssign))
    return any(isinstance(node.value, ast.Call) and kind in _names(node.value.func) for node in constants)


def files_and_functions_are_seen_whole(house: House) -> Iterator[str]:
    for module in house.modules.values():
        lines = sum(bool(line.strip()) for line in module.text.splitlines())
        if lines > LONGEST_FILE:
            yield f"{module.name} has {lines} lines, blank ones not counted"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    yield f"{module.name}.{node.name} has {lines} lines"


def what_others_use_says_what_it_means(house: House) -> Iterator[str]:
    """Every module has a docstring, and so has what other modules import from it, unless it speaks for
    itself: nothing but fields, a single statement, or the one engine that its module is about."""
    imported = {name for module in house.of(*PRODUCT) for name in module.imported}
    for module in house.of(*PRODUCT):
        if module.tree.body and not ast.get_docstring(module.tree):
            yield f"{module.name} has no docstring"
        silent = [node for node in _definitions(module) if not _speaks_for_itself(node)]
        engines = [
            node for node in silent if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
        for node in silent:
            if f"{module.name}.{node.name}" in imported and engines != [node]:
                yield f"{module.name}.{node.name} has no docstring"


Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _definitions(module: Module) -> list[Definition]:
    return [node for node in module.tree.body if isinstance(node, Definition)]


def _speaks_for_itself(node: Definition) -> bool:
    if ast.get_docstring(node):
        return True
    if isinstance(node, ast.ClassDef):
        return all(isinstance(part, ast.AnnAssign | ast.Pass) or _is_property(part) for part in node.body)
    return len(node.body) == 1


def _is_property(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and "property" in map(ast.unparse, node.decorator_list)


def the_hold_is_fifteen_minutes_in_one_place(house: House) -> Iterator[str]:
    places = {
        f"{module.name}:{node.lineno}": None
        for module in house.of(*PRODUCT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call | ast.BinOp | ast.Constant) and _seconds(node) == HOLD_SECONDS
    }
    if len(places) != 1:
        yield f"the length of a hold is said {len(places)} times: {', '.join(places)}"


def _seconds(node: ast.expr) -> float | None:
    """What a literal duration comes to: ``timedelta(minutes=15)``, ``15 * 60``, ``900``."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            factors = _seconds(left), _seconds(right)
        case ast.Call(func=ast.Name(id="timedelta"), keywords=[ast.keyword(arg=str(unit), value=value)]):
            factors = UNITS.get(unit), _seconds(value)
        case _:
            return None
    return None if None in factors else prod(filter(None, factors))


# Each word is broken, so that this file does not hold it.
FORBIDDEN = re.compile(r"pypi[.]org|pythonhosted[.]|(?<!\w)/(home|root|Users|work)[/]")


def no_file_names_an_index_or_a_machine(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    for path, text in files:
        for number, line in enumerate(text.splitlines(), 1):
            if FORBIDDEN.search(line) or (path.endswith(".lock") and re.search("index-url|find-links", line)):
                yield f"{path}:{number}: {line.strip()[:100]}"


RULES = (
    imports_point_inward,
    packages_stay_outside,
    time_and_chance_are_arguments,
    no_module_is_dead,
    read_models_keep_to_themselves,
    aggregates_are_told_in_order,
    every_event_is_in_its_decider,
    files_and_functions_are_seen_whole,
    what_others_use_says_what_it_means,
    the_hold_is_fifteen_minutes_in_one_place,
)
