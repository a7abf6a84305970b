"""The promises hold in every history, and the histories go everywhere."""

import os
import subprocess
import sys

import pytest

from tests.simulation.paths import EXPECTED
from tests.simulation.play import Played, play, play_range, quiet

HISTORIES = int(os.environ.get("ADMITONE_SIMULATE_HISTORIES", "20000"))
SHARDS = 16
"""So many tests, for as many cores."""
RUN = 0
OFTEN = 10
ENOUGH = 6_000
"""Within so many histories every named path must have been walked ``OFTEN`` times."""


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quiet()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_promise_holds_in_every_history(shard: int) -> None:
    first, last = (HISTORIES * part // SHARDS for part in (shard, shard + 1))
    played = play_range(RUN, first, last - first)
    assert not played.failures, _told(played)
    assert played.histories == last - first


@pytest.mark.timeout(300)
def test_the_histories_walk_every_path() -> None:
    """A simulation that never met a late success proves nothing about refunds."""
    played = Played()
    while rare := {path for path in EXPECTED if played.paths[path] < OFTEN}:
        assert played.histories < ENOUGH, f"too rare to prove anything: {rare}"
        played.add(play_range(RUN + 1, played.histories, 250))
        assert not played.failures, _told(played)


def test_a_seed_tells_the_same_story_again() -> None:
    first, second = list[str](), list[str]()
    play("0/1", story=first)
    play_range(RUN, 2, 10)
    play("0/1", story=second)
    assert len(first) > 20
    assert first == second


def test_a_failure_can_be_replayed_by_one_command_on_any_machine() -> None:
    """Nothing hangs on the order of a set: other hash seeds tell the same story."""
    stories = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--replay", "0/7"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(stories) == 1
    assert "history 0/7 keeps every promise" in stories.pop()


def _told(played: Played) -> str:
    return "\n".join(map(str, played.failures))
