"""The whole contract checklist: every item is a test with its number in the name, and runs where it must.

B and P: on the double and on a real node, if the environment names one. C: on a cluster, real or double.
D: on the double only, for it needs a fault. T: over TLS.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

MARKS = (
    "BCDCDTT"  # 1 to 7, connecting
    "BBBBBBBBBBBB"  # 8 to 19, append, positions, metadata
    "BBBBBBBBB"  # 20 to 28, expected revision
    "BBBBBBBBBBDDDDDD"  # 29 to 44, idempotency
    "BBBBBBBBBB"  # 45 to 54, delete, tombstone, stream metadata
    "BBBBBBBBBBPB"  # 55 to 66, reading
    "BBBBBBBBDBBDDDDDBBB"  # 67 to 85, catch-up subscriptions
    "BBBBBBBBBBBBBBBBBDD"  # 86 to 104, persistent subscriptions
    "CCDD"  # 105 to 108, cluster
    "BDBD"  # 109 to 112, general
)
ON_ANY_SERVER = {
    "B": {"client", "uri", "store", "name"},
    "P": {"client", "uri"},
    "C": {"cluster_uri"},
    "T": {"secure_uri"},
}
"""The fixtures by which a test comes to the real server as well as to the double."""
TESTS = Path(__file__).parents[1]


def _numbered() -> Iterator[tuple[int, set[str]]]:
    """The items that tests have in their names, each with the test's fixtures."""
    for path in [*TESTS.glob("eventstoredb/test_*.py"), *TESTS.glob("store/test_*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]}
                if found := re.match(r"test((?:_\d+)+)_[a-z]", node.name):
                    yield from ((int(number), arguments) for number in found[1].split("_")[1:])


def test_the_checklist_has_112_items() -> None:
    assert len(MARKS) == 112


@pytest.mark.parametrize(("item", "mark"), list(enumerate(MARKS, 1)))
def test_every_item_of_the_checklist_is_tested_where_it_must_hold(item: int, mark: str) -> None:
    tests = [fixtures for number, fixtures in _numbered() if number == item]
    assert tests, f"no test has item {item} in its name"
    wanted = ON_ANY_SERVER.get(mark)
    assert wanted is None or any(fixtures & wanted for fixtures in tests), (
        f"item {item} ({mark}) is not tested on a real server, if one is named"
    )
