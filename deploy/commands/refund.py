"""``admitone refund``: an operator's word that money goes back, with its reason."""

import asyncio
from typing import TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.failing import Failed
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from domain.money import Money
    from processmanager.marketplace import Marketplace, Paid


@click.command(short_help="give the money of an order back, whole or in part")
@click.argument("order", metavar="ORDER")
@click.option("--reason", required=True, help="why, as it will stand in the log: the seller withdrew, …")
@click.option("--amount", metavar="NUMBER", help="how much of it, such as 5.00  [default: all that is left]")
@click.option("--by", default="operator", help="who decides this, as it will stand in the log")
@setting("data")
@setting("store")
def refund(order: str, reason: str, amount: str | None, by: str, **options: str | None) -> None:
    """Give the money that was paid for ORDER back. With all of it, the ticket goes back on sale.

    The same reason and amount again give nothing more, and say so: another part of the same amount needs a
    reason of its own. A server may be running; it goes on with a refund
    that the payment provider cannot make now.
    """
    from domain.decider import Refused
    from processmanager.pump import StepFailed

    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    try:
        paid = asyncio.run(_refund(told, order, reason, amount, by))
    except Refused as refused:
        raise Failed(refused.message) from None
    except StepFailed as failed:
        raise Failed(
            f"the refund of order {order} is recorded, but could not be made yet: {failed.error}; "
            "a running server goes on with it"
        ) from None
    click.echo(_what_became_of_it(order, paid))


async def _refund(told: Settings, order: str, reason: str, amount: str | None, by: str) -> "Paid":
    from contextlib import AsyncExitStack

    from deploy.parts import open_parts
    from processmanager.desk import Cause

    async with AsyncExitStack() as closing:
        marketplace = (await open_parts(told, closing)).marketplace
        part = None if amount is None else await _part(told, marketplace, order, amount)
        cause = Cause(correlation=order, causation=f"refund:{order}:{amount or 'all'}:{reason}", actor=by)
        return await marketplace.refund(order, reason, cause, part)


async def _part(told: Settings, marketplace: "Marketplace", order_id: str, amount: str) -> "Money":
    from deploy.provider import check_payable
    from domain.money import Money
    from domain.order import UNKNOWN, Unplaced

    placed = (await marketplace.order(order_id)).state
    if isinstance(placed, Unplaced):
        raise Failed(UNKNOWN.message)
    try:
        part = Money.parse(amount, placed.terms.price.currency)
        # What is recorded is tried until it is done, and this never could be.
        check_payable(told, part)
    except ValueError as wrong:
        raise Failed(f"--amount: {wrong}") from None
    return part


def _what_became_of_it(order: str, paid: "Paid") -> str:
    from domain.payment import ChargedBack, Refunded, Refunding, kept

    match paid.payment:
        case Refunded() if paid.repeated:
            return f"This was done before: all the money of order {order} has gone back."
        case Refunded():
            return f"The money of order {order} went back, and its ticket is on sale again."
        case ChargedBack():
            return f"The buyer's bank had given him the money of order {order} back before."
        case Refunding():
            return f"The refund of order {order} is on its way; a running server follows it."
        case _ if paid.repeated:
            return (
                f"This was done before, and nothing more went back: {kept(paid.payment)} is kept of order "
                f"{order}. To give as much once more, give another --reason."
            )
        case _:
            return f"A part of the money of order {order} went back; {kept(paid.payment)} is kept."
