"""The checklist, 8 to 19: appends, positions, metadata."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import GrpcError, MaximumAppendSizeExceededError, NotFound

from tests.eventstoredb.clients import event, events, fresh, ids, listed, numbers
from tests.eventstoredb.streams import MAX_APPEND

NEW = StreamState.NO_STREAM


async def test_08_one_event_reads_back_as_it_was_written(client: Any) -> None:
    stream, id_ = fresh(), uuid4()
    written = event("Happened", b'{"a":1}', metadata=b'{"b":2}', id=id_)
    await client.append_to_stream(stream, current_version=NEW, events=written)
    (read,) = await client.get_stream(stream)
    assert (read.stream_position, read.id, read.type) == (0, id_, "Happened")
    assert (read.data, read.metadata, read.content_type) == (b'{"a":1}', b'{"b":2}', "application/json")
    assert read.stream_name == stream


async def test_09_a_batch_follows_in_order_and_answers_with_its_last_position(client: Any) -> None:
    stream, first, batch = fresh(), events(2), events(3)
    await client.append_to_stream(stream, current_version=NEW, events=first)
    position = await client.append_to_stream(stream, current_version=1, events=batch)
    read = await client.get_stream(stream)
    assert ids(read) == ids(first + batch)
    assert numbers(read) == [0, 1, 2, 3, 4]
    assert read[-1].commit_position == position


async def test_10_a_later_append_has_a_later_position(client: Any) -> None:
    earlier = await client.append_to_stream(fresh(), current_version=NEW, events=events(1))
    later = await client.append_to_stream(fresh(), current_version=NEW, events=events(1))
    assert later > earlier


async def test_11_a_batch_stands_together_in_the_log(client: Any) -> None:
    stream, batch = fresh(), events(5)
    before = await client.append_to_stream(fresh(), current_version=NEW, events=events(1))
    await client.append_to_stream(stream, current_version=NEW, events=batch)
    read = await listed(await client.read_all(commit_position=before, filter_exclude=[r"\$.+"]))
    positions = [one.commit_position for one in read]
    assert positions == sorted(set(positions))
    assert positions == [one.prepare_position for one in read]
    start = next(index for index, one in enumerate(read) if one.stream_name == stream)
    assert ids(read[start : start + 5]) == ids(batch)


async def test_11_positions_leave_gaps(client: Any) -> None:
    stream = fresh()
    await client.append_to_stream(stream, current_version=NEW, events=events(3))
    positions = [one.commit_position for one in await client.get_stream(stream)]
    assert all(later - earlier > 1 for earlier, later in pairwise(positions))


async def test_12_there_are_two_content_types_and_no_third(client: Any) -> None:
    stream = fresh()
    kinds: list[Any] = ["application/json", "application/octet-stream", "text/plain"]
    batch = [event(content_type=kind) for kind in kinds]
    await client.append_to_stream(stream, current_version=NEW, events=batch)
    read = [one.content_type for one in await client.get_stream(stream)]
    assert read == ["application/json", "application/octet-stream", "application/octet-stream"]


async def test_13_an_event_knows_when_it_was_recorded(client: Any) -> None:
    stream = fresh()
    now = datetime.now(UTC)
    await client.append_to_stream(stream, current_version=NEW, events=events(1))
    (read,) = await client.get_stream(stream)
    assert read.recorded_at.tzinfo is not None
    assert abs(read.recorded_at - now) < timedelta(seconds=10)


async def test_14_correlation_and_causation_are_left_alone(client: Any) -> None:
    stream, metadata = fresh(), b'{ "$correlationId" : "c-1",  "$causationId":"d-2" }'
    await client.append_to_stream(stream, current_version=NEW, events=event(metadata=metadata))
    (read,) = await client.get_stream(stream)
    assert read.metadata == metadata
    assert json.loads(read.metadata)["$correlationId"] == "c-1"


async def test_15_empty_data_is_empty(client: Any) -> None:
    stream = fresh()
    await client.append_to_stream(stream, current_version=NEW, events=event(data=b""))
    (read,) = await client.get_stream(stream)
    assert read.data == b""


async def test_16_names_may_be_in_any_script(client: Any) -> None:
    stream = fresh("größe") + "-票"
    await client.append_to_stream(stream, current_version=NEW, events=event("Продано"))
    (read,) = await client.get_stream(stream)
    assert (read.stream_name, read.type) == (stream, "Продано")


async def test_17_a_batch_above_the_limit_is_refused_whole(client: Any) -> None:
    stream = fresh()
    batch = [event(data=bytes(MAX_APPEND // 2)) for _ in range(3)]
    with pytest.raises(MaximumAppendSizeExceededError):
        await client.append_to_stream(stream, current_version=NEW, events=batch)
    with pytest.raises(NotFound):
        await client.get_stream(stream)


async def test_17_one_event_above_the_limit_is_refused(client: Any) -> None:
    stream, much = fresh(), event(data=bytes(MAX_APPEND + 1))
    # The synchronous client sends a single event by another call, which says it by another error.
    with pytest.raises((MaximumAppendSizeExceededError, GrpcError)):
        await client.append_to_stream(stream, current_version=NEW, events=much)
    with pytest.raises(NotFound):
        await client.get_stream(stream)


async def test_17_a_batch_exactly_at_the_limit_is_taken(client: Any) -> None:
    # Two bytes count for each letter of the type.
    exact, above = event("T", bytes(MAX_APPEND - 2)), event("T", bytes(MAX_APPEND - 1))
    await client.append_to_stream(fresh(), current_version=NEW, events=[exact])
    with pytest.raises(MaximumAppendSizeExceededError):
        await client.append_to_stream(fresh(), current_version=NEW, events=[above])


async def test_18_many_small_events_go_in_together(client: Any) -> None:
    stream, batch = fresh(), events(500)
    await client.append_to_stream(stream, current_version=NEW, events=batch)
    assert ids(await client.get_stream(stream)) == ids(batch)


async def test_19_appending_nothing_succeeds_and_changes_nothing(client: Any) -> None:
    stream, batch = fresh(), events(2)
    await client.append_to_stream(stream, current_version=NEW, events=batch)
    await client.append_to_stream(stream, current_version=1, events=[])
    assert ids(await client.get_stream(stream)) == ids(batch)
