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

    def traces(self) -> list[bytes]:
        """Each of which would be a trace, in any spelling."""
        return [text.lower().encode() for text in (self.email, self.local, self.host, self.password)]


def found(canaries: list[Canary], *places: Path) -> list[str]:
    """Which files below ``places`` hold a trace of anybody."""
    wanted = {trace: canary for canary in canaries for trace in canary.traces()}
    pattern = re.compile(b"|".join(re.escape(trace) for trace in wanted))
    held = []
    for place in places:
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                text = content.lower() + content.replace(b"\0", b"").lower()  # UTF-16 too
                held += [f"{path}: {trace[0]!r}" for trace in [pattern.search(text)] if trace]
    return held
