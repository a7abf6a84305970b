"""One request to the API, from its key to its answer: who asks, which endpoint, which fault, which key.

https://docs.stripe.com/api/authentication, …/request_ids, …/versioning, …/idempotent_requests
"""

import asyncio
import contextlib
import os
import re
import signal
from base64 import b64decode
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from msgspec import Struct, field

from tests.stripe import ids
from tests.stripe.bank import API_VERSION, Bank, Call
from tests.stripe.errors import Problem, StripeError, invalid, refused
from tests.stripe.expanding import expanded
from tests.stripe.faults import Fault, Faults
from tests.stripe.form import Params, decode
from tests.stripe.keys import Kept, Keys, in_use
from tests.stripe.routes import Route, route

RECENT = 10_000
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(\.[a-z]+)?")


class Request(Struct, frozen=True):
    """What came over the line. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class LineCut(Exception):
    """The client gets no answer. ``reset``: it is told so by a reset."""

    def __init__(self, reset: bool) -> None:
        super().__init__("the line was cut")
        self.reset = reset


class Seen(Struct, frozen=True):
    """A call that came in, for tests to look at. ``status``: 0 when it got no answer."""

    operation: str
    path: str
    key: str | None
    status: int
    replayed: bool
    version: str
    request_id: str


class Service:
    """The API. ``keys``: the secret keys that open it."""

    def __init__(self, bank: Bank, secret_keys: frozenset[str]) -> None:
        self._bank = bank
        self._secret_keys = secret_keys
        self._keys = Keys(bank.ledger, bank.clock)
        self.faults = Faults()
        self.seen: deque[Seen] = deque(maxlen=RECENT)

    async def answer(self, request: Request) -> Answer:
        """Raises LineCut."""
        request_id = ids.new("req", 14)
        version = request.headers.get("stripe-version", API_VERSION)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        operation, status, headers = "", 0, dict[str, str]()
        try:
            self._admit(request)
            _check_version(version)
            way = route(request.method, request.path)
            operation = way.operation
            answer = await self._serve(request, way, request_id, key, version)
            status, headers = answer.status, answer.headers
        except StripeError as error:
            answer = Answer(error.status, _body(error), error.headers)
            status, headers = answer.status, answer.headers
        finally:
            replayed = "Idempotent-Replayed" in headers
            self.seen.append(Seen(operation, request.path, key, status, replayed, version, request_id))
        known = {"Request-Id": request_id, "Stripe-Version": version}
        if key is not None:
            known["Idempotency-Key"] = key
        return Answer(answer.status, answer.body, known | answer.headers)

    def _admit(self, request: Request) -> None:
        """Raises StripeError unless the request brings a secret key, as a bearer or as a user's name."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):  # no base64: then it is no key either
                given = b64decode(given).decode("utf-8", "replace").partition(":")[0]
        if not given:
            message = "You did not provide an API key. Send it as a bearer token or as the user's name."
            raise refused(message, status=401, kept=False)
        if given not in self._secret_keys:
            shown = given[:8] + "*" * 8 + given[-4:]
            raise refused(f"Invalid API Key provided: {shown}", status=401, kept=False)

    async def _serve(
        self, request: Request, way: Route, request_id: str, key: str | None, version: str
    ) -> Answer:
        text = unquote_plus("\n".join((request.path, request.query, key or "", request.body)))
        fault = self.faults.strike(way.operation, text)
        if fault is not None:
            _before(fault, key)
        params = _params(request)
        call = Call(way.operation, way.path, params, request_id, key, version)
        kept = self._keys.begin(key, request.path, params) if key is not None else None
        if kept is not None:
            again = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
            answer = Answer(kept.status, kept.body, again)
        else:
            try:
                if fault is not None and fault.action == "slow":
                    await asyncio.sleep(fault.seconds)
                if fault is not None and fault.action == "hold":
                    await self.faults.hold()
                answer = self._do(request.path, way, call, fault)
            finally:
                if key is not None:
                    self._keys.end(key)
        if fault is not None:
            await _after(fault, self.faults)
        return answer

    def _do(self, path: str, way: Route, call: Call, fault: Fault | None) -> Answer:
        """Carry it out, and remember the answer under its key, in one transaction."""
        broken = fault is not None and fault.action == "error" and fault.status >= 500
        expand = call.params.get("expand", [])
        plain = msgspec.structs.replace(
            call, params={name: value for name, value in call.params.items() if name != "expand"}
        )
        with self._bank.ledger.transaction():
            headers = dict[str, str]()
            try:
                if broken and fault is not None and not fault.done:
                    raise _server_error(fault)
                found = way.endpoint(self._bank, plain)
                if broken and fault is not None:
                    raise _server_error(fault)
                found = expanded(self._bank.ledger, found, expand) if expand else found
                status, body = 200, msgspec.json.encode(found)
            except StripeError as error:
                if not error.kept:
                    raise  # and nothing is done
                status, body, headers = error.status, _body(error), error.headers
            if call.key is not None:
                self._keys.keep(call.key, path, call.params, Kept(status, body, call.request_id))
        return Answer(status, body, headers)


def _before(fault: Fault, key: str | None) -> None:
    """What strikes a call before anything is done. Raises LineCut or StripeError."""
    match fault.action:
        case "lose_request":
            raise LineCut(fault.reset)
        case "die_before":
            os.kill(os.getpid(), signal.SIGKILL)
        case "error" if fault.status == 409:
            raise in_use(key or "")
        case "error" if fault.status < 500:
            raise _too_many(fault) if fault.status == 429 else _as_told(fault)


async def _after(fault: Fault, faults: Faults) -> None:
    """What strikes a call after it was done. Raises LineCut."""
    match fault.action:
        case "lose_reply":
            raise LineCut(fault.reset)
        case "slow_reply":
            await asyncio.sleep(fault.seconds)
        case "hold_reply":
            await faults.hold()
        case "die_after":
            os.kill(os.getpid(), signal.SIGKILL)


def _too_many(fault: Fault) -> StripeError:
    """https://docs.stripe.com/rate-limits: ``rate_limit``, or ``lock_timeout`` for an object in use."""
    message = "Too many requests hit the API too quickly."
    problem = Problem("invalid_request_error", message, code=fault.code or "rate_limit")
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if problem.code == "lock_timeout":
        headers["Stripe-Should-Retry"] = "true"
    return StripeError(429, problem, kept=False, headers=headers)


def _as_told(fault: Fault) -> StripeError:
    return refused("Refused on demand.", status=fault.status, code=fault.code, kept=False)


def _server_error(fault: Fault) -> StripeError:
    problem = Problem("api_error", "Sorry, something went wrong on our side.", code=fault.code)
    return StripeError(fault.status, problem, headers={"Stripe-Should-Retry": "false"})


def _check_version(version: str) -> None:
    """https://docs.stripe.com/api/versioning: a date, and since 2024-09-30 the name of a release."""
    if not _VERSION.fullmatch(version):
        raise invalid(f"Invalid Stripe API version: {version[:40]}")


def _params(request: Request) -> Params:
    if request.method != "POST":
        return _decoded(request.query)
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if request.body and not kind.startswith("application/x-www-form-urlencoded"):
        raise invalid(f"Invalid request: the content type {kind!r} is not application/x-www-form-urlencoded")
    return _decoded(request.body)


def _decoded(text: str) -> Params:
    try:
        return decode(text)
    except ValueError as error:
        raise invalid(f"Invalid request: {error}") from None


def _body(error: StripeError) -> bytes:
    told: dict[str, Any] = {"error": error.problem}
    return msgspec.json.encode(told)
