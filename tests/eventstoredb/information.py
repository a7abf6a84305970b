"""What GetInfo and List tell about a persistent subscription."""

from esdbclient.protos.Grpc import persistent_pb2

from tests.eventstoredb.consumers import Consumer
from tests.eventstoredb.group import Group
from tests.eventstoredb.log import Log
from tests.eventstoredb.record import NONE


def information(group: Group, log: Log) -> persistent_pb2.SubscriptionInfo:
    settings = group.settings
    waiting = len(group.retries) + len(group.buffer)
    return persistent_pb2.SubscriptionInfo(
        event_source=settings.source,
        group_name=settings.group,
        status="Behind, OutstandingPageRequest" if group.buffer else "Live",
        connections=[_connection(consumer) for consumer in group.consumers],
        total_items=group.feed.taken,
        last_checkpointed_event_position=_place(group, group.checkpoints.load()),
        last_known_event_position=_place(group, _last(group, log)),
        resolve_link_tos=settings.resolve_links,
        start_from=_place(group, settings.start),
        message_timeout_milliseconds=round(settings.message_timeout * 1000),
        extra_statistics=settings.extra_statistics,
        max_retry_count=settings.max_retries,
        live_buffer_size=settings.live_buffer,
        buffer_size=settings.history_buffer,
        read_batch_size=settings.read_batch,
        check_point_after_milliseconds=round(settings.checkpoint_after * 1000),
        min_check_point_count=settings.min_checkpoint,
        max_check_point_count=settings.max_checkpoint,
        read_buffer_count=len(group.buffer),
        retry_buffer_count=len(group.retries),
        total_in_flight_messages=len(group.outstanding),
        outstanding_messages_count=len(group.outstanding) + waiting,
        named_consumer_strategy=settings.strategy,
        max_subscriber_count=settings.max_subscribers,
        parked_message_count=group.parked.count,
    )


def _connection(consumer: Consumer) -> persistent_pb2.SubscriptionInfo.ConnectionInfo:
    in_flight = len(consumer.in_flight)
    return persistent_pb2.SubscriptionInfo.ConnectionInfo(
        connection_name=consumer.peer,
        in_flight_messages=in_flight,
        available_slots=consumer.size - in_flight,
    )


def _last(group: Group, log: Log) -> int | None:
    if group.settings.stream is None:
        return log.records[-1].position
    last = log.last(group.settings.stream)
    return None if last == NONE else last


def _place(group: Group, place: int | None) -> str:
    """Clients parse this: a revision, or both halves of a position."""
    if place is None:
        return ""
    return str(place) if group.settings.stream is not None else f"C:{place}/P:{place}"
