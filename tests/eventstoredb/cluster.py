"""The double as a whole: some nodes over one log, one of which leads.

    async with Cluster() as double:
        client = AsyncEventStoreDBClient(double.uri())

Everything lives on the event loop that entered it. Synchronous clients must call from another thread.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

from tests.eventstoredb.answers import NotReady, not_leader
from tests.eventstoredb.calls import Call, Calls
from tests.eventstoredb.certificates import Certificates
from tests.eventstoredb.faults import Faults
from tests.eventstoredb.gate import Gate
from tests.eventstoredb.gossip import FOLLOWER, LEADER, UNKNOWN, Gossip, Member
from tests.eventstoredb.groups import Groups
from tests.eventstoredb.links import SystemProjections
from tests.eventstoredb.log import Log
from tests.eventstoredb.node import Node, Services, check_credentials
from tests.eventstoredb.persistent import PersistentSubscriptions
from tests.eventstoredb.streams import Streams
from tests.eventstoredb.writing import Writer

USERS = {"admin": "changeit"}


class Cluster:
    """``nodes`` pretended nodes on loopback ports.

    ports: where they listen, 0 for any free one. certificates: serve over TLS, and ask for the
    password of one of ``users``. projections: write the ``$ce-`` and ``$et-`` streams of links.
    tick: seconds between two looks at what persistent subscribers have not acknowledged.
    """

    def __init__(
        self,
        nodes: int = 1,
        *,
        ports: Sequence[int] = (),
        certificates: Certificates | None = None,
        users: Mapping[str, str] = USERS,
        projections: bool = True,
        tick: float = 1.0,
    ) -> None:
        self.log = Log()
        self.calls = Calls()
        self.faults = Faults()
        self.groups = Groups(self.log, tick=tick)
        project = SystemProjections(self.log).project if projections else lambda _: None
        self._writer = Writer(self.log, project)
        self._certificates = certificates
        self._users = users if certificates else None
        self.nodes = [self._node(number, port) for number, port in enumerate(ports or [0] * nodes)]
        self.leader: Node | None = self.nodes[0]
        self._driver: asyncio.Task[None] | None = None

    def _node(self, number: int, port: int) -> Node:
        gate = Gate(number, self.calls, self.faults, lambda call: self._admit(self.nodes[number], call))
        services = Services(
            streams=Streams(self.log, self._writer),
            persistent=PersistentSubscriptions(self.log, self.groups),
            gossip=Gossip(self._members),
            gate=gate,
        )
        return Node(services, port, self._certificates)

    # ── Running ───────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        for node in self.nodes:
            await node.start()
        self._driver = asyncio.create_task(self.groups.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._driver:
            self._driver.cancel()
            with suppress(asyncio.CancelledError):
                await self._driver
        for node in self.nodes:
            await node.stop()

    async def stop(self) -> None:
        """Every node is gone; the log stays."""
        for node in self.nodes:
            await node.stop()

    async def start(self, *, forget_ids: bool = False, lose_from: int | None = None) -> None:
        """Bring the nodes back on their ports.

        forget_ids: lose the memory of ids that makes ANY idempotent.
        lose_from: lose everything at and behind that position.
        """
        if lose_from is not None:
            self.log.truncate(lose_from)
        if forget_ids:
            self.log.forget_ids()
        self.groups.reload()
        for node in self.nodes:
            if not node.is_running:
                await node.start()

    async def restart(self, *, forget_ids: bool = False, lose_from: int | None = None) -> None:
        await self.stop()
        await self.start(forget_ids=forget_ids, lose_from=lose_from)

    def elect(self, leader: Node | None) -> None:
        """Another node leads from now on; None: nobody does."""
        self.leader = leader
        self.groups.reload()

    # ── Addresses ─────────────────────────────────────────────────────────────────────────────────

    def uri(self, node: Node | None = None, **options: object) -> str:
        """The address of one node, by default the first."""
        return self._uri([node or self.nodes[0]], options)

    def cluster_uri(self, **options: object) -> str:
        """The addresses of all nodes, for clients that discover the leader."""
        return self._uri(self.nodes, options)

    def discovery_uri(self, node: Node, **options: object) -> str:
        """A name behind which a node is found that knows the others, as a cluster's DNS entry is used."""
        address = f"localhost:{node.endpoint.port}"
        return self._uri([node], options).replace("esdb:", "esdb+discover:").replace(node.address, address)

    def _uri(self, nodes: Sequence[Node], options: Mapping[str, object]) -> str:
        user = ""
        if self._certificates:
            name, password = next(iter((self._users or {}).items()))
            user = f"{name}:{password}@"
            options = {"TlsCaFile": self._certificates.authority_file, **options}
        else:
            options = {"Tls": "false", **options}
        addresses = ",".join(node.address for node in nodes)
        return f"esdb://{user}{addresses}?" + "&".join(f"{key}={value}" for key, value in options.items())

    # ── Who may do what ───────────────────────────────────────────────────────────────────────────

    def _admit(self, node: Node, call: Call) -> None:
        """Raises Failure for a call that this node does not serve now."""
        if self._users is not None:
            check_credentials(call, self._users)
        if call.method == "Gossip/Read":
            return
        if not node.ready:
            raise NotReady
        if not call.requires_leader or node is self.leader:
            return
        looking = call.method.endswith(("Streams/Read", "/GetInfo", "/List"))
        if call.method.endswith(("/GetInfo", "/List")) or (looking and self.leader is None):
            raise NotReady
        raise not_leader((self.leader or node).endpoint)

    def _members(self) -> Sequence[Member]:
        """A dead leader stays listed as one until another is elected."""
        follower = FOLLOWER if self.leader else UNKNOWN
        return [
            Member(node.id, node.endpoint, LEADER if node is self.leader else follower, node.is_running)
            for node in self.nodes
        ]
