"""One payment under /api/v1: how it stands, for its buyer and for an operator, and its dispute pack."""

from itertools import groupby

from msgspec import Struct

from domain import order, payment
from domain.money import Money
from gateways.http.answer import Answer, Header, json
from gateways.http.as_of import AS_OF, AsOf, true_at
from gateways.http.bodies import Number, moment
from gateways.http.call import Call
from gateways.http.errors import Forbidden, NotFound
from gateways.http.etags import tagged
from gateways.http.histories import VARY, EntryBody, entry_body, named
from gateways.http.operators import Operators
from gateways.http.pages import page, wants_page
from gateways.http.routes import Route
from processmanager.archive import END, Archive, PastPurchase
from processmanager.dispute_pack import STATUSES, DisputePack, Step, dispute_pack
from processmanager.timeline import timeline

NOT_YOURS = "This payment is somebody else's"

# ── What is answered ──────────────────────────────────────────────────────────────────────────────


class RefundBody(Struct, frozen=True):
    """``reference``: the payment provider's name of it."""

    amount: Number
    reference: str
    reason: str


class PaidBody(Struct, frozen=True):
    """amount: what was asked for. kept: what the shop has of it. refunds: what went back.

    reference: the payment provider's name of it. position: of the log, at which this is true.
    """

    id: str
    order: str
    status: str
    amount: Number
    kept: Number
    currency: str
    reference: str | None
    refunds: list[RefundBody]
    position: int
    history: list[EntryBody]


class StepBody(Struct, frozen=True):
    """One fact. request: the id of what began it. cause: the command.

    reference: the provider's name of what it is about.
    """

    position: int
    at: str
    stream: str
    revision: int
    event: str
    who: str
    what: str
    why: str | None
    amount: Number | None
    reference: str | None
    request: str
    cause: str
    trace: str | None


class AttemptBody(Struct, frozen=True):
    """``method``: the provider's token of the card."""

    payment: str
    status: str
    amount: Number
    kept: Number
    method: str
    reference: str | None


class PackBody(Struct, frozen=True, rename="camel"):
    """Everything that happened in one purchase, and nothing of any other. requests: the ids of all that began
    any of it. position: of the log, at which this is true."""

    payment: str
    status: str
    order: str
    ticket: str
    title: str
    price: Number
    currency: str
    buyer: str
    dispute: str | None
    dispute_reason: str | None
    attempts: list[AttemptBody]
    requests: list[str]
    position: int
    timeline: list[StepBody]


# ── The routes ────────────────────────────────────────────────────────────────────────────────────


class Paid:
    def __init__(self, archive: Archive, as_of: AsOf, operators: Operators) -> None:
        self._archive = archive
        self._as_of = as_of
        self._operators = operators

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/api/v1/payments/:payment",
                handle=self.one,
                summary="How a payment stands, and what happened to it: for its buyer and for an operator",
                query=(AS_OF,),
                answers={200: PaidBody},
                errors=(400, 403, 404),
                signed_in=True,
                operator=True,
            ),
            Route(
                method="GET",
                path="/api/v1/payments/:payment/dispute-pack",
                handle=self.pack,
                summary="Everything that happened in the purchase that a payment is for: for an operator",
                query=(AS_OF,),
                answers={200: PackBody},
                errors=(400, 404),
                operator=True,
                page=True,
            ),
        ]

    async def one(self, call: Call) -> Answer:
        user = None if self._operators.proves(call) else call.user()
        payment_id = call.path_id("payment")
        then = await self._as_of.position(call)
        purchase = await self._purchase(payment_id, then)
        terms = _terms(purchase)
        if user not in (None, terms.buyer):
            raise Forbidden(NOT_YOURS)
        stream = payment.payment.stream(payment_id)
        facts = [fact for fact in purchase.facts if fact.stream == stream]
        state = payment.payment.fold(payment.payment.initial, [fact.event for fact in facts])
        assert not isinstance(state, payment.Unrequested), "its order names it, and it was found"
        past = getattr(state, "past", payment.Past())
        kept = payment.kept(state) or Money(0, state.request.amount.currency)
        body = PaidBody(
            payment_id,
            purchase.order_id,
            STATUSES[type(state)],
            state.request.amount.major,
            kept.major,
            kept.currency,
            getattr(state, "reference", None),
            [RefundBody(each.amount.major, each.reference, each.reason) for each in past.given],
            facts[-1].position,
            [*map(entry_body, timeline(facts, named(purchase.facts, terms.seller, user)))],
        )
        return tagged(call, json(200, body, VARY, *true_at(then)))

    async def pack(self, call: Call) -> Answer:
        self._operators.require(call)
        payment_id = call.path_id("payment")
        then = await self._as_of.position(call)
        pack = dispute_pack(payment_id, await self._purchase(payment_id, then))
        if wants_page(call):
            return tagged(call, pack_page(pack, *true_at(then)))
        return tagged(call, json(200, pack_body(pack), VARY, *true_at(then)))

    async def _purchase(self, payment_id: str, then: int | None) -> PastPurchase:
        """The purchase that a payment is for. Raises NotFound."""
        purchase = await purchase_of(self._archive, payment_id, END if then is None else then)
        if purchase is None:
            raise NotFound
        return purchase


async def purchase_of(archive: Archive, payment_id: str, until: int = END) -> PastPurchase | None:
    """The purchase that a payment is for; None if there is none. Raises as the archive does."""
    paid = (await archive.load(payment.payment, payment_id, until)).state
    if isinstance(paid, payment.Unrequested):
        return None
    purchase = await archive.purchase(paid.request.order, until)
    return None if isinstance(purchase.order, order.Unplaced) else purchase


def _terms(purchase: PastPurchase) -> order.Terms:
    assert not isinstance(purchase.order, order.Unplaced), "it was looked up as one that was placed"
    return purchase.order.terms


# ── Shapes ────────────────────────────────────────────────────────────────────────────────────────


def pack_page(pack: DisputePack, *headers: Header) -> Answer:
    """The pack for a person to read, and to print."""
    days = [(group[0].at, group) for group in ([*same] for _, same in groupby(pack.steps, _day))]
    return page("dispute.html", headers, pack=pack, days=days)


def _day(step: Step) -> str:
    return f"{step.at:%Y-%m-%d}"


def pack_body(pack: DisputePack) -> PackBody:
    return PackBody(
        pack.payment,
        pack.status,
        pack.order,
        pack.ticket,
        pack.title,
        pack.price.major,
        pack.price.currency,
        pack.buyer,
        pack.dispute,
        pack.dispute_reason,
        [
            AttemptBody(
                each.payment, each.status, each.amount.major, each.kept.major, each.method, each.reference
            )
            for each in pack.attempts
        ],
        [*pack.requests],
        pack.position,
        [*map(_step, pack.steps)],
    )


def _step(step: Step) -> StepBody:
    return StepBody(
        step.position,
        moment(step.at),
        step.stream,
        step.revision,
        step.event,
        step.who,
        step.what,
        step.why or None,
        step.amount.major if step.amount else None,
        step.reference,
        step.request,
        step.cause,
        step.trace,
    )
