"""A payment provider with a ledger of its own, where every call takes effect in one instant.

It is as trusting as a provider can be: a step is repeated safely *only* under its idempotency key.
Under a fresh key it takes the money again, so a slip with keys shows in the ledger.
"""

from msgspec import Struct

from processmanager.ports import (
    Answer,
    Attempt,
    Confirmation,
    IsAuthorized,
    IsCaptured,
    IsDeclined,
    IsRefunded,
    IsUnknown,
    IsVoided,
    NeedsAction,
    PaymentsUnavailable,
    Returned,
)
from processmanager.purchase import Verb
from tests.simulation.deadlines import Deadlines
from tests.simulation.log import Log
from tests.simulation.scheduler import Call, Scheduler
from tests.simulation.weather import Weather

METHODS = {
    "visa": 30,
    "declined": 12,
    "slow": 12,  # the answer, or the request itself, takes anything up to an hour
    "lost": 10,  # sets the money aside, and the first answer never comes
    "confirm": 18,  # the buyer confirms at his bank, some time, or never
    "confirm_at_once": 10,  # and then the money is taken without asking us again
    "at_once": 8,  # takes the money without setting it aside first
}
"""How the money can be paid, and how often out of a hundred."""


REFUND_FAILS = 0.25
"""How often the first refund of an attempt comes to nothing."""


class Entry(Struct, frozen=True):
    """Money that moved. ``head``: how much of the log was written when it did."""

    kind: str
    attempt: str
    order: str
    amount: int
    head: int


class Account:
    """What the provider knows of one attempt. ``decides_at``: when the buyer's bank will."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.open = 0
        self.captured = 0
        self.refunded = 0
        self.failed_refunds: list[str] = []
        self.voided = False
        self.declined = False
        self.decides_at: int | None = None
        self.approves = False

    @property
    def standing(self) -> str:
        """What has become of it, in the words of our own log."""
        if self.captured:
            return "refunded" if self.refunded else "captured"
        if self.declined:
            return "declined"
        if self.voided:
            return "voided"
        if self.open:
            return "authorized"
        return "requested" if self.decides_at is None else "confirming"


class Provider:
    """Satisfies the Payments port."""

    def __init__(self, log: Log, deadlines: Deadlines, weather: Weather, scheduler: Scheduler) -> None:
        self._log = log
        self._deadlines = deadlines
        self._weather = weather
        self._scheduler = scheduler
        self._keys: dict[str, tuple[Verb, str, Account]] = {}
        self.accounts: dict[str, Account] = {}
        self.ledger: list[Entry] = []
        self.repeats = 0

    # ── The port ──────────────────────────────────────────────────────────────────────────────────

    async def authorize(self, attempt: Attempt, key: str) -> Answer:
        there = back = 0
        if attempt.method == "slow":
            rng = self._scheduler.rng
            longest = rng.choice((3_000, 60_000, 3_600_000)) if self._weather.foul else 3_000
            delay = int(longest * rng.random())
            there, back = (delay, 0) if rng.random() < 0.5 else (0, delay)
        return await Call(f"authorize {key}", lambda: self._do("authorize", attempt, key), there, back)

    async def look(self, attempt: Attempt) -> Answer:
        return await Call(f"look {attempt.id}", lambda: self._do(None, attempt, ""))

    async def capture(self, attempt: Attempt, key: str) -> Answer:
        return await Call(f"capture {key}", lambda: self._do("capture", attempt, key))

    async def void(self, attempt: Attempt, key: str) -> Answer:
        return await Call(f"void {key}", lambda: self._do("void", attempt, key))

    async def refund(self, attempt: Attempt, key: str) -> Answer:
        return await Call(f"refund {key}", lambda: self._do("refund", attempt, key))

    async def confirmation(self, attempt: Attempt) -> Confirmation | None:
        return None  # nobody here asks for it

    # ── What happens there ────────────────────────────────────────────────────────────────────────

    def _do(self, verb: Verb | None, attempt: Attempt, key: str) -> Answer:
        """One call, in one instant: under a key that is new it acts, and then it says what is true."""
        if self._weather.strikes("provider down"):
            raise PaymentsUnavailable("the provider is down")
        account = self.accounts.setdefault(attempt.id, Account(attempt))
        self._let_the_bank_decide(account)
        lost = self._weather.strikes("provider answer lost")
        if verb is not None:
            known = self._keys.get(key)
            if known is None:
                self._keys[key] = (verb, attempt.id, account)
                lost |= verb == "authorize" and attempt.method == "lost"
                if verb == "refund":
                    self._refund(account, key)
                else:
                    getattr(self, f"_{verb}")(account)
            elif known[:2] == (verb, attempt.id):
                self.repeats += 1
            else:
                account = known[2]  # the answer to whatever the key was used for first
        if lost:
            raise PaymentsUnavailable("the answer was lost")
        return _truth(account)

    def _authorize(self, account: Account) -> None:
        if account.voided:
            return
        match account.attempt.method:
            case "declined":
                account.declined = True
            case "at_once":
                self._take(account)
            case "confirm" | "confirm_at_once":
                account.decides_at, account.approves = (
                    self._deadlines.aim(),
                    self._scheduler.rng.random() < 0.8,
                )
            case _:
                account.open += 1

    def _capture(self, account: Account) -> None:
        if account.open and self._weather.strikes("authorisation lapses"):
            account.open = 0
            account.voided = self._scheduler.rng.random() < 0.5
            account.declined = not account.voided
        elif account.open or account.captured:
            account.open = max(0, account.open - 1)
            self._take(account)

    def _void(self, account: Account) -> None:
        if account.captured or account.declined:
            return
        # Exactly one authorisation is ended: a second one, made under a fresh key, stays open.
        account.open = max(0, account.open - 1)
        account.decides_at = None
        account.voided = True

    def _refund(self, account: Account, key: str) -> None:
        # In peace too: a card that was closed is no fault of anybody here. The next one arrives.
        if account.captured and not account.failed_refunds and self._scheduler.rng.random() < REFUND_FAILS:
            account.failed_refunds.append(f"refund {key}")
        elif account.captured:
            account.refunded += account.attempt.amount.amount
            self._note("refund", account)

    def _take(self, account: Account) -> None:
        account.captured += account.attempt.amount.amount
        self._note("capture", account)

    def _note(self, kind: str, account: Account) -> None:
        attempt = account.attempt
        self.ledger.append(Entry(kind, attempt.id, attempt.order, attempt.amount.amount, self._log.head))

    def _let_the_bank_decide(self, account: Account) -> None:
        if account.decides_at is None or account.decides_at > self._scheduler.now:
            return
        account.decides_at = None
        if not account.approves:
            account.declined = True
        elif account.attempt.method == "confirm":
            account.open += 1
        else:
            self._take(account)

    def let_all_banks_approve(self) -> None:
        """The latest success that there can be: whoever could still confirm, does."""
        for account in self.accounts.values():
            if account.decides_at is not None:
                account.decides_at, account.approves = self._scheduler.now, True
                self._let_the_bank_decide(account)


def _truth(account: Account) -> Answer:
    reference = f"at provider {account.attempt.id}"
    match account.standing:
        case "captured":
            price = account.attempt.amount
            failed = tuple(Returned(each, price, "failed", "closed") for each in account.failed_refunds)
            return IsCaptured(reference, failed)
        case "refunded":
            return IsRefunded(f"refund of {account.attempt.id}", reference)
        case "declined":
            return IsDeclined("card_declined", "Your card was declined.")
        case "voided":
            return IsVoided()
        case "authorized":
            return IsAuthorized(reference)
        case "confirming":
            return NeedsAction(reference, "confirm at your bank")
        case _:
            return IsUnknown()
