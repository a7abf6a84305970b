"""A read model that is read in one process and fed in another."""

import asyncio
import os
from pathlib import Path

import pytest

from domain.money import Money
from domain.ticket import TicketListed
from projections.board import STALE, Board, Writer
from projections.catalogue import CATALOGUE, Catalogue
from projections.elsewhere import Away, Elsewhere
from projections.outside import Followed
from projections.read_model import FileGone, ReadModel
from tests.projections.memory_log import MemoryLog

NAMES = ["catalogue", "orders"]


def fed(path: Path, *titles: str) -> ReadModel:
    log = MemoryLog()
    for title in titles:
        log.append(f"ticket-{title}", TicketListed("s", title, Money(100, "usd")))
    model = ReadModel(CATALOGUE, path)
    model.feed(log.events)
    return model


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "board", NAMES)


@pytest.fixture
def seen(tmp_path: Path) -> Elsewhere:
    return Elsewhere(CATALOGUE, tmp_path / "model", Board(tmp_path / "board", NAMES))


def titles(seen: Elsewhere) -> list[str]:
    return [item.title for item in Catalogue(seen).for_sale().items]


def test_it_can_be_asked_and_waited_for_like_one_that_is_fed_here(seen: Elsewhere, tmp_path: Path) -> None:
    assert isinstance(seen, Followed)
    assert isinstance(fed(tmp_path / "other"), Followed)


def test_what_is_saved_is_seen_and_what_is_not_is_not(tmp_path: Path, seen: Elsewhere) -> None:
    model = fed(tmp_path / "model", "one")
    assert titles(seen) == ["one"]
    log = MemoryLog()
    for title in ("one", "two"):
        log.append(f"ticket-{title}", TicketListed("s", title, Money(100, "usd")))
    model.stage(log.events)
    assert titles(seen) == ["one"]
    model.save()
    assert titles(seen) == ["one", "two"]
    model.close()


def test_a_file_that_was_made_anew_is_seen_and_not_the_one_that_was_deleted(
    tmp_path: Path, seen: Elsewhere
) -> None:
    with pytest.raises(Away):
        titles(seen)
    model = fed(tmp_path / "model", "old")
    assert titles(seen) == ["old"]
    for path in tmp_path.glob("model*"):
        path.unlink()
    with pytest.raises(Away):
        titles(seen)
    with pytest.raises((FileGone, OSError)):
        model.check_place()
    fed(tmp_path / "model", "new").close()
    assert titles(seen) == ["new"]
    with pytest.raises(FileGone):
        model.check_place()


def test_a_file_that_is_no_read_model_is_away_until_it_is_one(tmp_path: Path, seen: Elsewhere) -> None:
    (tmp_path / "model").write_bytes(b"this is no database" * 1000)
    with pytest.raises(Away):
        titles(seen)
    fed(tmp_path / "model", "new").close()
    assert titles(seen) == ["new"]


async def test_who_waits_is_told_soon_after_the_board_says_it(writer: Writer, seen: Elsewhere) -> None:
    assert not await seen.wait(7, 0.01)
    waiting = [asyncio.create_task(seen.wait(wanted, 5)) for wanted in (5, 6, 7, 8)]
    await asyncio.sleep(0)
    writer.show("orders", 8, 0)
    writer.show("catalogue", 7, 0)
    done, late = await asyncio.wait(waiting, timeout=0.2)
    assert {task.result() for task in done} == {True}
    assert late == {waiting[3]}
    writer.show("catalogue", 8, 0)
    assert await waiting[3]


def test_a_board_says_how_far_and_how_old_each_is_and_what_is_wrong(tmp_path: Path, writer: Writer) -> None:
    board = Board(tmp_path / "board", NAMES)
    assert (board.position("orders"), board.age("orders"), board.silence(), board.said()) == (0, 0, None, b"")
    writer.show("catalogue", 3, 0)
    writer.show("orders", 4, 90)
    writer.beat(b"a long word")
    writer.beat(b"all is well")
    assert (board.position("catalogue"), board.position("orders"), writer.shown()) == (3, 4, 3)
    assert (board.age("catalogue"), board.age("orders")) == (0, 90)
    assert board.said() == b"all is well"
    assert (board.silence() or STALE) < STALE


def test_a_board_that_is_not_there_or_of_another_version_says_nothing(tmp_path: Path) -> None:
    board = Board(tmp_path / "board", NAMES)
    assert (board.position("orders"), board.silence()) == (0, None)
    Writer(tmp_path / "board", ["others"]).show("others", 9, 0)
    assert Board(tmp_path / "board", NAMES).position("catalogue") == 0


def test_a_silent_board_is_left_for_the_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.board.LOOK_AGAIN", 0)
    Writer(tmp_path / "board", NAMES).show("orders", 4, 0)
    board = Board(tmp_path / "board", NAMES)
    assert board.position("orders") == 4
    os.unlink(tmp_path / "board")
    assert board.position("orders") == 0, "nobody says it any more"
    Writer(tmp_path / "board", NAMES).show("orders", 5, 0)
    assert board.position("orders") == 5
