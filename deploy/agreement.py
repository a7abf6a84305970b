"""What the services that run on one data directory must have in common, and how the next one finds out.

Each keeps its terms in a file of its own, which it holds a lease on while it serves. Whoever starts holds
his own against those of all who live; what a dead one has left binds nobody. Only names of keys are kept,
which tokens and the published key set show anyhow. Why just these: docs/decisions/0022.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import msgspec

from deploy.failing import WRONG_SETTINGS, Failed
from deploy.keys import receipt_keys, session_keys
from deploy.places import Places
from deploy.reading import EMBEDDED
from deploy.settings import Settings, variable
from gateways.leases import Lease
from gateways.sessions import key_id

PATIENCE = 5.0
"""Seconds that a start waits for others that begin at the same moment: each of them takes milliseconds."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a service means by what is in the data directory.

    store: the kind of store that its log is in. provider: who takes the money. session_keys, receipt_keys:
    their names; the first signs, the service knows them all.
    """

    store: str
    currency: str
    provider: str
    session_cookie: str
    session_keys: Sequence[str]
    receipt_keys: Sequence[str]


def terms_of(settings: Settings, places: Places) -> Terms:
    """The terms that ``settings`` amount to. Makes keys where none are set; raises as ``kept_key`` does."""
    return Terms(
        store=EMBEDDED if settings.store == EMBEDDED else "EventStoreDB",
        currency=settings.currency,
        provider=_provider(settings),
        session_cookie=settings.session_cookie,
        session_keys=[key_id(key) for key in session_keys(settings, places)],
        receipt_keys=[key.kid for key in receipt_keys(settings, places).published.keys],
    )


def contradiction(ours: Terms, theirs: Terms) -> str | None:
    """Where a service that runs (``theirs``) and one that starts contradict each other; None if nowhere."""
    if ours.store != theirs.store:
        return f"its log is in the store {theirs.store}, and that of this one in {ours.store}"
    if ours.provider != theirs.provider:
        return f"money is taken there by {theirs.provider}, and here by {ours.provider}"
    for name in ("currency", "session_cookie"):
        mine, its = getattr(ours, name), getattr(theirs, name)
        if mine != its:
            return f"it has {variable(name)} {its}, and this one {mine}"
    return _about_keys("jwt_key", ours.session_keys, theirs.session_keys) or _about_keys(
        "receipt_key", ours.receipt_keys, theirs.receipt_keys
    )


def _about_keys(name: str, ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    if ours[0] not in theirs:
        return (
            f"it does not know the key that this one signs with ({variable(name)}; a new key goes behind the "
            "old one everywhere first, then in front of it)"
        )
    if theirs[0] not in ours:
        return f"this one does not know the key that it signs with ({variable(name)})"
    return None


@contextmanager
def joined(settings: Settings, places: Places) -> Iterator[None]:
    """Be among the services of the data directory.

    Raises Failed when one that runs contradicts ``settings``; KeyDamaged, OSError.
    """
    path = places.services / f"{token_hex(8)}.json"
    lease = Lease(path)
    try:
        with gate(places):
            terms = _admitted(settings, places)
            lease.try_take()
            path.write_bytes(msgspec.json.encode(terms))
        yield
    finally:
        path.unlink(missing_ok=True)
        lease.release()


def _admitted(settings: Settings, places: Places) -> Terms:
    """The terms of a service that no other contradicts. One that is refused leaves no key behind."""
    missing = [path for path in (places.key, places.receipt_key) if not path.exists()]
    terms = terms_of(settings, places)
    try:
        for path in living(places):
            _hold_against(path, terms, places)
    except Failed:
        for path in missing:
            path.unlink(missing_ok=True)
        raise
    return terms


def living(places: Places) -> Iterator[Path]:
    """The terms of each service that runs now; the caller has passed the gate. Clears the others away."""
    for path in sorted(places.services.glob("*.json")):
        lease = Lease(path)
        if lease.try_take():
            path.unlink()
            lease.release()
        else:
            yield path


@contextmanager
def gate(places: Places) -> Iterator[None]:
    """One at a time, so that of two that begin at once one sees the other. Raises Failed, OSError."""
    lease, end = Lease(places.services / "gate"), time.monotonic() + PATIENCE
    while not lease.try_take():
        if time.monotonic() > end:
            raise Failed(
                f"another service has been starting on {places.root}/ for {PATIENCE:.0f} s: try again"
            )
        time.sleep(0.01)
    try:
        yield
    finally:
        lease.release()


def _hold_against(path: Path, ours: Terms, places: Places) -> None:
    try:
        theirs = msgspec.json.decode(path.read_bytes(), type=Terms)
    except FileNotFoundError:  # it has just ended
        return
    except msgspec.DecodeError:
        raise Failed(
            f"a service of another version runs on {places.root}/ already: stop that one first",
            WRONG_SETTINGS,
        ) from None
    if what := contradiction(ours, theirs):
        remedy = "give both the same, or stop that one first"
        raise Failed(f"a service runs on {places.root}/ already, and {what}: {remedy}", WRONG_SETTINGS)


def _provider(settings: Settings) -> str:
    """In words. An account of Stripe has many keys, and changes them: its mode is what a key tells of it."""
    if settings.stripe_secret_key:
        mode = "live" if "_live_" in settings.stripe_secret_key else "test"
        return f"Stripe in {mode} mode at {settings.stripe_url}"
    ledger, root = settings.ledger.resolve(), settings.data.resolve()
    shown = ledger.relative_to(root) if ledger.is_relative_to(root) else ledger
    return f"the card simulator with the ledger {shown}"
