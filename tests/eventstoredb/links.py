"""Links: how they are resolved, and the streams of links that the system projections write."""

from collections.abc import Iterable, Sequence
from uuid import uuid4

from msgspec import Struct

from tests.eventstoredb.log import Log
from tests.eventstoredb.record import LINK, New, Record


class Resolved(Struct, frozen=True):
    """What is delivered: an event, the link that led to it, or a link that leads nowhere.

    event: None where a link's target is gone.
    """

    event: Record | None
    link: Record | None = None

    @property
    def original(self) -> Record:
        """The record that was read: the link, if there was one."""
        record = self.link or self.event
        assert record is not None
        return record


def resolve(log: Log, record: Record, *, links: bool) -> Resolved:
    """The record as a reader gets it. ``links``: whether the reader asked for links to be followed."""
    if not links or record.type != LINK:
        return Resolved(record)
    try:
        stream, revision = record.target
    except ValueError:
        return Resolved(None, record)
    return Resolved(log.event(stream, revision), record)


def link_to(record: Record, metadata: bytes = b"") -> New:
    """A link to the record; if that is a link itself, one to its target."""
    place = record.event.data if record.type == LINK else f"{record.revision}@{record.stream}".encode()
    return New(uuid4(), LINK, place, metadata)


class SystemProjections:
    """``$ce-<category>`` and ``$et-<type>``: a link for each event, written at once.

    A real server writes them some time later, so nothing may depend on finding them.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def project(self, records: Sequence[Record]) -> None:
        for record in records:
            for stream in _streams_of(record):
                self._log.write(stream, [link_to(record)])


def _streams_of(record: Record) -> Iterable[str]:
    if record.stream.startswith("$"):
        return
    category, dash, _ = record.stream.partition("-")
    if dash and category:
        yield f"$ce-{category}"
    if record.type != LINK:
        yield f"$et-{record.type}"
