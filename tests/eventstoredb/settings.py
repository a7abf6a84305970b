"""What a persistent subscription was created with."""

from typing import Any

from esdbclient.protos.Grpc import persistent_pb2
from msgspec import Struct

from tests.eventstoredb.filters import Wanted, everything, wanted
from tests.eventstoredb.messages import stream_name

FROM_END = -1


class Settings(Struct, frozen=True):
    """Times are in seconds. ``stream`` None: ``$all``. ``start``: -1 is the end.

    start: a revision (inclusive), or a position in the log.
    """

    group: str
    stream: str | None
    start: int
    resolve_links: bool
    message_timeout: float
    max_retries: int
    min_checkpoint: int
    max_checkpoint: int
    checkpoint_after: float
    max_subscribers: int
    live_buffer: int
    read_batch: int
    history_buffer: int
    strategy: str
    extra_statistics: bool
    is_wanted: Wanted = everything

    @property
    def source(self) -> str:
        return "$all" if self.stream is None else self.stream

    @property
    def key(self) -> str:
        return f"{self.source}::{self.group}"


def settings(options: Any) -> Settings:
    """The settings in a Create or Update request."""
    of_stream = options.WhichOneof("stream_option") == "stream"
    given = options.settings
    return Settings(
        group=options.group_name,
        stream=stream_name(options.stream.stream_identifier) if of_stream else None,
        start=_start(options.stream if of_stream else options.all),
        resolve_links=given.resolve_links,
        message_timeout=given.message_timeout_ms / 1000,
        max_retries=given.max_retry_count,
        min_checkpoint=given.min_checkpoint_count,
        max_checkpoint=given.max_checkpoint_count,
        checkpoint_after=given.checkpoint_after_ms / 1000,
        max_subscribers=given.max_subscriber_count,
        live_buffer=given.live_buffer_size,
        read_batch=given.read_batch_size,
        history_buffer=given.history_buffer_size,
        strategy=_strategy(given),
        extra_statistics=given.extra_statistics,
        is_wanted=everything if of_stream else _filter(options.all),
    )


def _start(options: Any) -> int:
    for name in ("revision", "position"):
        if name in options.DESCRIPTOR.fields_by_name and options.HasField(name):
            return int(options.revision if name == "revision" else options.position.commit_position)
    return FROM_END if options.HasField("end") else 0


def _strategy(given: Any) -> str:
    """Create names the strategy in a string, Update by a number that knows three of the four."""
    if "consumer_strategy" in given.DESCRIPTOR.fields_by_name and given.consumer_strategy:
        return str(given.consumer_strategy)
    return str(persistent_pb2.UpdateReq.ConsumerStrategy.Name(given.named_consumer_strategy))


def _filter(options: Any) -> Wanted:
    """An update cannot name a filter, so it keeps the old one."""
    return wanted(options) if "filter" in options.DESCRIPTOR.fields_by_name else everything
