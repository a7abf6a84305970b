"""A purchase as its streams show it, the order's first: it names the other two."""

from domain import order, payment, ticket
from processmanager.desk import Desk
from processmanager.purchase import Purchase


async def look(desk: Desk, order_id: str, ticket_id: str | None = None, *, current: bool = True) -> Purchase:
    """The purchase of an order, as it is now.

    ticket_id: whose hold names the order, in case the order was never placed.
    current: False gives what was seen last, which may be a little behind.
    Raises UnreadableStream, StoreUnavailable.
    """
    see = desk.load if current else desk.recall
    placed = await see(order.order, order_id)
    payment_id: str | None = None
    match placed.state:
        case order.Paying() | order.Revived() | order.Completed() | order.Cancelled():
            payment_id = placed.state.payment
    if not isinstance(placed.state, order.Unplaced):
        ticket_id = placed.state.terms.ticket
    held = await see(ticket.ticket, ticket_id) if ticket_id is not None else None
    paid = await see(payment.payment, payment_id) if payment_id is not None else None
    return Purchase(
        order_id,
        ticket_id,
        payment_id,
        placed.state,
        held.state if held else ticket.ticket.initial,
        paid.state if paid else payment.payment.initial,
        max(seen.position for seen in (placed, held, paid) if seen is not None),
    )
