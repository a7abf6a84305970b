"""Proof that events of the log's file are what was written, where it was written.

Each row is held against its checksum, each event against its chain and the event before it in its stream,
the positions against having no gap, and the order of all of them against the seals.
"""

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any
from zlib import crc32

from gateways.chain import confirmed
from gateways.chain_proof import Chains, Flawed
from gateways.embedded_recorder import TABLE, intact
from gateways.embedded_seals import Seal, seals_behind

PAGE = 2_000
"""Events that are read at once."""

_LOG = f"""SELECT rowid, originator_id, originator_version, topic, state, event_id, metadata, checksum
    FROM {TABLE} WHERE rowid>? AND rowid<=? ORDER BY rowid LIMIT {PAGE}"""  # noqa: S608 - constants only
_BEFORE = f"""SELECT metadata FROM {TABLE}
    WHERE originator_id=? AND originator_version=? AND rowid<?"""  # noqa: S608 - constants only

_OF_ANOTHER_TYPE = (TypeError, AttributeError, ValueError, OverflowError)
"""What Python says of values of types that no event has."""


class Proof:
    """Goes through the log in its order. position: up to where all is well. seal: the last one passed."""

    def __init__(self, connection: sqlite3.Connection, after: int, seal: Seal | None) -> None:
        """after: the position to begin behind. seal: the one to go on from, at ``after`` or behind it; None
        to begin with the first one that there is."""
        self._connection = connection
        self.position = after
        self.seal = seal
        self.chains = Chains()
        self._seals = seals_behind(connection, seal)
        self._next = next(self._seals, None)
        if self._next is not None and self._next.position <= after:
            self._pass()
        self._unsealed: list[bytes] = []

    def run(self, until: int) -> Iterator[int]:
        """Go on up to the position ``until``, the log's last; says now and then how far it is.

        Raises Flawed, sqlite3.Error.
        """
        while self.position < until:
            before = self.position
            with closing(self._page(until)) as rows:
                self._take_all(rows)
            if self.position == before:
                raise Flawed(_missing(self.position + 1, until))
            yield self.position
        if self._unsealed and self._next is not None:
            raise Flawed(_missing(until + 1, self._next.position))
        if self._unsealed:
            first = self.position - len(self._unsealed) + 1
            raise Flawed(f"what stands from position {first} on was put in: it was never sealed")

    def _page(self, until: int) -> Generator[tuple[Any, ...], None, None]:
        try:
            yield from self._connection.execute(_LOG, (self.position, until))
        except sqlite3.OperationalError as error:
            if "decode to UTF-8" not in str(error):
                raise
        else:
            return
        # A flipped bit in a text. Read it anyhow: the checksum will tell which event it is.
        self._connection.text_factory = lambda text: text.decode(errors="replace")
        try:
            yield from self._connection.execute(_LOG, (self.position, until))
        finally:
            self._connection.text_factory = str

    def _take_all(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """As ``_take`` for each; what is usual is written out here, since this runs for every event of a log.

        Row by row, so that a page leaves no garbage: collecting it would cost a fifth of the time.
        """
        chains = self.chains
        for row in rows:
            position, stream, revision, type_, data, id_, metadata, summed = row
            chain = None
            try:
                name, kind, link = stream.encode(), type_.encode(), chains.link(stream, revision)
                if (
                    link is not None
                    and position == self.position + 1
                    and crc32(b"".join((name, kind, data, id_, metadata)), revision) == summed
                ):
                    chain = confirmed(link, name, revision, id_, kind, data, metadata)
            except _OF_ANOTHER_TYPE:
                chain = None
            if chain is None:
                self._take(row)
            else:
                chains.go_on(stream, revision, chain)
                self._passed(position, chain)

    def _take(self, row: tuple[Any, ...]) -> None:
        position, stream, revision, type_, data, id_, metadata, summed = row
        if position != self.position + 1:
            raise Flawed(_missing(self.position + 1, position - 1))
        if not intact(stream, revision, type_, data, id_, metadata, summed) or revision < 0:
            raise Flawed(
                f"the event at position {position} was altered: its checksum does not match "
                f"(it reads as {stream} revision {revision})"
            )
        if self.chains.lacks(stream, revision):
            found = self._connection.execute(_BEFORE, (stream, revision - 1, position)).fetchone()
            if found is not None:
                self.chains.learn(stream, revision - 1, found[0])
        self._passed(position, self.chains.take(stream, revision, position, type_, id_, data, metadata))

    def _passed(self, position: int, chain: bytes) -> None:
        self.position = position
        if self.seal is not None:
            self._unsealed.append(chain)
        if self._next is not None and position >= self._next.position:
            self._pass()

    def _pass(self) -> None:
        """The next seal stands here: it must follow from the one before it and the events in between."""
        if self.seal is not None and self.seal.next(self._unsealed) != self._next:
            first, last = self.seal.position + 1, self.position
            which = f"event at position {first} is" if first == last else f"events at {first} to {last} are"
            raise Flawed(
                f"the {which} not what was sealed there: moved, put in, or altered and given a new chain"
            )
        self.seal, self._next = self._next, next(self._seals, None)
        self._unsealed = []


def _missing(first: int, last: int) -> str:
    if first >= last:
        return f"the event at position {first} is missing"
    return f"the events at positions {first} to {last} are missing"
