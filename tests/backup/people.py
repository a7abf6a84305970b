"""People whose every trace can be searched for."""

import re
from pathlib import Path

from msgspec import Struct


class Canary(Struct, frozen=True):
    """Somebody with an address and a password that nobody else has any part of."""

    number: int

    @property
    def email(self) -> str:
        return f"{self.local}@{self.host}"

    @property
    def local(self) -> str:
        return f"Canary-{self.number:04d}-zwitscher"

    @property
    def host(self) -> str:
        return f"aviary{self.number:04d}.example"

    @property
    def password(self) -> str:
        return f"kanarie-{self.number:04d}"


PEOPLE = [Canary(number) for number in range(3)]
"""Three of them."""

_TRACE = re.compile(rb"canary-(\d{4})-zwitscher|aviary(\d{4})[.]example|kanarie-(\d{4})", re.IGNORECASE)
"""Any part of an address, or a password: of everybody at once, because a search for each takes minutes."""


def found(canaries: list[Canary], *places: Path) -> list[str]:
    """Where in the files below ``places`` there is a trace of anybody of ``canaries``."""
    wanted = {canary.number for canary in canaries}
    held = []
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                text = content + content.replace(b"\0", b"")  # UTF-16 too
                traces = (trace for trace in _TRACE.finditer(text) if _number(trace) in wanted)
                held += [f"{path}: {trace[0]!r}" for trace in traces]
    return held


def _number(trace: re.Match[bytes]) -> int:
    return int(next(filter(None, trace.groups())))
