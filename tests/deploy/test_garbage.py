"""What a request leaves behind: nothing that only the garbage collector finds, whose pauses all wait for."""

import gc
from collections.abc import Iterator

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tests.deploy.plain import Plain
from tests.deploy.test_server import Line, serving
from tests.deploy.test_whole import Answering

REQUESTS = 50


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Garbage stays where it is."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def requests_kept() -> int:
    return sum(isinstance(each, RequestResponseCycle) for each in gc.get_objects())


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("application", [Answering(), Plain()], ids=["in one piece", "in messages"])
async def test_an_answered_request_leaves_nothing_to_the_garbage_collector(application: Plain) -> None:
    before = requests_kept()
    async with serving(application) as (_, port):
        line = await Line.to(port)
        for _ in range(REQUESTS):
            await line.ask()
        assert requests_kept() - before <= 1  # the connection's last
        line.close()
