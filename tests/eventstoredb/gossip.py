"""The Gossip service: who is in the cluster, and who leads it."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from esdbclient.protos.Grpc import gossip_pb2, gossip_pb2_grpc
from msgspec import Struct

from tests.eventstoredb.answers import Endpoint
from tests.eventstoredb.calls import Call
from tests.eventstoredb.messages import uuid_message

LEADER = gossip_pb2.MemberInfo.VNodeState.Leader
FOLLOWER = gossip_pb2.MemberInfo.VNodeState.Follower
UNKNOWN = gossip_pb2.MemberInfo.VNodeState.Unknown


class Member(Struct, frozen=True):
    """One node as gossip tells of it."""

    id: UUID
    endpoint: Endpoint
    state: Any
    is_alive: bool


class Gossip(gossip_pb2_grpc.GossipServicer):
    """``members``: gives the cluster as it is seen now."""

    def __init__(self, members: Callable[[], Sequence[Member]]) -> None:
        self._members = members

    async def Read(self, _: Any, __: Call) -> gossip_pb2.ClusterInfo:
        return gossip_pb2.ClusterInfo(
            members=[
                gossip_pb2.MemberInfo(
                    instance_id=uuid_message(member.id),
                    state=member.state,
                    is_alive=member.is_alive,
                    http_end_point=gossip_pb2.EndPoint(
                        address=member.endpoint.host, port=member.endpoint.port
                    ),
                )
                for member in self._members()
            ]
        )
