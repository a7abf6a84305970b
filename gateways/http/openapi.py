"""The OpenAPI document, made from the routes themselves, so that it cannot tell of others."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from gateways.http.answer import Answer
from gateways.http.call import Call
from gateways.http.errors import Problems
from gateways.http.problems import MEDIA, V1, ProblemDetails
from gateways.http.routes import Query, Route

PATH = "/schema/openapi.json"

ANY_ROUTE = (429, 500, 503)
"""Errors that every route can answer with, beside its own."""
WRITES = (403, 408, 413)
TAKES = (415,)
SESSION = "session"
OPERATOR = "operator"

_PART = re.compile(r":(\w+)")
_TEXT = {"schema": {"type": "string"}}
_WRITE_HEADERS = {"admitone-position": {"description": "The log position that this write reached", **_TEXT}}


class Document:
    """name: of the session cookie. routes: all that is served, beside the document."""

    def __init__(self, cookie: str) -> None:
        self._cookie = cookie
        self._bytes = b""

    def route(self) -> Route:
        return Route(
            method="GET", path=PATH, handle=self.show, summary="This document", answers={200: dict[str, Any]}
        )

    def describe(self, routes: Sequence[Route]) -> None:
        self._bytes = msgspec.json.encode(document(routes, self._cookie))

    async def show(self, _: Call) -> Answer:
        return Answer(200, self._bytes, [])


def document(routes: Sequence[Route], cookie: str) -> dict[str, Any]:
    """The document of ``routes``, where ``cookie`` is the name of the session cookie."""
    types = [*_types(routes)]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    shape = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, shape)
        paths.setdefault(_PART.sub(r"{\1}", route.path), {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Admit One",
            "version": "0.1.0",
            "description": "A ticket marketplace that sells each ticket exactly once.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                SESSION: {"type": "apiKey", "in": "cookie", "name": cookie},
                OPERATOR: {"type": "http", "scheme": "bearer"},
            },
        },
    }


def statuses(route: Route) -> dict[int, Any]:
    """Every status that ``route`` can answer with, and the shape of its body."""
    errors = [*ANY_ROUTE, *route.errors]
    if route.signed_in or route.operator:
        errors.append(401)
    if route.method not in {"GET", "HEAD"}:
        errors.extend(WRITES)
    if route.takes is not None:
        errors.extend(TAKES)
    shape = ProblemDetails if route.path.startswith(V1) else Problems
    return {**dict.fromkeys(errors, shape), **route.answers}


def _types(routes: Iterable[Route]) -> list[Any]:
    found: dict[str, Any] = {}
    for route in routes:
        for kind in (route.takes, *statuses(route).values()):
            if kind is not None:
                found[str(kind)] = kind
    return [*found.values()]


def _operation(route: Route, shape: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.method.lower() + re.sub(r"[^a-z]+", "_", _PART.sub(r"by_\1", route.path)),
        "tags": [_tag(route.path)],
        "responses": {
            str(status): _response(route, status, shape[str(kind)] if kind is not None else None)
            for status, kind in sorted(statuses(route).items())
        },
    }
    parameters = [*_path_parameters(route), *map(_query_parameter, route.query), *_headers(route)]
    if parameters:
        operation["parameters"] = parameters
    if security := _security(route):
        operation["security"] = security
    if route.takes is not None:
        media = {"schema": shape[str(route.takes)]}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": media, "application/x-www-form-urlencoded": media},
        }
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    """What opens the route: any one of these."""
    keys = ((SESSION, route.signed_in), (OPERATOR, route.operator))
    return [{name: []} for name, taken in keys if taken]


def _tag(path: str) -> str:
    if not path.startswith("/api/"):
        return "operations"
    return path.removeprefix(V1).removeprefix("/api/").split("/")[0]


def _response(route: Route, status: int, schema: dict[str, Any] | None) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if schema is not None:
        details = status >= 400 and route.path.startswith(V1)
        response["content"] = {MEDIA if details else "application/json": {"schema": schema}}
    if route.page and (schema is not None or status < 300):
        response.setdefault("content", {})["text/html"] = {"schema": {"type": "string"}}
    if route.signed_in and route.method != "GET" and status < 300:
        response["headers"] = _WRITE_HEADERS
    if status in {429, 503}:
        response["headers"] = {"retry-after": {"schema": {"type": "integer"}}}
    return response


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, **_TEXT} for name in _PART.findall(route.path)]


def _query_parameter(query: Query) -> dict[str, Any]:
    return {"name": query.name, "in": "query", "description": query.meaning, "schema": query.schema}


def _headers(route: Route) -> list[dict[str, Any]]:
    meaning = "Names this request: sent again under the same key, it is done once and answered alike"
    key = {"type": "string", "minLength": 1, "maxLength": 255}
    found = {"name": "Idempotency-Key", "in": "header", "description": meaning, "schema": key}
    return [found] if route.key else []
