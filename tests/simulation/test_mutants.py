"""Every deliberate defect is caught, and by a promise that it breaks."""

import pytest

from tests.simulation.mutant import Mutant
from tests.simulation.mutants import MUTANTS
from tests.simulation.play import play_range, quiet

ENOUGH = 10_000
"""Histories within which each defect must be found."""
RUN = 7


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_deliberate_defect_is_caught(mutant: Mutant) -> None:
    quiet()
    with mutant.made() as parts:
        played = play_range(RUN, 0, ENOUGH, parts)
    assert played.failures, f"{mutant.name}: survived {played.histories} histories"
    failure = played.failures[0]
    assert failure.invariant in mutant.caught_by, f"{mutant.name}: caught by {failure}"
