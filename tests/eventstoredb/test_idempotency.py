"""The checklist, 29 to 39: an append that is repeated with the same ids."""

from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import WrongCurrentVersion

from tests.eventstoredb.clients import connected, event, events, fresh, ids
from tests.eventstoredb.cluster import Cluster

NEW, ANY = StreamState.NO_STREAM, StreamState.ANY


async def _append(client: Any, stream: str, expected: Any, *batch: Any) -> int:
    return int(await client.append_to_stream(stream, current_version=expected, events=list(batch)))


async def test_29_a_repeat_at_the_same_revision_succeeds_without_writing(client: Any) -> None:
    stream, first, second = fresh(), event(), event()
    await _append(client, stream, NEW, first)
    position = await _append(client, stream, 0, second)
    assert await _append(client, stream, 0, second) == position
    assert ids(await client.get_stream(stream)) == ids([first, second])


async def test_30_a_repeat_succeeds_even_when_others_wrote_meanwhile(client: Any) -> None:
    stream, first, second = fresh(), event(), event()
    await _append(client, stream, NEW, first)
    position = await _append(client, stream, 0, second)
    await _append(client, stream, 1, *events(10))
    assert await _append(client, stream, 0, second) == position
    assert len(await client.get_stream(stream)) == 12


async def test_31_a_repeated_beginning_succeeds_without_writing(client: Any) -> None:
    stream, first = fresh(), event()
    position = await _append(client, stream, NEW, first)
    assert await _append(client, stream, NEW, first) == position
    assert ids(await client.get_stream(stream)) == ids([first])


async def test_32_the_front_of_a_batch_is_known(client: Any) -> None:
    stream, (a, b, c) = fresh(), events(3)
    await _append(client, stream, NEW, a, b, c)
    position = await _append(client, stream, NEW, a, b)
    assert position == (await client.get_stream(stream))[1].commit_position
    assert len(await client.get_stream(stream)) == 3


async def test_33_a_batch_that_goes_on_is_not_the_same(client: Any) -> None:
    stream, (a, b, c) = fresh(), events(3)
    await _append(client, stream, NEW, a, b)
    with pytest.raises(WrongCurrentVersion):
        await _append(client, stream, NEW, a, b, c)
    assert ids(await client.get_stream(stream)) == ids([a, b])


async def test_34_a_batch_that_begins_otherwise_is_not_the_same(client: Any) -> None:
    stream, (a, b, x) = fresh(), events(3)
    await _append(client, stream, NEW, a, b)
    with pytest.raises(WrongCurrentVersion):
        await _append(client, stream, NEW, x, b)


async def test_35_any_is_idempotent_while_the_ids_are_remembered(client: Any) -> None:
    stream, (a, b) = fresh(), events(2)
    position = await _append(client, stream, ANY, a, b)
    assert await _append(client, stream, ANY, a, b) == position
    assert ids(await client.get_stream(stream)) == ids([a, b])


async def test_36_any_looks_no_further_than_the_first_unknown_id(client: Any) -> None:
    stream, (a, b, c) = fresh(), events(3)
    await _append(client, stream, ANY, a, b)
    with pytest.raises(WrongCurrentVersion):
        await _append(client, stream, ANY, a, c)
    await _append(client, stream, ANY, c, a)
    assert ids(await client.get_stream(stream)) == ids([a, b, c, a])


async def test_37_an_id_may_be_in_two_streams(client: Any) -> None:
    here, there, a = fresh(), fresh(), event()
    for stream in (here, there):
        await _append(client, stream, ANY, a)
        assert ids(await client.get_stream(stream)) == [a.id]


async def test_38_at_the_right_revision_ids_are_not_looked_at(client: Any) -> None:
    stream, a = fresh(), event()
    await _append(client, stream, NEW, a)
    await _append(client, stream, 0, a)
    assert ids(await client.get_stream(stream)) == [a.id, a.id]


async def test_39_without_its_memory_of_ids_only_revisions_are_safe(kind: str, double: Cluster) -> None:
    stream, exact, (a, b) = fresh(), fresh(), events(2)
    async with connected(kind, double.uri()) as client:
        await _append(client, stream, ANY, a)
        await _append(client, exact, NEW, b)
        await double.restart(forget_ids=True)
        await _append(client, stream, ANY, a)
        await _append(client, exact, NEW, b)
        assert ids(await client.get_stream(stream)) == [a.id, a.id]
        assert ids(await client.get_stream(exact)) == [b.id]


async def test_39_with_its_memory_of_ids_any_is_safe_too(kind: str, double: Cluster) -> None:
    stream, a = fresh(), event()
    async with connected(kind, double.uri()) as client:
        await _append(client, stream, ANY, a)
        await double.restart()
        await _append(client, stream, ANY, a)
        assert ids(await client.get_stream(stream)) == [a.id]


async def test_a_repeat_whose_event_is_hidden_has_no_position(client: Any) -> None:
    stream, batch = fresh(), events(4)
    await _append(client, stream, NEW, *batch)
    await client.set_stream_metadata(stream, metadata={"$tb": 3})
    assert await _append(client, stream, NEW, batch[0]) == 0
