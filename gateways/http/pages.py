"""Pages for people: one file each, with nothing loaded from anywhere, not even from here.

The style stands in the page and is named in its policy by its hash; there is no script.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from gateways.http.answer import Answer, Header
from gateways.http.call import Call
from processmanager.timeline import span

TEMPLATES = Path(__file__).parent / "templates"
_HTML: Header = (b"content-type", b"text/html; charset=utf-8")
_VARY: Header = (b"vary", b"accept, cookie")
_TIME = r"(?P<day>\d{4}-\d\d-\d\d) (?P<clock>\d\d:\d\d:\d\d) UTC"
_ID = r"\b[0-9a-f]{24}\b"
_EVENT = r"\((?P<event>(?:[A-Z][a-z]+){2,})\)"
_MARKED = re.compile(f"{_TIME}|(?P<id>{_ID})|{_EVENT}", re.ASCII)


class Page(Answer):
    """An answer in HTML, allowed the style that stands in it and nothing else."""

    @property
    def policy(self) -> Header:
        return _policy()


def page(template: str, headers: Iterable[Header] = (), *, status: int = 200, **values: Any) -> Page:
    """What ``template`` makes of ``values``; all text in them is shown as text."""
    text = _templates().get_template(template).render(status=status, **values)
    return Page(status, text.encode(), [*headers, _VARY], _HTML)


def wants_page(call: Call) -> bool:
    """Whether whoever asks would rather have a page than JSON, as browsers say in ``Accept``."""
    accept = (call.header(b"accept") or "").lower()
    if "html" not in accept:
        return False
    return _quality(accept, "text/html") > _quality(accept, "application/json")


def _quality(accept: str, media: str) -> float:
    """How much ``media`` is wanted, by the most specific range that it is in."""
    found = (-1, 0.0)
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        specific = {media: 2, f"{media.partition('/')[0]}/*": 1, "*/*": 0}.get(name, -1)
        if specific > found[0]:
            found = specific, _weight(parameters)
    return found[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _day(at: datetime) -> str:
    return f"{at:%A, %d %B %Y}"


def _marked(text: str) -> Markup:
    """``text`` with its times, ids and names of events as what they are, so that they look it, and none of
    them is broken in two at the end of a line."""
    parts, at = list[str](), 0
    for found in _MARKED.finditer(text):
        parts += escape(text[at : found.start()]), _mark(found)
        at = found.end()
    return Markup("").join([*parts, escape(text[at:])])


def _mark(found: re.Match[str]) -> Markup:
    if found["day"]:
        return Markup('<time datetime="{}T{}Z">{}</time>').format(found["day"], found["clock"], found[0])
    if found["id"]:
        return Markup("<code>{}</code>").format(found["id"])
    return Markup("(<code>{}</code>)").format(found["event"])


def _ticked(text: str) -> Markup:
    """``text`` with what is in backquotes as the name that it is."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def _example(data: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(data)).decode()


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"span": span, "clock": _clock, "day": _day}
    templates.filters |= {"marked": _marked, "ticked": _ticked, "example": _example}
    templates.globals["style"] = _style()
    return templates


@cache
def _style() -> str:
    return (TEMPLATES / "style.css").read_text("utf-8")


@cache
def _policy() -> Header:
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    closed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return (b"content-security-policy", f"{closed}; style-src 'sha256-{digest}'".encode())
