"""Where EventStoreDB is, and how a client for it is made.

A client is made anew for each purpose, with a connection of its own: gRPC would otherwise give all
clients of a process that have the same target one connection, with its hundred streams and its fate.
"""

import os
from logging import getLogger
from urllib.parse import urlsplit

from esdbclient import AsyncEventStoreDBClient
from esdbclient.connection_spec import NODE_PREFERENCE_LEADER, URI_SCHEME_ESDB, ConnectionSpec

log = getLogger("admitone.eventstoredb")

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    # gRPC's own reconnecting: often enough that an outage of a second is not made into one of minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)

PING_EVERY, PING_TIMEOUT = 10_000, 5_000
"""Milliseconds, unless the address says KeepAliveInterval and KeepAliveTimeout."""

# gRPC's core writes lines of its own to stderr, between ours, about what it tells us by errors too.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


class BadAddress(ValueError):
    """The store's address cannot be used. Its text is one line for the user, without secrets."""


class Address:
    """An ``esdb://`` or ``esdb+discover://`` address. Shows itself without user, password and options."""

    def __init__(self, uri: str) -> None:
        """Raises BadAddress."""
        self._uri = uri
        parts = urlsplit(uri)
        self._user, _, hosts = parts.netloc.rpartition("@")
        self._query = parts.query
        self._shown = f"{parts.scheme}://{hosts}"
        try:
            spec = ConnectionSpec(uri)
        except ValueError as error:
            # The client repeats the whole address in its errors, password and all.
            raise BadAddress(f"{self._shown}: {str(error).replace(uri, '').rstrip(': ')}") from None
        if spec.options.NodePreference != NODE_PREFERENCE_LEADER:
            raise BadAddress(f"{self._shown}: NodePreference must be leader: a follower may be behind")
        if self._user and not spec.options.Tls:
            log.warning("%s: user and password are sent over TLS only, so they are not sent", self._shown)
        self._tls = spec.options.Tls
        # Without pings a peer that vanished would be waited for forever. The client passes these options
        # on under a name that gRPC does not know, and gRPC waits a minute unless it is told twice.
        timeout = spec.options.KeepAliveTimeout or PING_TIMEOUT
        self._pings = (
            ("grpc.keepalive_time_ms", spec.options.KeepAliveInterval or PING_EVERY),
            ("grpc.keepalive_timeout_ms", timeout),
            ("grpc.http2.ping_timeout_ms", timeout),
        )
        self.is_one_node = spec.scheme == URI_SCHEME_ESDB and len(spec.targets) == 1
        """Whether it names one node, so that no cluster is asked who leads it."""
        self.client()  # reads the files that it names

    def __str__(self) -> str:
        return self._shown

    def at(self, target: str) -> "Address":
        """The address of one node, as ``host:port``, with the same credentials and options."""
        user = f"{self._user}@" if self._user else ""
        return Address(f"esdb://{user}{target}?{self._query}")

    def client(self) -> AsyncEventStoreDBClient:
        """A client that has not connected yet. Raises BadAddress for a certificate that cannot be read."""
        try:
            client = AsyncEventStoreDBClient(self._uri)
        except OSError as error:
            raise BadAddress(f"{self._shown}: cannot read {error.filename}: {error.strerror}") from None
        client.grpc_options += (*_OPTIONS, *self._pings)
        return client

    @property
    def hint(self) -> str:
        """What to look at when nothing answers as it should."""
        return "is it a server without TLS (Tls=false)?" if self._tls else "does it want TLS (Tls=true)?"
