"""What a temporal projection remembers of a position is what the projection itself says there."""

import asyncio
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.parts import ORDERS_KEPT, PAST, TICKETS_KEPT
from domain.decider import AnyRecorded
from projections.catalogue import CATALOGUE
from projections.elsewhere import Away
from projections.file import MEMORY
from projections.glimpse import Glimpse
from projections.orders import ORDERS
from projections.outside import Readable, dump
from projections.past import MOST, NotThere, Past
from projections.projection import Projection
from projections.read_model import ReadModel
from projections.temporal import Kept
from tests.projections.histories import Choice, Marketplace, histories

BOTH = ((TICKETS_KEPT, CATALOGUE), (ORDERS_KEPT, ORDERS))


def fed(projection: Projection, facts: list[AnyRecorded], path: Path | str = MEMORY) -> ReadModel:
    model = ReadModel(projection, path)
    model.feed(facts)
    assert model.held == ()
    return model


def rows(model: Readable, kept: Kept, condition: str) -> list[tuple[object, ...]]:
    return sorted(model.rows(f"SELECT * FROM {kept.table} WHERE {condition}"), key=repr)


@settings(deadline=None, max_examples=50)
@given(histories, st.data())
def test_a_list_as_of_any_position_has_the_rows_that_it_had_there(
    choices: list[Choice], data: st.DataObject
) -> None:
    log = Marketplace().play(choices)
    with TemporaryDirectory() as place:
        path = Path(place) / "past"
        fed(PAST, log, path).close()
        keeper = ReadModel(PAST, path)
        for kept, projection in BOTH:
            glimpse = Glimpse(PAST, kept, path)
            alone = Glimpse(PAST, kept, path)
            for position in data.draw(st.lists(st.integers(0, len(log)), min_size=1, max_size=5)):
                then = fed(projection, log[:position])
                glimpse.move(position)
                assert rows(glimpse, kept, "1") == rows(then, kept, kept.whole)
                if projection is CATALOGUE:
                    assert glimpse.rows("SELECT * FROM for_sale") == then.rows("SELECT * FROM for_sale")
                for owner in ("s0", "s1", "b0", "b1"):
                    alone.fill(position, owner)
                    assert rows(alone, kept, "1") == rows(then, kept, f"{kept.owner} = '{owner}'")
                then.close()
            glimpse.close()
            alone.close()
        keeper.close()


@settings(deadline=None, max_examples=50)
@given(histories)
def test_the_past_is_remembered_alike_in_one_go_bit_by_bit_and_without_upkeep(choices: list[Choice]) -> None:
    log = Marketplace().play(choices)
    at_once, bit_by_bit, behind = fed(PAST, log), ReadModel(PAST, MEMORY), ReadModel(PAST, MEMORY)
    for fact in log:
        bit_by_bit.feed([fact])
    behind.leave_upkeep()
    behind.feed(log)
    behind.resume_upkeep()
    assert dump(at_once) == dump(bit_by_bit) == dump(behind)
    names = "SELECT name FROM sqlite_master ORDER BY name"
    assert at_once.rows(names) == behind.rows(names)


def test_a_far_position_is_filled_anew_and_a_near_one_moved_to_with_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Marketplace().play([(n % 13, n * 7 % 999) for n in range(400)])
    fed(PAST, log, tmp_path / "past").close()
    keeper = ReadModel(PAST, tmp_path / "past")
    near, far = Glimpse(PAST, TICKETS_KEPT, tmp_path / "past"), Glimpse(PAST, TICKETS_KEPT, tmp_path / "past")
    filled: list[int] = []
    monkeypatch.setattr(far, "_is_far", lambda *at: not filled.append(at[0]))  # type: ignore[func-returns-value]
    for position in (len(log), 3, len(log) // 2, len(log) // 2 + 1):
        near.move(position)
        far.move(position)
        assert rows(near, TICKETS_KEPT, "1") == rows(far, TICKETS_KEPT, "1")
    assert len(filled) == 3
    for each in (near, far, keeper):
        each.close()


# ── Asked by many ─────────────────────────────────────────────────────────────────────────────────


async def beyond(_: int) -> bool:
    return False


async def test_nothing_was_recorded_before_the_log_began(tmp_path: Path) -> None:
    log = Marketplace().play([(0, n) for n in range(3)])
    empty, keeper = fed(PAST, [], tmp_path / "empty"), fed(PAST, log, tmp_path / "past")
    for path, at in ((tmp_path / "empty", log[-1].metadata.at), (tmp_path / "past", log[0].metadata.at.min)):
        past = Past(PAST, path, beyond)
        with pytest.raises(NotThere):
            await past.position_at(at.replace(tzinfo=log[0].metadata.at.tzinfo))
        past.close()
    empty.close()
    keeper.close()


async def test_what_has_not_been_remembered_in_time_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.past.PATIENCE", 0.05)
    log = Marketplace().play([(0, n) for n in range(3)])
    keeper = fed(PAST, log[:2], tmp_path / "past")

    async def one_more(position: int) -> bool:
        return position <= len(log)

    past = Past(PAST, tmp_path / "past", one_more)
    with pytest.raises(Away):
        await past.position_at(log[-1].metadata.at)
    with pytest.raises(Away):
        async with past.whole(TICKETS_KEPT, 3):
            pass
    assert await past.position_at(log[0].metadata.at) == 1
    keeper.feed(log)
    assert await past.position_at(log[-1].metadata.at) == 3
    past.close()
    keeper.close()


async def test_who_gives_up_leaves_the_list_to_the_next_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Marketplace().play([(n % 13, n) for n in range(200)])
    keeper = fed(PAST, log, tmp_path / "past")
    past = Past(PAST, tmp_path / "past", beyond)
    begun, go_on = asyncio.Event(), threading.Event()
    loop, move = asyncio.get_running_loop(), Glimpse.move

    def slowly(glimpse: Glimpse, position: int) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        move(glimpse, position)

    monkeypatch.setattr(Glimpse, "move", slowly)

    async def look(position: int) -> list[tuple[object, ...]]:
        async with past.whole(TICKETS_KEPT, position) as model:
            return rows(model, TICKETS_KEPT, "1")

    half = len(log) // 2
    first = asyncio.create_task(look(len(log)))
    await begun.wait()
    second = asyncio.create_task(look(half))
    first.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == rows(fed(CATALOGUE, log[:half]), TICKETS_KEPT, TICKETS_KEPT.whole)
    past.close()
    keeper.close()


async def test_more_askers_than_there_is_room_for_are_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Marketplace().play([(0, n) for n in range(3)])
    keeper = fed(PAST, log, tmp_path / "past")
    past = Past(PAST, tmp_path / "past", beyond)
    go_on, move = threading.Event(), Glimpse.move

    def slowly(glimpse: Glimpse, position: int) -> None:
        go_on.wait(10)
        move(glimpse, position)

    monkeypatch.setattr(Glimpse, "move", slowly)

    async def look() -> bool:
        try:
            async with past.whole(TICKETS_KEPT, 3):
                return True
        except Away:
            return False

    asking = [asyncio.create_task(look()) for _ in range(MOST + 3)]
    await asyncio.wait(asking[MOST:])
    go_on.set()
    assert [await each for each in asking] == [True] * MOST + [False] * 3
    past.close()
    keeper.close()
