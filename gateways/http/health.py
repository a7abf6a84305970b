"""Health that tells the truth: what is wrong, in one line for each part, and 503 if anything is."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from gateways.http.answer import Answer, json
from gateways.http.call import Call
from gateways.http.errors import Problem, retry_after
from gateways.http.options import Check
from gateways.http.routes import Route


class HealthBody(Struct, frozen=True):
    """parts: "ok" for each part that is well, or what is wrong with it."""

    status: str
    parts: dict[str, str]


class UnwellBody(Struct, frozen=True):
    """The same, in a shape that clients of errors read too."""

    status: str
    parts: dict[str, str]
    errors: list[Problem]


class Health:
    """live: what only a restart can mend. ready: what must be well for requests to be sent here.

    notes: what an operator should know of and no restart or other process would mend; they are told, and
    the process is well all the same.
    """

    def __init__(
        self,
        live: Mapping[str, Check],
        ready: Mapping[str, Check],
        notes: Mapping[str, Check],
        draining: Callable[[], bool],
    ) -> None:
        self._live = live
        self._ready = ready
        self._notes = notes
        self._draining = draining

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path=path,
                handle=handle,
                summary=summary,
                answers={200: HealthBody, 503: UnwellBody},
            )
            for path, handle, summary in (
                ("/healthz", self.all, "How each part is"),
                ("/livez", self.is_live, "Whether the process works; if not, restart it"),
                ("/readyz", self.is_ready, "Whether requests may be sent here"),
            )
        ]

    async def all(self, _: Call) -> Answer:
        return self._answer({**self._live, **self._ready}, self._notes)

    async def is_live(self, _: Call) -> Answer:
        return self._answer(self._live)

    async def is_ready(self, _: Call) -> Answer:
        return self._answer({**self._live, **self._ready, "server": self._server})

    def _server(self) -> str | None:
        return "is about to stop" if self._draining() else None

    def _answer(self, checks: Mapping[str, Check], notes: Mapping[str, Check] | None = None) -> Answer:
        wrong = {name: said for name, check in checks.items() if (said := _look(check)) is not None}
        told = {name: _look(check) or "ok" for name, check in (notes or {}).items()}
        parts = dict.fromkeys(checks, "ok") | wrong | told
        if not wrong:
            return json(200, HealthBody("ok", parts))
        errors = [Problem(f"{name}: {said}") for name, said in wrong.items()]
        return json(503, UnwellBody("unwell", parts, errors), retry_after(1))


def _look(check: Check) -> str | None:
    try:
        return check()
    except Exception as error:
        return f"cannot be looked at: {error!r}"
