"""The house keeps its rules."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture.house import House, files, the_house
from tests.architecture.rules import RULES, no_file_names_an_index_or_a_machine


@pytest.fixture(scope="module")
def house() -> House:
    return the_house()


@pytest.mark.parametrize("rule", RULES, ids=[rule.__name__ for rule in RULES])
def test_the_house_keeps_the_rule(rule: Callable[[House], Iterator[str]], house: House) -> None:
    broken = list(rule(house))
    assert not broken, "\n" + "\n".join(broken)


def test_no_kept_file_names_a_package_index_or_somebodys_machine() -> None:
    broken = list(no_file_names_an_index_or_a_machine(files()))
    assert not broken, "\n" + "\n".join(broken)
