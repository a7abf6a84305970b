"""The checklist, 45 to 54: deletion, tombstones, stream metadata."""

from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import FailedPrecondition, NotFound, StreamIsDeleted, WrongCurrentVersion

from tests.eventstoredb.clients import event, events, fresh, ids, listed, numbers, take

NEW, ANY, EXISTS = StreamState.NO_STREAM, StreamState.ANY, StreamState.EXISTS


async def _stream_of(client: Any, count: int) -> str:
    stream = fresh()
    await client.append_to_stream(stream, current_version=NEW, events=events(count))
    return stream


async def test_45_a_deleted_stream_is_gone_but_its_events_stay_in_the_log(client: Any) -> None:
    stream, written = fresh(), events(3)
    await client.append_to_stream(stream, current_version=NEW, events=written)
    await client.delete_stream(stream, current_version=2)
    with pytest.raises(NotFound):
        await client.get_stream(stream)
    assert await client.get_current_version(stream) is NEW
    everything = await listed(await client.read_all())
    assert [one.id for one in everything if one.stream_name == stream] == ids(written)


@pytest.mark.parametrize("expected", [NEW, ANY, 2], ids=["no_stream", "any", "exact"])
async def test_46_a_deleted_stream_goes_on_counting(client: Any, expected: Any) -> None:
    stream, late = await _stream_of(client, 3), event()
    await client.delete_stream(stream, current_version=ANY)
    await client.append_to_stream(stream, current_version=expected, events=[late])
    read = await client.get_stream(stream)
    assert (ids(read), numbers(read)) == ([late.id], [3])
    assert await client.get_current_version(stream) == 3


async def test_47_a_deleted_stream_does_not_exist(client: Any) -> None:
    stream = await _stream_of(client, 1)
    await client.delete_stream(stream, current_version=ANY)
    with pytest.raises(StreamIsDeleted):
        await client.append_to_stream(stream, current_version=EXISTS, events=events(1))
    with pytest.raises(StreamIsDeleted):
        await client.delete_stream(stream, current_version=EXISTS)
    await client.delete_stream(stream, current_version=ANY)


@pytest.mark.parametrize("expected", [ANY, EXISTS, 0], ids=["any", "exists", "exact"])
async def test_48_what_never_was_cannot_be_deleted(client: Any, expected: Any) -> None:
    with pytest.raises(NotFound):
        await client.delete_stream(fresh(), current_version=expected)


async def test_49_deletion_at_a_wrong_revision_changes_nothing(client: Any) -> None:
    stream = await _stream_of(client, 3)
    for end in (client.delete_stream, client.tombstone_stream):
        with pytest.raises(WrongCurrentVersion):
            await end(stream, current_version=1)
    assert numbers(await client.get_stream(stream)) == [0, 1, 2]


async def test_50_a_tombstone_is_for_good(client: Any) -> None:
    stream = await _stream_of(client, 2)
    await client.tombstone_stream(stream, current_version=1)
    for expected in (ANY, NEW, 1):
        with pytest.raises(StreamIsDeleted):
            await client.append_to_stream(stream, current_version=expected, events=events(1))
    with pytest.raises((StreamIsDeleted, FailedPrecondition)):  # one event alone, synchronously
        await client.append_to_stream(stream, current_version=ANY, events=event())
    for doing in (
        client.get_stream(stream),
        client.delete_stream(stream, current_version=ANY),
        client.tombstone_stream(stream, current_version=ANY),
    ):
        with pytest.raises(StreamIsDeleted):
            await doing


async def test_50_what_never_was_can_be_tombstoned(client: Any) -> None:
    stream = fresh()
    with pytest.raises(NotFound):
        await client.tombstone_stream(stream, current_version=EXISTS)
    await client.tombstone_stream(stream, current_version=NEW)
    with pytest.raises(StreamIsDeleted):
        await client.get_stream(stream)


async def test_51_a_stream_can_be_kept_short(client: Any) -> None:
    stream = await _stream_of(client, 5)
    await client.set_stream_metadata(stream, metadata={"$maxCount": 2})
    assert numbers(await client.get_stream(stream)) == [3, 4]
    assert numbers(await client.get_stream(stream, backwards=True)) == [4, 3]
    assert await client.get_current_version(stream) == 4


async def test_52_a_stream_can_be_cut_off_before_a_revision(client: Any) -> None:
    stream = await _stream_of(client, 5)
    await client.set_stream_metadata(stream, metadata={"$tb": 3})
    assert numbers(await client.get_stream(stream, stream_position=0)) == [3, 4]
    assert 1 not in numbers(await client.get_stream(stream, stream_position=1, limit=1))


async def test_53_metadata_is_what_was_set_last(client: Any) -> None:
    stream = fresh()
    assert await client.get_stream_metadata(stream) == ({}, NEW)
    await client.set_stream_metadata(stream, metadata={"a": 1})
    await client.set_stream_metadata(stream, metadata={"a": 2})
    assert await client.get_stream_metadata(stream) == ({"a": 2}, 1)


async def test_54_metadata_has_revisions_too(client: Any) -> None:
    stream = fresh()
    await client.set_stream_metadata(stream, metadata={"a": 1}, current_version=NEW)
    await client.set_stream_metadata(stream, metadata={"a": 2}, current_version=0)
    with pytest.raises(WrongCurrentVersion):
        await client.set_stream_metadata(stream, metadata={"a": 3}, current_version=0)


async def test_metadata_brings_a_deleted_stream_back_empty(client: Any) -> None:
    stream = await _stream_of(client, 3)
    await client.delete_stream(stream, current_version=ANY)
    await client.set_stream_metadata(stream, metadata={"owner": "me"})
    assert await client.get_stream_metadata(stream) == ({"owner": "me", "$tb": 3}, 2)
    await client.append_to_stream(stream, current_version=2, events=events(1))
    assert numbers(await take(await client.read_stream(stream), 1)) == [3]
