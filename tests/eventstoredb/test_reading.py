"""The checklist, 55 to 66: reads of a stream and of the whole log."""

from typing import Any

import pytest
from esdbclient import StreamState
from esdbclient.exceptions import EventStoreDBClientException, NotFound

from tests.eventstoredb.clients import connected, event, events, fresh, ids, listed, numbers, take, until
from tests.eventstoredb.cluster import Cluster

NEW, ANY = StreamState.NO_STREAM, StreamState.ANY


async def _stream_of(client: Any, count: int) -> str:
    stream = fresh()
    await client.append_to_stream(stream, current_version=NEW, events=events(count))
    return stream


async def test_55_a_missing_stream_is_missed_at_the_first_event(client: Any) -> None:
    read = await client.read_stream(fresh())
    with pytest.raises(NotFound):
        await listed(read)


@pytest.mark.parametrize(
    ("start", "backwards", "expected"),
    [
        (2, False, [2, 3, 4]),
        (2, True, [2, 1, 0]),
        (None, True, [4, 3, 2, 1, 0]),
        (None, False, [0, 1, 2, 3, 4]),
    ],
)
async def test_56_a_read_begins_with_the_event_it_names(
    client: Any, start: int | None, *, backwards: bool, expected: list[int]
) -> None:
    stream = await _stream_of(client, 5)
    assert numbers(await client.get_stream(stream, stream_position=start, backwards=backwards)) == expected


async def test_57_beyond_the_end_there_is_nothing_and_no_error(client: Any) -> None:
    stream = await _stream_of(client, 5)
    assert numbers(await client.get_stream(stream, stream_position=5)) == []
    assert numbers(await client.get_stream(stream, stream_position=100, backwards=True)) == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("limit", [1, 32, 33, 70, 100])
async def test_58_a_limit_is_exact(client: Any, limit: int) -> None:
    stream = await _stream_of(client, 70)
    assert len(await client.get_stream(stream, limit=limit)) == min(limit, 70)


async def test_58_a_limit_of_none_is_an_error(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 1)
        with pytest.raises(EventStoreDBClientException):
            await client.get_stream(stream, limit=0)


async def test_59_the_log_forwards_includes_a_position_and_backwards_does_not(client: Any) -> None:
    stream = await _stream_of(client, 3)
    one, two, _ = await client.get_stream(stream)
    forwards = await listed(await client.read_all(commit_position=two.commit_position, limit=1))
    backwards = await listed(
        await client.read_all(commit_position=two.commit_position, backwards=True, limit=1)
    )
    assert (ids(forwards), ids(backwards)) == ([two.id], [one.id])


async def test_59_a_position_between_records_is_refused(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        (one,) = await client.get_stream(await _stream_of(client, 1))
        with pytest.raises(EventStoreDBClientException):
            await listed(await client.read_all(commit_position=one.commit_position + 1))


async def test_60_a_filter_on_names_keeps_the_order_of_the_log(client: Any) -> None:
    mark = fresh("mark")
    mine = events(4)
    for number, one in enumerate(mine):
        await client.append_to_stream(f"{mark}-{number % 2}", current_version=ANY, events=[one])
        await client.append_to_stream(fresh(), current_version=ANY, events=events(1))
    read = await client.read_all(filter_include=[f"{mark}-.*"], filter_by_stream_name=True)
    assert ids(await listed(read)) == ids(mine)


async def test_61_two_types_in_one_group_let_nothing_else_through(client: Any) -> None:
    stream, before = fresh(), await client.get_commit_position()
    types = ["A", "AB", "B", "BA", "XA", "BX", "A"]
    await client.append_to_stream(stream, current_version=NEW, events=[event(type_) for type_ in types])

    async def read(*include: str) -> list[str]:
        found = await listed(await client.read_all(commit_position=before, filter_include=include))
        return [one.type for one in found if one.stream_name == stream]

    assert await read("(A|B)") == ["A", "B", "A"]
    assert await read("A", "B") == ["A", "AB", "B", "A"]  # whatever begins with A or ends with B


async def test_62_by_default_no_system_event_is_read(client: Any) -> None:
    await client.set_stream_metadata(fresh(), metadata={"a": 1})
    assert not [one.type for one in await listed(await client.read_all()) if one.type.startswith("$")]
    everything = await listed(await client.read_all(filter_exclude=[]))
    assert "$metadata" in {one.type for one in everything}
    assert "$epoch-information" not in {one.stream_name for one in everything}


async def test_63_a_link_leads_to_its_target(client: Any) -> None:
    stream, links = await _stream_of(client, 3), fresh("links")
    link = event("$>", f"2@{stream}".encode(), content_type="application/octet-stream")
    await client.append_to_stream(links, current_version=NEW, events=[link])
    (resolved,) = await client.get_stream(links, resolve_links=True)
    (plain,) = await client.get_stream(links)
    assert (resolved.stream_name, resolved.stream_position) == (stream, 2)
    assert resolved.link.id == resolved.ack_id == link.id
    assert resolved.link.commit_position == plain.commit_position > resolved.commit_position
    assert (plain.type, plain.id, plain.link) == ("$>", link.id, None)


async def test_64_a_link_to_what_is_gone_is_passed_over(client: Any) -> None:
    gone, there, links = await _stream_of(client, 1), await _stream_of(client, 1), fresh("links")
    batch = [event("$>", f"0@{stream}".encode()) for stream in (gone, there)]
    await client.append_to_stream(links, current_version=NEW, events=batch)
    await client.delete_stream(gone, current_version=ANY)
    read = await client.get_stream(links, resolve_links=True)
    assert [one.stream_name for one in read] == [there]


async def test_65_a_category_is_a_stream_of_links(client: Any) -> None:
    """A real node must run its projections: --run-projections=All --start-standard-projections=true."""
    category = "cat" + fresh().partition("-")[2]
    written = events(4)
    for number, one in enumerate(written):
        await client.append_to_stream(f"{category}-{number % 2}", current_version=ANY, events=[one])
    links = await take(await client.subscribe_to_stream(f"$ce-{category}"), 4)
    assert ids(await client.get_stream(f"$ce-{category}", resolve_links=True)) == ids(written)
    assert [one.type for one in links] == ["$>"] * 4


async def test_65_an_event_type_is_a_stream_of_links(client: Any) -> None:
    wanted = event("Sold" + fresh().partition("-")[2])
    await client.append_to_stream(fresh(), current_version=NEW, events=[event("Listed"), wanted])
    (link,) = await take(await client.subscribe_to_stream(f"$et-{wanted.type}"), 1)
    assert ids(await client.get_stream(f"$et-{wanted.type}", resolve_links=True)) == [wanted.id]
    assert link.type == "$>"


async def test_66_a_read_that_is_broken_off_leaves_nothing_open(kind: str, double: Cluster) -> None:
    async with connected(kind, double.uri()) as client:
        stream = await _stream_of(client, 500)
        read = await client.read_stream(stream)
        await take(read, 2)
        await read.stop()
        await until(lambda: not double.calls.open())
        await client.append_to_stream(stream, current_version=499, events=events(1))


async def test_66_a_read_that_is_broken_off_disturbs_nothing(client: Any) -> None:
    stream = await _stream_of(client, 500)
    read = await client.read_stream(stream)
    await take(read, 2)
    await read.stop()
    await client.append_to_stream(stream, current_version=499, events=events(1))
    assert len(await client.get_stream(stream)) == 501
