"""How the projector is, as it says itself: what it writes on the board, and what others make of it."""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from projections.board import STALE, Board

BOARD = "board"
"""The board's file, beside the read models."""
PARTS = ("follower", "driver", "projections", "feed")
"""The parts of the projector that others answer for, as far as they know."""
SIGNALS = "signals"
"""One part more, where purchases are shared among processes."""

LONGEST = 800
"""Letters of one part's words: what is wrong fits on the board however it is spelt."""

Check = Callable[[], str | None]

_decode = msgspec.json.Decoder(dict[str, str]).decode


def words(checks: Mapping[str, Check]) -> bytes:
    """What is wrong with each part, to be written on the board."""
    return msgspec.json.encode(
        {name: wrong[:LONGEST] for name, check in checks.items() if (wrong := check())}
    )


class Hearsay:
    """What a process that only reads can say of the projector."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def checks(self, *, shares: bool = False) -> Mapping[str, Check]:
        """One for each of PARTS. shares: whether purchases are shared among processes."""
        return {name: partial(self._look, name) for name in (*PARTS, *([SIGNALS] if shares else []))}

    def _look(self, name: str) -> str | None:
        silence = self._board.silence()
        if silence is None:
            return "the projector has not been heard of"
        if silence > STALE:
            return f"the projector has not been heard of for {silence:.0f} s"
        return _decode(self._board.said()).get(name)
