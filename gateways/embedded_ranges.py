"""A long log proved in ranges, each on its own, so that every core has one.

A range begins behind a seal and ends at one. Whoever proves it takes the seal that it begins behind as given:
the range before proves just that one, and it is handed to both. Of a stream that began before, the link is
read from the log, as it is of one that was not met for long; the event that carries it is proved where it
stands. So what holds for every range holds for the whole log.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from msgspec import DecodeError, Struct, json

from gateways.chain_proof import Flawed
from gateways.embedded_file import UNREADABLE, open_unchecked
from gateways.embedded_proof import Proof
from gateways.embedded_seals import Seal, has_seals, up_to
from processmanager.ports import StoreUnavailable


class Range(Struct, frozen=True):
    """The events behind position ``after`` up to ``until``. seal: the one at ``after``; None in the first."""

    after: int
    seal: Seal | None
    until: int


class Proved(Struct, frozen=True):
    """A range that is as it was written. seal: the last in it; the rest as in Verified, of this range."""

    seal: Seal | None
    streams: int
    unchained: int


def ranges(connection: sqlite3.Connection, head: int, count: int) -> list[Range]:
    """The log up to ``head`` in at most ``count`` ranges of about one length. Raises sqlite3.Error."""
    found: list[Seal | None] = [None]
    for number in range(1, count if has_seals(connection) else 0):
        seal = up_to(connection, head * number // count)
        before = found[-1]
        if seal is not None and seal.position > (before.position if before else 0):
            found.append(seal)
    ends = [seal.position for seal in found if seal] + [head]
    return [Range(seal.position if seal else 0, seal, end) for seal, end in zip(found, ends, strict=True)]


def prove(
    connection: sqlite3.Connection, part: Range, tell: Callable[[int], None] = lambda _: None
) -> Proved:
    """tell: told up to which position all is well, now and then. Raises Flawed, sqlite3.Error."""
    proof = Proof(connection, part.after, part.seal)
    try:
        for position in proof.run(part.until):
            tell(position)
    except UNREADABLE as error:
        raise Flawed(f"what stands behind position {proof.position} cannot be read: {error}") from error
    return Proved(proof.seal, proof.chains.streams, proof.chains.unchained)


class _Outcome(Struct, frozen=True):
    """What the other process writes."""

    proved: Proved | None = None
    flaw: str | None = None


class Apart:
    """A range that is proved by a process of its own, which ends with this context."""

    def __init__(self, path: Path, part: Range) -> None:
        self._part = part
        command = [sys.executable, "-m", __name__, str(path)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        stdin = self._process.stdin
        assert stdin is not None, "it was asked for"
        with suppress(BrokenPipeError), stdin:  # ``result`` tells of one that has ended already
            stdin.write(json.encode(part))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def result(self) -> Proved:
        """Wait for it. Raises Flawed, StoreUnavailable."""
        stdout = self._process.stdout
        assert stdout is not None, "it was asked for"
        try:
            outcome = json.decode(stdout.read(), type=_Outcome)
        except DecodeError:
            outcome = _Outcome()
        if outcome.flaw is not None:
            raise Flawed(outcome.flaw)
        if outcome.proved is None:
            raise StoreUnavailable(
                f"what stands behind position {self._part.after} could not be looked at: "
                f"the process that was to ended with {self._process.wait()}. Try again"
            )
        return outcome.proved


def main() -> None:
    """Prove the range that is told on stdin, of the log that is named."""
    part = json.decode(sys.stdin.buffer.read(), type=Range)
    with closing(open_unchecked(Path(sys.argv[1]))) as connection:
        try:
            outcome = _Outcome(prove(connection, part))
        except Flawed as flaw:
            outcome = _Outcome(flaw=str(flaw))
    sys.stdout.buffer.write(json.encode(outcome))


if __name__ == "__main__":
    main()
