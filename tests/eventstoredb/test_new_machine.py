"""A new process begins with another's read models or with none, and says how far it is."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from projections.agenda import AGENDA
from projections.file import connect
from tests.deploy.running import admitone
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.faults import hold
from tests.eventstoredb.members import PRICE, at_work, because, cards, eventually, left_lying, member
from tests.eventstoredb.processes import Machine, machine

MARK = 4711
"""Set in a file by hand: a read model that is made from the log does not have it."""


def agenda(place: Path, name: str) -> Path:
    return place / name / "read-models" / "0" / f"{AGENDA.name}.sqlite"


def orders(path: Path) -> int:
    with closing(connect(path, read_only=True)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM purchase").fetchall()
    return int(count)


def mark(path: Path) -> int:
    with closing(connect(path, read_only=True)) as connection:
        ((found,),) = connection.execute("PRAGMA user_version").fetchall()
    return int(found)


async def test_a_new_machine_begins_with_a_copy_of_what_another_goes_on_to_feed(
    double: Cluster, tmp_path: Path
) -> None:
    async with cards(tmp_path) as till, member(double.uri(), till) as one, at_work(one):
        await left_lying(one)
        async with machine(double, tmp_path, "old"):
            await eventually(lambda: orders(agenda(tmp_path, "old")) == 1, "the old one shows it")
            with closing(sqlite3.connect(agenda(tmp_path, "old"))) as connection:
                connection.execute(f"PRAGMA user_version = {MARK}")
            async with machine(double, tmp_path, "new", models_from=str(tmp_path / "old")) as new:
                assert "a read model was copied" in new.log.read_text()
                assert mark(agenda(tmp_path, "new")) == MARK
                await left_lying(one)
                await eventually(lambda: orders(agenda(tmp_path, "old")) == 2, "the old one goes on")
                await eventually(lambda: orders(agenda(tmp_path, "new")) == 2, "the new one goes on")


async def test_a_new_machine_begins_with_nothing_and_makes_its_own(double: Cluster, tmp_path: Path) -> None:
    async with cards(tmp_path) as till, member(double.uri(), till) as one:
        await one.marketplace.list_ticket("t1", "seller", "A seat", PRICE, because("list"))
        await one.marketplace.reserve("o1", "t1", "buyer", because("reserve"))
        async with machine(double, tmp_path, "new"):
            await eventually(lambda: orders(agenda(tmp_path, "new")) == 1, "it shows the log")


async def test_a_machine_that_is_behind_says_how_far_it_is(double: Cluster, tmp_path: Path) -> None:
    async with cards(tmp_path) as till, member(double.uri(), till) as one:
        await left_lying(one)
        double.faults.add("Streams/Read", hold(), times=None, subscribes=True)
        async with machine(double, tmp_path, "new") as new:
            await eventually(lambda: "catch up with the log" in said(new), "it says how far it is")
            assert "0 %" in said(new)


def said(one: Machine) -> str:
    return one.log.read_text()


async def test_where_there_is_nothing_to_begin_with_it_is_said_in_one_line(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    ended = await asyncio.to_thread(
        admitone,
        *("serve", "--port", "0", "--data", str(tmp_path / "data"), "--models-from", str(nothing)),
    )
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert f"there is no read model catalogue of this version in {nothing}/" in ended.stderr
