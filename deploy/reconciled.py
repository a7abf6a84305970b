"""What a reconciliation found: kept in a file, for whoever asks later."""

import os
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from projections.differences import Difference

KEPT = 1_000
"""Differences that are written out in a report; the rest is counted."""


class Report(Struct, frozen=True):
    """What a reconciliation found.

    at: when it began. since: from when on the provider's books were read; None for all of them.
    lines: what they held. payments: how many are in the log. found: how many differences.
    unread: streams that could not be read, of which nothing is said. trouble: why it was broken off.
    """

    at: datetime
    since: datetime | None = None
    lines: int = 0
    payments: int = 0
    found: int = 0
    differences: tuple[Difference, ...] = ()
    unread: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def well(self) -> bool:
        return not (self.found or self.unread or self.trouble)

    def said(self) -> str:
        """In one line."""
        trouble = f"; the provider's books could not be read: {self.trouble}" if self.trouble else ""
        many = "nothing differs" if not self.found else f"{self.found:,} differ"
        unread = f"; {len(self.unread)} streams could not be read" if self.unread else ""
        return f"{self.payments:,} payments, {self.lines:,} lines of the provider: {many}{unread}{trouble}"


def write_report(place: Path, report: Report) -> None:
    """Leave ``report`` at ``place``, whole or not at all."""
    beside = place.with_name(f"{place.name}.{os.getpid()}")
    beside.write_bytes(msgspec.json.encode(report))
    beside.replace(place)


def read_report(place: Path) -> Report | None:
    """The last report; None if there is none that this version reads."""
    try:
        return msgspec.json.decode(place.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return None


class LastReport:
    """The last report for who is asked again and again: read when it has changed."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._seen = 0
        self._said: str | None = None

    def check(self) -> str | None:
        """None while nothing differs, or nothing was reconciled yet; else one line."""
        try:
            changed = self._place.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        if changed != self._seen:
            report = read_report(self._place)
            well = report is None or report.well
            self._said = None if well or report is None else f"{report.said()}; see admitone reconcile --last"
            self._seen = changed
        return self._said
