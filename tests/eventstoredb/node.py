"""One node: a gRPC server on a loopback port, and whom it lets in."""

from base64 import b64decode
from collections.abc import Mapping
from uuid import UUID, uuid4

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
from esdbclient.protos.Grpc.gossip_pb2_grpc import add_GossipServicer_to_server
from esdbclient.protos.Grpc.persistent_pb2_grpc import add_PersistentSubscriptionsServicer_to_server
from esdbclient.protos.Grpc.streams_pb2_grpc import add_StreamsServicer_to_server
from msgspec import Struct

from tests.eventstoredb.answers import Endpoint, access_denied, unauthenticated
from tests.eventstoredb.calls import Call
from tests.eventstoredb.certificates import Certificates
from tests.eventstoredb.gate import Gate
from tests.eventstoredb.gossip import Gossip
from tests.eventstoredb.persistent import PersistentSubscriptions
from tests.eventstoredb.streams import Streams

HOST = "127.0.0.1"
_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # As Kestrel does, let clients ping as often as they like.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 100),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
)


class Services(Struct, frozen=True):
    """What a node offers."""

    streams: Streams
    persistent: PersistentSubscriptions
    gossip: Gossip
    gate: Gate


class Node:
    """A node that can be stopped and started again on its port. ``port`` 0: any free one."""

    def __init__(self, services: Services, port: int, certificates: Certificates | None) -> None:
        self.id: UUID = uuid4()
        self.endpoint = Endpoint(HOST, port)
        self.ready = True
        """False: it answers every call with ``Server Is Not Ready``."""
        self._services = services
        self._certificates = certificates
        self._server: grpc.aio.Server | None = None

    @property
    def is_running(self) -> bool:
        return self._server is not None

    @property
    def address(self) -> str:
        return f"{self.endpoint.host}:{self.endpoint.port}"

    async def start(self) -> None:
        services = self._services
        server = grpc.aio.server(options=_OPTIONS, interceptors=[services.gate])
        add_StreamsServicer_to_server(services.streams, server)  # type: ignore[no-untyped-call]
        add_PersistentSubscriptionsServicer_to_server(services.persistent, server)  # type: ignore[no-untyped-call]
        add_GossipServicer_to_server(services.gossip, server)  # type: ignore[no-untyped-call]
        port = self._listen(server)
        self.endpoint = Endpoint(HOST, port)
        await server.start()
        self._server = server

    def _listen(self, server: grpc.aio.Server) -> int:
        if self._certificates is None:
            return int(server.add_insecure_port(self.address))
        pair = (self._certificates.key, self._certificates.certificate)
        return int(server.add_secure_port(self.address, grpc.ssl_server_credentials([pair])))

    async def stop(self) -> None:
        """Stop at once: calls that are open are cut off."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)


def check_credentials(call: Call, users: Mapping[str, str]) -> None:
    """Raises Failure unless the call brings the password of one of ``users``."""
    scheme, _, encoded = call.metadata.get("authorization", "").partition(" ")
    if not encoded:
        raise access_denied()
    user, _, password = b64decode(encoded).decode().partition(":")
    if scheme != "Basic" or users.get(user) != password:
        raise unauthenticated()
