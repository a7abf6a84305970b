"""The deciding clock follows the wall clock, but neither goes back nor leaps."""

import logging
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.clock import SystemClock
from tests.time.worlds import World

HOUR = 3600.0


@pytest.fixture
def world() -> World:
    return World()


def test_it_shows_the_time_of_the_machine_in_utc() -> None:
    shown = SystemClock().now()
    assert shown.tzinfo is UTC
    assert abs((datetime.now(UTC) - shown).total_seconds()) < 0.5


def test_it_goes_with_the_wall_clock(world: World) -> None:
    world.passes(90)
    assert world.seconds() == pytest.approx(90)


def test_a_wall_clock_that_is_kept_right_is_followed(world: World) -> None:
    world.set_wall(0.4)
    world.passes(10)
    assert world.seconds() == pytest.approx(10.4)


def test_a_leap_ahead_ends_no_hold_early(world: World) -> None:
    world.set_wall(HOUR)
    world.passes(59)
    assert world.seconds() == pytest.approx(59)


def test_a_leap_ahead_that_has_lasted_a_minute_is_believed(world: World) -> None:
    world.set_wall(HOUR)
    world.passes(62)
    assert world.seconds() == pytest.approx(HOUR + 62)


def test_a_glitch_passes_unnoticed(world: World) -> None:
    world.set_wall(HOUR)
    world.passes(50)
    world.set_wall(-HOUR)
    world.passes(50)
    assert world.seconds() == pytest.approx(100)
    assert world.clock.health() is None


def test_a_wall_clock_that_keeps_leaping_is_never_believed(world: World) -> None:
    for _ in range(20):
        world.set_wall(30)
        world.passes(30)
    assert world.seconds() == pytest.approx(600)


def test_a_machine_that_slept_heals_a_minute_after_it_woke(world: World) -> None:
    # While a machine is suspended its monotonic clock stands still, so it wakes to a leap.
    world.set_wall(8 * HOUR)
    assert world.seconds() == pytest.approx(0)
    world.passes(61)
    assert world.seconds() == pytest.approx(8 * HOUR + 61)


def test_a_wall_clock_set_back_holds_up_a_quarter_of_an_hour_by_less_than_two_seconds(world: World) -> None:
    world.set_wall(-600)
    world.passes(902)
    assert world.seconds() >= 900


@pytest.mark.parametrize("back", [0.5, 4.0, 600.0])
def test_after_being_set_back_the_clocks_agree_again_in_the_end(world: World, back: float) -> None:
    world.set_wall(-back)
    world.passes(back * 501 + 61, step=10)
    assert world.seconds() == pytest.approx((world.wall() / 1e9) - 1777636800, abs=0.001)


def test_a_leap_is_told_once_and_is_not_held_against_readiness_for_ever(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert world.clock.health() is None
    world.set_wall(HOUR)
    world.passes(30)
    assert "+3600.0 s" in str(world.clock.health())
    world.passes(600)
    assert world.clock.health() is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_being_set_back_is_told_once_too(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.set_wall(-600)
    world.passes(1200)
    assert world.clock.health() is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


@given(
    st.lists(
        st.tuples(
            st.floats(-2 * HOUR, 2 * HOUR), st.floats(0, 120), st.sampled_from([0.001, 0.25, 1.0, 60.0])
        ),
        min_size=5,
        max_size=30,
    )
)
def test_whatever_happens_to_the_wall_clock_time_never_goes_back(
    history: list[tuple[float, float, float]],
) -> None:
    world = World()
    shown = [world.clock.now()]
    for error, seconds, step in history:
        world.set_wall(error)
        shown.append(world.clock.now())
        world.passes(seconds, step=max(step, seconds / 50))
        shown.append(world.clock.now())
    assert all(earlier <= later for earlier, later in pairwise(shown))


@given(st.lists(st.floats(5.001, 2 * HOUR), min_size=1, max_size=10))
def test_no_leap_ahead_brings_a_deadline_forward_within_its_first_minute(leaps: list[float]) -> None:
    world = World()
    for leap in leaps:
        world.set_wall(leap)
        world.passes(50 / len(leaps))
    assert world.seconds() == pytest.approx(50)


def test_threads_that_ask_at_once_see_no_step_back() -> None:
    clock = SystemClock()
    steps_back: list[tuple[datetime, datetime]] = []
    latest = clock.now()
    lock = threading.Lock()

    def ask() -> None:
        nonlocal latest
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            with lock:
                seen = latest
            shown = clock.now()
            if shown < seen:
                steps_back.append((seen, shown))
            with lock:
                latest = max(latest, shown)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps_back == []
