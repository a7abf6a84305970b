"""The adapter when many commands come at once."""

import asyncio
from time import monotonic

import pytest

from domain.decider import NO_STREAM
from gateways import eventstoredb_calls
from gateways.eventstoredb_calls import AT_ONCE
from processmanager.ports import OutcomeUnknown, StoreUnavailable
from tests.eventstoredb.adapting import fact, opened, parking
from tests.eventstoredb.clients import PATIENCE
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import hold


async def test_hundreds_of_commands_at_once_share_a_connection_that_takes_a_hundred(
    double: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server says of its limit comes after the first calls, which it then refuses."""
    # On a busy machine an answer takes its time. Here only a refusal is a reason to send something again.
    monkeypatch.setattr(eventstoredb_calls, "ATTEMPT", PATIENCE)
    async with opened(double.uri(), patience=PATIENCE) as store:
        appends = (store.append(parking(), [fact()], NO_STREAM) for _ in range(500))
        assert len(set(await asyncio.gather(*appends))) == 500
        assert double.calls.count("BatchAppend") == 500, "none was refused and sent again"


async def test_commands_that_find_no_room_are_refused_in_time_and_none_of_them_was_written(
    double: Cluster,
) -> None:
    async with opened(double.uri(), patience=0.5) as store:
        double.faults.add("BatchAppend", hold(), times=None)
        began = monotonic()
        outcomes = await asyncio.gather(
            *(store.append(parking(), [fact()], NO_STREAM) for _ in range(3 * AT_ONCE)),
            return_exceptions=True,
        )
        assert monotonic() - began < PATIENCE
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds.count(OutcomeUnknown) == AT_ONCE
        assert kinds.count(StoreUnavailable) == 2 * AT_ONCE
