"""What is kept of every stream is kept, however little of it is in memory."""

import random

import pytest

from gateways.spill import Spill


@pytest.mark.parametrize("remembered", [1, 3, 1_000])
def test_the_last_value_of_each_key_is_found_whatever_is_in_memory(remembered: int) -> None:
    chance, kept, spill = random.Random(3), dict[str, int](), Spill[int](remembered)
    for number in range(2_000):
        key = f"ticket-{chance.randrange(100)}"
        assert spill.get(key) == kept.get(key)
        spill.put(key, number)
        kept[key] = number
    assert {key: spill.get(key) for key in kept} == kept
    assert sorted(spill.items()) == sorted(kept.items())
    assert spill.get("ticket-x") is None
    spill.close()


def test_only_so_many_are_in_memory() -> None:
    spill = Spill[int](remembered=10)
    for number in range(1_000):
        spill.put(str(number), number)
    assert len(spill._young) + len(spill._old) <= 20
    assert [spill.get(str(number)) for number in range(1_000)] == [*range(1_000)]
    spill.close()
