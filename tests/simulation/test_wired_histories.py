"""The promises hold over EventStoreDB's protocol too: the same histories, through the real adapter.

Virtual business time, real time on the wire; and what goes wrong with the log goes wrong on the wire.
"""

import os

import pytest

from gateways import eventstoredb_follow
from gateways.eventstoredb import EventStoreDBStore
from gateways.eventstoredb_inbox import Inbox
from tests.simulation.on_double import OnDouble
from tests.simulation.play import Played, play_range, quiet
from tests.simulation.wire_weather import STRIKES

HISTORIES = int(os.environ.get("ADMITONE_SIMULATE_WIRED", "240"))
"""Each takes about a third of a second."""
SHARDS = 6
RUN = 0
ENOUGH = 60
"""Within so many histories an adapter with a defect must have been caught."""


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quiet()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_promise_holds_over_the_wire(shard: int) -> None:
    first, last = (HISTORIES * part // SHARDS for part in (shard, shard + 1))
    played = play_range(RUN, first, last - first, outside=OnDouble)
    assert not played.failures, "\n".join(map(str, played.failures))
    assert played.histories == last - first


@pytest.mark.timeout(300)
def test_everything_that_can_go_wrong_on_the_wire_does() -> None:
    """Weather that never struck proves nothing."""
    played = Played()
    while missed := STRIKES.keys() - played.paths.keys():
        assert played.histories < 400, f"never struck: {missed}"
        played.add(play_range(RUN + 1, played.histories, 10, outside=OnDouble))
        assert not played.failures, "\n".join(map(str, played.failures))


# ── What they would see ───────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(300)
def test_an_adapter_that_takes_a_lost_append_for_a_success_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def claim(self: EventStoreDBStore, *_: object) -> int:
        return self.head()

    monkeypatch.setattr(EventStoreDBStore, "_settle", claim)
    assert _fails()


@pytest.mark.timeout(300)
def test_a_follower_that_hands_on_what_it_is_told_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventstoredb_follow, "Inbox", lambda closed, _: _Credulous(closed))
    assert _fails() == "the log is told in order, each event once"


class _Credulous(Inbox):
    @property
    def _after(self) -> int:
        return -1

    @_after.setter
    def _after(self, position: int) -> None:
        """Forget it."""


def _fails() -> str:
    """The promise that is broken first."""
    played = play_range(RUN, 0, ENOUGH, outside=OnDouble)
    return played.failures[0].invariant if played.failures else ""
