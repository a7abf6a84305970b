"""Idempotency keys. https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/error-low-level

The first answer under a key is given again for at least 24 hours, a 500 too, as long as the request is
the same. A key whose first request is still being worked on is refused.
"""

import json
from hashlib import sha256

from msgspec import Struct

from tests.stripe.clock import DAY, Clock
from tests.stripe.errors import Problem, StripeError, invalid
from tests.stripe.form import Params
from tests.stripe.ledger import Ledger

LONGEST = 255


class Kept(Struct, frozen=True):
    """An answer that is given again. ``request_id``: of the request that it first answered."""

    status: int
    body: bytes
    request_id: str


class Keys:
    """The keys of the account."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._in_use: set[str] = set()

    def begin(self, key: str, path: str, params: Params) -> Kept | None:
        """Take ``key`` into use, or give the answer that it has. Raises StripeError, never kept."""
        if not 0 < len(key) <= LONGEST:
            raise invalid(f"Idempotency keys have 1 to {LONGEST} characters")
        row = self._ledger.db.execute(
            "SELECT request, status, body, request_id FROM keys WHERE key = ? AND at > ?",
            (key, self._clock.now() - DAY),
        ).fetchone()
        if row is not None:
            _compare(key, str(row[0]), _request(path, params))
            return Kept(int(row[1]), bytes(row[2]), str(row[3]))
        if key in self._in_use:
            raise in_use(key)
        self._in_use.add(key)
        return None

    def keep(self, key: str, path: str, params: Params, answer: Kept) -> None:
        """Remember the answer; in the transaction that has done what it tells of."""
        self._ledger.db.execute(
            "INSERT OR REPLACE INTO keys (key, request, at, request_id, status, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                key,
                _request(path, params),
                self._clock.now(),
                answer.request_id,
                answer.status,
                answer.body,
            ),
        )

    def end(self, key: str) -> None:
        """It is worked on no more."""
        self._in_use.discard(key)


def in_use(key: str) -> StripeError:
    """The 409 of a request whose twin is still being worked on; it may be repeated."""
    problem = Problem(
        "idempotency_error",
        f"Another request with the idempotency key {key!r} is still being worked on. Repeat it later.",
        code="idempotency_key_in_use",
    )
    return StripeError(409, problem, kept=False, headers={"Stripe-Should-Retry": "true"})


def _request(path: str, params: Params) -> str:
    """What tells a request from others; not what it says, since that may be a card's number."""
    return f"{path} {sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()}"


def _compare(key: str, first: str, now: str) -> None:
    if first == now:
        return
    first_path, now_path = first.partition(" ")[0], now.partition(" ")[0]
    what = "the same parameters" if first_path == now_path else f"the same endpoint ({first_path})"
    problem = Problem(
        "idempotency_error",
        f"Keys for idempotent requests can only be used with {what} they were first used with. "
        f"Use another key than {key!r} to make another request.",
    )
    raise StripeError(400, problem, kept=False)
