"""Damage done to logs at random, and logs that nothing was done to: what is found, and what is not.

By hand ``python -m tests.store.proving --damages 10000 --clean 1000 --seed 0``, or ``make prove``.
"""

import argparse
import asyncio
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.decider import NO_STREAM
from gateways.codec import StoredFact
from gateways.embedded import EmbeddedStore
from gateways.embedded_verify import verify
from processmanager.ports import StoreUnavailable
from tests.store.contract import event
from tests.store.damages import BYTES, FORGED, ROWS, Damage

Content = dict[str, list[Any]]


async def write(path: Path, chance: random.Random, most: int = 40) -> None:
    """A log as it may be: streams of any length, appends of any size, at once or not, and reopened."""
    for _ in range(chance.randint(1, 3)):
        store = await EmbeddedStore.open(path)
        try:
            for _ in range(chance.randint(1, most)):
                names = [f"parking-{chance.randrange(most)}" for _ in range(chance.choice((1, 1, 1, 8)))]
                await asyncio.gather(*[_append(store, name, chance) for name in dict.fromkeys(names)])
        finally:
            await store.close()


async def _append(store: EmbeddedStore, stream: str, chance: random.Random) -> None:
    behind = await store.read(stream)
    revision = behind[-1].revision if behind else NO_STREAM
    some = [
        event("x" * chance.randrange(300), UUID(int=chance.getrandbits(128)))
        for _ in range(1 + chance.randrange(3))
    ]
    if chance.random() < 0.1:  # by the library's own tools
        facts = [
            StoredFact(stream, revision + number, "PurchaseRetried", b'{"by":"tool"}', one.id, b"")
            for number, one in enumerate(some, 1)
        ]
        await asyncio.to_thread(store.recorder.insert_events, facts)
    else:
        await store.append(stream, some, revision)
        if chance.random() < 0.1:
            await store.append(stream, some, revision)  # a repeat


def content(path: Path) -> Content:
    """All that can be read of a log, in its order and by its streams."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()
        streams = {row[1] for row in rows}
        by_stream = "SELECT * FROM stored_events WHERE originator_id=? ORDER BY originator_version"
        return {"": rows} | {name: connection.execute(by_stream, (name,)).fetchall() for name in streams}


def found(path: Path, cut: int = 1) -> str | None:
    """What is found to be wrong with a log that is proved in so many ranges; None for nothing."""
    try:
        verify(path, lambda *_: None, cut=cut)
    except StoreUnavailable as error:
        said = str(error)
        if "\n" in said:
            raise AssertionError("more than one line") from error
        return said
    return None


class Missed(Struct, frozen=True):
    """Damage that was not found, though the log no longer reads as it was written."""

    seed: int
    damage: str


class Tally(Struct):
    """found: by kind of damage. harmless: what fell where nothing is kept, so the log reads as before."""

    found: Counter[str]
    harmless: Counter[str]
    missed: list[Missed]


def damage(directory: Path, times: int, seed: int) -> Tally:
    """Damage logs at random, ``times`` in all, and look."""
    tally = Tally(Counter(), Counter(), [])
    kinds = (*BYTES, *ROWS, *FORGED)
    sound, whole = directory / "sound", None
    for number in range(times):
        chance = random.Random(seed + number)
        if number % 200 == 0:
            shutil.rmtree(sound, ignore_errors=True)
            asyncio.run(write(sound / "log.sqlite", chance))
            whole = content(sound / "log.sqlite")
        _one(directory, sound, chance, kinds[number % len(kinds)], Missed(seed + number, ""), tally, whole)
    return tally


def _one(
    directory: Path,
    sound: Path,
    chance: random.Random,
    kind: Damage,
    missed: Missed,
    tally: Tally,
    whole: Content | None,
) -> None:
    copy = directory / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(sound, copy)
    kind(copy / "log.sqlite", chance)
    if found(copy / "log.sqlite", chance.randint(1, 4)):
        tally.found[kind.__name__] += 1
    elif content(copy / "log.sqlite") == whole and kind in BYTES:
        tally.harmless[kind.__name__] += 1
    else:
        tally.missed.append(Missed(missed.seed, kind.__name__))


def clean(directory: Path, times: int, seed: int) -> list[str]:
    """What was found to be wrong with logs that nothing was done to."""
    false = []
    for number in range(times):
        shutil.rmtree(directory / "clean", ignore_errors=True)
        path = directory / "clean" / "log.sqlite"
        asyncio.run(write(path, random.Random(seed + number), most=12))
        if wrong := found(path, 1 + number % 4):
            false.append(f"seed {seed + number}: {wrong}")
    return false


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=10_000)
    parser.add_argument("--clean", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        tally = damage(Path(place), told.damages, told.seed)
        false = clean(Path(place), told.clean, told.seed)
    for name, count in sorted((tally.found + tally.harmless).items()):
        beside = f", {tally.harmless[name]:,} fell on bytes that hold nothing" if tally.harmless[name] else ""
        print(f"{name:18} {count:7,} done, {tally.found[name]:,} found{beside}")
    print(
        f"missed: {len(tally.missed)} of {told.damages:,}; false: {len(false)} of {told.clean:,} clean logs"
    )
    for each in (*tally.missed, *false):
        print(f"  {each}")
    return 1 if tally.missed or false else 0


if __name__ == "__main__":
    sys.exit(main())
