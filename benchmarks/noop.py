"""The floor: a POST that does nothing, through Litestar as it comes, on the server that Admit One uses."""

import sys

import uvloop
from litestar import Litestar, post

from deploy.lanes import LanedLoop
from deploy.server import listen, serve
from deploy.settings import Settings


@post("/noop")
async def answer_nothing() -> None:
    return None


class Nothing:
    """An application with nothing behind its one route."""

    def __init__(self) -> None:
        self.asgi = Litestar([answer_nothing], openapi_config=None, logging_config=None)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def drain(self) -> None:
        pass


async def build(_: Settings) -> Nothing:
    return Nothing()


if __name__ == "__main__":
    settings = Settings.load({"drain": "0"}, {})
    serving = serve(build, settings, listen("127.0.0.1", int(sys.argv[1])), ready=lambda: None)
    uvloop.run(serving, loop_factory=LanedLoop)
