"""The checklist, 20 to 28: what an append may expect of its stream."""

import asyncio
from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import NotFound, WrongCurrentVersion

from tests.eventstoredb.clients import event, events, fresh, ids, numbers

NEW, ANY, EXISTS = StreamState.NO_STREAM, StreamState.ANY, StreamState.EXISTS


async def _stream_of(client: Any, count: int) -> str:
    stream = fresh()
    await client.append_to_stream(stream, current_version=NEW, events=events(count))
    return stream


@pytest.mark.parametrize("expected", [1, 8, NEW], ids=["behind", "beyond", "no_stream"])
async def test_20_21_23_a_wrong_expectation_writes_nothing(client: Any, expected: Any) -> None:
    stream = await _stream_of(client, 3)
    with pytest.raises(WrongCurrentVersion):
        await client.append_to_stream(stream, current_version=expected, events=events(1))
    assert numbers(await client.get_stream(stream)) == [0, 1, 2]


async def test_22_a_revision_of_no_stream_is_wrong(client: Any) -> None:
    stream = fresh()
    with pytest.raises(WrongCurrentVersion, match="does not exist"):
        await client.append_to_stream(stream, current_version=0, events=events(1))
    with pytest.raises(NotFound):
        await client.get_stream(stream)


async def test_24_a_stream_that_should_exist_must(client: Any) -> None:
    stream = fresh()
    with pytest.raises(WrongCurrentVersion):
        await client.append_to_stream(stream, current_version=EXISTS, events=events(1))
    await client.append_to_stream(stream, current_version=NEW, events=events(1))
    await client.append_to_stream(stream, current_version=EXISTS, events=events(1))
    assert numbers(await client.get_stream(stream)) == [0, 1]


async def test_25_any_state_will_do_for_any(client: Any) -> None:
    stream = fresh()
    for _ in range(2):
        await client.append_to_stream(stream, current_version=ANY, events=events(1))
    await client.delete_stream(stream, current_version=ANY)
    await client.append_to_stream(stream, current_version=ANY, events=events(1))
    assert numbers(await client.get_stream(stream)) == [2]


async def test_26_metadata_alone_makes_a_stream_exist(client: Any) -> None:
    stream = fresh()
    await client.set_stream_metadata(stream, metadata={"owner": "me"})
    await client.append_to_stream(stream, current_version=EXISTS, events=events(1))
    assert numbers(await client.get_stream(stream)) == [0]


async def test_27_of_twenty_at_once_one_wins(client: Any) -> None:
    stream = await _stream_of(client, 1)
    outcomes = await asyncio.gather(
        *(client.append_to_stream(stream, current_version=0, events=event()) for _ in range(20)),
        return_exceptions=True,
    )
    lost = [outcome for outcome in outcomes if isinstance(outcome, WrongCurrentVersion)]
    assert len(lost) == 19
    assert numbers(await client.get_stream(stream)) == [0, 1]


async def test_28_twenty_who_read_decide_and_retry_all_get_in_once(client: Any) -> None:
    stream = await _stream_of(client, 1)
    wanted = events(20)

    async def insist(mine: Any) -> None:
        while True:
            version = await client.get_current_version(stream)
            try:
                await client.append_to_stream(stream, current_version=version, events=[mine])
            except WrongCurrentVersion:
                continue
            return

    await asyncio.gather(*(insist(mine) for mine in wanted))
    read = await client.get_stream(stream)
    assert numbers(read) == list(range(21))
    assert sorted(ids(read[1:])) == sorted(ids(wanted))
