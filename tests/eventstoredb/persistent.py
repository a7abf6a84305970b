"""The PersistentSubscriptions service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from esdbclient.protos.Grpc import persistent_pb2, persistent_pb2_grpc

from tests.eventstoredb.answers import Failure, group_full
from tests.eventstoredb.calls import Call
from tests.eventstoredb.consumers import Consumer
from tests.eventstoredb.group import Group
from tests.eventstoredb.groups import Groups
from tests.eventstoredb.information import information
from tests.eventstoredb.log import Log
from tests.eventstoredb.messages import delivered_event, stream_name, uuid
from tests.eventstoredb.settings import settings

_ACTIONS = persistent_pb2.ReadReq.Nack.Action


class PersistentSubscriptions(persistent_pb2_grpc.PersistentSubscriptionsServicer):
    """One node's service over the groups that all nodes share."""

    def __init__(self, log: Log, groups: Groups) -> None:
        self._log = log
        self._groups = groups

    async def Create(self, request: persistent_pb2.CreateReq, _: Call) -> persistent_pb2.CreateResp:
        self._groups.create(settings(request.options))
        return persistent_pb2.CreateResp()

    async def Update(self, request: persistent_pb2.UpdateReq, _: Call) -> persistent_pb2.UpdateResp:
        self._groups.update(settings(request.options))
        return persistent_pb2.UpdateResp()

    async def Delete(self, request: persistent_pb2.DeleteReq, _: Call) -> persistent_pb2.DeleteResp:
        self._groups.delete(_source(request.options), request.options.group_name)
        return persistent_pb2.DeleteResp()

    async def GetInfo(self, request: persistent_pb2.GetInfoReq, _: Call) -> persistent_pb2.GetInfoResp:
        group = self._group(request.options)
        return persistent_pb2.GetInfoResp(subscription_info=information(group, self._log))

    async def List(self, request: persistent_pb2.ListReq, _: Call) -> persistent_pb2.ListResp:
        found = list(self._groups)
        if request.options.WhichOneof("list_option") == "list_for_stream":
            of = request.options.list_for_stream
            source = "$all" if of.WhichOneof("stream_option") == "all" else stream_name(of.stream)
            found = [group for group in found if group.settings.source == source]
        if not found:
            raise Failure("NOT_FOUND", "No persistent subscriptions were found.")
        return persistent_pb2.ListResp(subscriptions=[information(group, self._log) for group in found])

    async def ReplayParked(
        self, request: persistent_pb2.ReplayParkedReq, _: Call
    ) -> persistent_pb2.ReplayParkedResp:
        options = request.options
        limited = options.WhichOneof("stop_at_option") == "stop_at"
        self._group(options).replay(options.stop_at if limited else None)
        return persistent_pb2.ReplayParkedResp()

    async def Read(
        self, requests: AsyncIterator[persistent_pb2.ReadReq], _: Call
    ) -> AsyncIterator[persistent_pb2.ReadResp]:
        options = (await anext(requests)).options
        group = self._group(options)
        if group.is_full:
            raise group_full(group.settings.source, group.settings.group)
        consumer = Consumer(options.buffer_size, str(uuid4()))
        confirmation = persistent_pb2.ReadResp.SubscriptionConfirmation(subscription_id=group.settings.key)
        yield persistent_pb2.ReadResp(subscription_confirmation=confirmation)
        answers = asyncio.create_task(_heed(requests, group))
        group.connect(consumer)
        try:
            while True:
                item = await consumer.outbox.get()
                if isinstance(item, Failure):
                    raise item
                yield delivered_event(item.resolved, item.retries)
        finally:
            answers.cancel()
            group.disconnect(consumer)

    def _group(self, options: Any) -> Group:
        return self._groups.get(_source(options), options.group_name)


async def _heed(requests: AsyncIterator[persistent_pb2.ReadReq], group: Group) -> None:
    """Take in what a reader says. The group is known from the call: one client leaves ``id`` empty."""
    async for request in requests:
        if request.HasField("ack"):
            group.ack([uuid(id_) for id_ in request.ack.ids])
        elif request.HasField("nack"):
            nack = request.nack
            group.nack([uuid(id_) for id_ in nack.ids], _ACTIONS.Name(nack.action), nack.reason)


def _source(options: Any) -> str:
    return "$all" if options.HasField("all") else stream_name(options.stream_identifier)
