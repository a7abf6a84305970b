"""Ways to damage a log's file: by accident, byte by byte, and by somebody who knows how it is made.

Each takes the file and a source of chance, and does one thing to it. ``FORGED`` know the chain and the
checksums and make both anew, so that only what stands elsewhere can give them away.
"""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from gateways.chain import LINK, NOTHING_BEFORE, carrying, chain_of, framed, parted
from gateways.embedded_recorder import INSERT, checksum
from gateways.embedded_seals import SEALS, Seal, first

Damage = Callable[[Path, random.Random], object]
Row = tuple[Any, ...]

COLUMNS = ("originator_id", "originator_version", "topic", "state", "event_id", "metadata", "checksum")


# ── Accidents: to the bytes of the file ───────────────────────────────────────────────────────────


def flip(path: Path, chance: random.Random) -> None:
    """One bit."""
    content = bytearray(path.read_bytes())
    place = chance.randrange(len(content) * 8)
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def cut(path: Path, chance: random.Random) -> None:
    """The end of the file is lost."""
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def hole(path: Path, chance: random.Random) -> None:
    """A block of the disk reads as nothing."""
    content = bytearray(path.read_bytes())
    begin = chance.randrange(0, len(content), 512)
    content[begin : begin + 512] = bytes(len(content[begin : begin + 512]))
    path.write_bytes(content)


def swap_blocks(path: Path, chance: random.Random) -> None:
    """Two blocks of the disk in each other's place."""
    content = path.read_bytes()
    blocks = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    one, other = chance.sample(range(len(blocks)), 2)
    blocks[one], blocks[other] = blocks[other], blocks[one]
    path.write_bytes(b"".join(blocks))


def insert_bytes(path: Path, chance: random.Random) -> None:
    """Something is written into the midst of the file."""
    content = path.read_bytes()
    at = chance.randrange(len(content))
    path.write_bytes(content[:at] + chance.randbytes(chance.randint(1, 5000)) + content[at:])


# ── Hands: to the rows ────────────────────────────────────────────────────────────────────────────


def flip_value(path: Path, chance: random.Random) -> None:
    """One bit of one value of one event."""
    with _opened(path) as connection:
        row, column = _any(connection, chance), chance.randrange(len(COLUMNS))
        old = row[1 + column]
        update = f"UPDATE OR IGNORE stored_events SET {COLUMNS[column]}=CAST(? AS {_type(old)}) WHERE rowid=?"
        while not connection.execute(update, (_flipped(old, chance), row[0])).rowcount:
            pass  # to a revision that is there already, which the file does not allow


def delete(path: Path, chance: random.Random) -> None:
    """An event, or some in a row, are gone."""
    with _opened(path) as connection:
        begin = _any(connection, chance)[0]
        connection.execute(
            "DELETE FROM stored_events WHERE rowid BETWEEN ? AND ?", (begin, begin + chance.randint(0, 3))
        )


def truncate(path: Path, chance: random.Random) -> None:
    """The log's end is gone, and the file says nothing of it: neither its seals nor its count."""
    with _opened(path) as connection:
        last = _any(connection, chance)[0] - 1
        connection.execute("DELETE FROM stored_events WHERE rowid > ?", (last,))
        connection.execute(f"DELETE FROM {SEALS} WHERE position > ?", (last,))
        connection.execute("UPDATE sqlite_sequence SET seq=?", (last,))


def swap(path: Path, chance: random.Random) -> None:
    """Two events in each other's place in the log."""
    with _opened(path) as connection:
        rows = _rows(connection)
        one, other = chance.sample(rows, 2)
        for here, there in ((one[0], -1), (other[0], one[0]), (-1, other[0])):
            connection.execute("UPDATE stored_events SET rowid=? WHERE rowid=?", (there, here))


def close_gap(path: Path, chance: random.Random) -> None:
    """The last event of a stream is gone, and all behind it have moved up."""
    with _opened(path) as connection:
        gone = chance.choice(_lasts(_rows(connection)))[0]
        connection.execute("DELETE FROM stored_events WHERE rowid=?", (gone,))
        connection.execute("UPDATE stored_events SET rowid=-rowid WHERE rowid>?", (gone,))
        connection.execute("UPDATE stored_events SET rowid=-rowid-1 WHERE rowid<0")
        connection.execute("UPDATE sqlite_sequence SET seq=seq-1")


def unseal(path: Path, chance: random.Random) -> None:
    """A seal is gone."""
    with _opened(path) as connection:
        seals = connection.execute(f"SELECT position FROM {SEALS}").fetchall()
        connection.execute(f"DELETE FROM {SEALS} WHERE position=?", chance.choice(seals))


# ── Forgers ───────────────────────────────────────────────────────────────────────────────────────


def add(path: Path, chance: random.Random) -> None:
    """One more event at the end, with its true chain, without a seal."""
    with _opened(path) as connection:
        last = chance.choice(_lasts(_rows(connection)))
        link = (parted(last[6])[1] or NOTHING_BEFORE)[:LINK]
        connection.execute(INSERT, _written((*last[:2], last[2] + 1, *last[3:]), link)[1:])


def rewrite(path: Path, chance: random.Random) -> None:
    """An event says something else, and all behind it in its stream are chained to that."""
    with _opened(path) as connection:
        _rewrite(connection, _any(connection, chance), chance)


def rewrite_and_seal(path: Path, chance: random.Random) -> None:
    """The same, and every seal behind it is made anew: only the head mark tells."""
    with _opened(path) as connection:
        _rewrite(connection, _any(connection, chance), chance)
        sealed = first(connection)
        assert sealed is not None
        rows = _rows(connection)
        for (position,) in connection.execute(f"SELECT position FROM {SEALS} ORDER BY position").fetchall():
            if position > sealed.position:
                chains = [parted(row[6])[1] or b"" for row in rows[sealed.position : position]]
                sealed = sealed.next(chains)
                assert sealed == Seal(position, sealed.hash)
                connection.execute(f"UPDATE {SEALS} SET hash=? WHERE position=?", (sealed.hash, position))


def unchain(path: Path, chance: random.Random) -> None:
    """An event has lost its chain."""
    with _opened(path) as connection:
        row = _any(connection, chance)
        bare = parted(row[6])[0]
        summed = checksum(row[1], row[2], row[3], row[4], row[5], bare)
        connection.execute(
            "UPDATE stored_events SET metadata=?, checksum=? WHERE rowid=?", (bare, summed, row[0])
        )


BYTES: tuple[Damage, ...] = (flip, cut, hole, swap_blocks, insert_bytes)
ROWS: tuple[Damage, ...] = (flip_value, delete, truncate, swap, close_gap, unseal)
FORGED: tuple[Damage, ...] = (add, rewrite, rewrite_and_seal, unchain)


def _rewrite(connection: sqlite3.Connection, row: Row, chance: random.Random) -> None:
    changed = (*row[:4], b'{"by":"forger-%d"}' % chance.randrange(10**6), *row[5:])
    behind = [each for each in _rows(connection) if each[1] == row[1] and each[2] >= row[2]]
    before = [each for each in _rows(connection) if each[1] == row[1] and each[2] == row[2] - 1]
    link = (parted(before[0][6])[1] or b"")[:LINK] if before else NOTHING_BEFORE
    for each in (changed, *behind[1:]):
        written = _written(each, link)
        link = (parted(written[6])[1] or b"")[:LINK]
        connection.execute(
            "UPDATE stored_events SET state=?, metadata=?, checksum=? WHERE rowid=?",
            (written[4], written[6], written[7], written[0]),
        )


def _written(row: Row, link: bytes) -> Row:
    """The row as the store itself would have written it behind ``link``."""
    position, stream, revision, type_, data, id_, metadata, _ = row
    bare = parted(metadata)[0]
    frame = framed(stream.encode(), revision, id_, type_.encode(), data)
    metadata = carrying(bare, chain_of(link, frame, bare))
    summed = checksum(stream, revision, type_, data, id_, metadata)
    return (position, stream, revision, type_, data, id_, metadata, summed)


def _opened(path: Path) -> "_Opened":
    return _Opened(path)


class _Opened:
    """A connection whose changes are in the file when it is closed."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN")
        return self._connection

    def __exit__(self, *_: object) -> None:
        with closing(self._connection):
            self._connection.execute("COMMIT")


def _rows(connection: sqlite3.Connection) -> list[Row]:
    return connection.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()


def _any(connection: sqlite3.Connection, chance: random.Random) -> Row:
    return chance.choice(_rows(connection))


def _lasts(rows: list[Row]) -> list[Row]:
    """The last event of each stream."""
    return list({row[1]: row for row in rows}.values())


def _type(value: object) -> str:
    return {str: "TEXT", int: "INTEGER"}.get(type(value), "BLOB")


def _flipped(value: Any, chance: random.Random) -> Any:
    if isinstance(value, int):
        return value ^ 1 << chance.randrange(31)
    content = bytearray(value.encode() if isinstance(value, str) else value)
    place = chance.randrange(len(content) * 8)
    content[place // 8] ^= 1 << place % 8
    return bytes(content)
