"""A long log needs no more memory than a short one, whatever is done with all of it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks import history
from tests.analysis.frugal import peak

SHORT, LONG = 8_000, 40_000


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Data directories, by the number of events in their logs."""
    places = {events: tmp_path_factory.mktemp(f"log-of-{events}") for events in (SHORT, LONG)}
    for events, place in places.items():
        asyncio.run(history.write(place, events))
    return places


@pytest.fixture(scope="module")
def held(logs: dict[int, Path]) -> int:
    """Bytes that the events by which the long log is longer need, if they are kept."""
    return peak("hold", str(logs[LONG])) - peak("hold", str(logs[SHORT]))


def _what_if(data: Path, _: Path) -> Sequence[str]:
    return "what-if", "--hold", "600", "--holds-per-buyer", "2", "--data", str(data)


def _backup(data: Path, folder: Path) -> Sequence[str]:
    return "backup", str(folder / data.name), "--data", str(data)


@pytest.mark.parametrize("words", [_what_if, _backup])
def test_a_log_of_five_times_the_length_takes_hardly_more_memory(
    words: Callable[[Path, Path], Sequence[str]], logs: dict[int, Path], held: int, tmp_path: Path
) -> None:
    short, long = (peak(*words(logs[events], tmp_path)) for events in (SHORT, LONG))
    assert long - short < held / 5, f"{short:,} bytes became {long:,}; to keep the events takes {held:,} more"
