"""The floor: a POST that does nothing, through Litestar as it comes, on the server that Admit One uses."""

from litestar import Litestar, post


@post("/noop")
async def noop() -> None:
    return None


app = Litestar([noop], openapi_config=None)
