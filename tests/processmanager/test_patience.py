"""How long the watchdog leaves a purchase alone."""

from datetime import timedelta

from processmanager.patience import Patience
from tests.processmanager.house import START


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_each_failure_is_waited_out_longer_and_after_the_last_it_is_enough() -> None:
    patience, now = Patience(), START
    waits = []
    while (tries := patience.failed("o1", now)) is None:
        waited = 0
        while patience.left_alone("o1", now):
            now, waited = now + after(1), waited + 1
        waits.append(waited)
    assert (waits, tries) == ([5, 10, 20, 40, 80], 6)
    assert not patience.left_alone("o1", now)


def test_a_failing_purchase_is_not_left_alone_beyond_the_end_of_its_hold() -> None:
    patience, ends = Patience(), START + after(3)
    assert patience.failed("o1", START, ends) is None
    assert patience.left_alone("o1", START + after(2.999))
    assert not patience.left_alone("o1", ends)
    assert patience.failed("o1", ends, ends) is None
    assert patience.left_alone("o1", ends + after(9.999)), "a hold that has ended presses no more"


def test_a_purchase_that_moved_has_all_its_tries_again() -> None:
    patience = Patience()
    for _ in range(5):
        assert patience.failed("o1", START) is None
    patience.rest("o1", START, START)
    for _ in range(5):
        assert patience.failed("o1", START) is None
    assert patience.failed("o1", START) == 6


def test_one_failing_purchase_says_nothing_about_another() -> None:
    patience = Patience()
    patience.failed("o1", START)
    assert patience.left_alone("o1", START)
    assert not patience.left_alone("o2", START)


def test_memory_is_bounded_and_forgets_first_what_is_over() -> None:
    patience = Patience(capacity=3)
    for number in range(3):
        patience.rest(f"o{number}", START + after(10), START)
    patience.rest("o3", START + after(10), START)
    assert not patience.left_alone("o3", START), "no room: looked at too often rather than never"
    patience.rest("o4", START + after(30), START + after(10))
    assert patience.left_alone("o4", START + after(10))
    assert not patience.left_alone("o0", START + after(10))
