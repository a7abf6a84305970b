"""Fixtures: the double, a client of either kind, and a real node where the environment names one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.eventstoredb.certificates import Certificates, make_certificates
from tests.eventstoredb.clients import connected
from tests.eventstoredb.cluster import Cluster
from tests.real_node import KINDS, NODE


@pytest.fixture
async def double() -> AsyncIterator[Cluster]:
    """A double with one node."""
    async with Cluster() as cluster:
        yield cluster


@pytest.fixture
async def trio() -> AsyncIterator[Cluster]:
    """A double with three nodes."""
    async with Cluster(3) as cluster:
        yield cluster


@pytest.fixture(params=["async", "sync"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two clients a test uses."""
    return str(request.param)


@pytest.fixture(params=KINDS)
async def uri(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A server that holds to the checklist: the double always, a real node if there is one."""
    if request.param == "real":
        assert NODE
        yield NODE
        return
    async with Cluster() as cluster:
        yield cluster.uri()


@pytest.fixture
async def client(kind: str, uri: str) -> AsyncIterator[Any]:
    """A client of either kind on whatever server the test runs on."""
    async with connected(kind, uri) as made:
        yield made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))
