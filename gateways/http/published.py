"""The catalogue of events under /api/v1: what can be in the log, for programs and for people.

It changes with the version that is served and with nothing else, so it is made once.
"""

from functools import cache

from gateways.analysis.catalogue import INTRODUCTION, Whole, entries, whole
from gateways.http.answer import Answer, json
from gateways.http.call import Call
from gateways.http.etags import tagged
from gateways.http.histories import VARY
from gateways.http.pages import page, wants_page
from gateways.http.routes import Route

PATH = "/api/v1/events/catalogue"


def routes() -> list[Route]:
    return [
        Route(
            method="GET",
            path=PATH,
            handle=show,
            summary="Every type of event: its meaning, its fields, an example, how older versions are read",
            answers={200: Whole},
            page=True,
        )
    ]


async def show(call: Call) -> Answer:
    return tagged(call, _page() if wants_page(call) else _json())


@cache
def _json() -> Answer:
    return json(200, whole(), VARY)


@cache
def _page() -> Answer:
    return page("events.html", introduction=INTRODUCTION, entries=entries())
