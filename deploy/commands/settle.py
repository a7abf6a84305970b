"""``admitone settle``: make the log and the payment provider agree on one payment."""

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from deploy.commands.options import existing, load, setting
from deploy.failing import Failed
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from deploy.parts import Parts
    from domain.payment import State
    from processmanager.ports import Attempt
    from processmanager.settling import Outcome, Settler
    from projections.provider_books import Held

REASON = "it was taken for nothing that was sold"


@click.command(short_help="make the log and the payment provider agree on one payment")
@click.argument("name", metavar="PAYMENT|REFERENCE")
@click.option(
    "--give-back", is_flag=True, help="void or refund what the provider holds and the log does not want"
)
@click.option(
    "--reason", default=REASON, show_default=True, help="why it goes back, as it will stand in the log"
)
@click.option("--by", default="operator", help="who decides this, as it will stand in the log")
@setting("data")
@setting("store")
def settle(name: str, *, give_back: bool, reason: str, by: str, **options: str | None) -> None:
    """Ask the provider what became of PAYMENT, record it, and do what its purchase then needs.

    With --give-back also REFERENCE, the provider's own name (pi_…) of money that `admitone reconcile` found
    and no order goes by. A server may be running. Doing it twice is doing it once.
    """
    from domain.decider import Refused
    from processmanager.ports import KeyReused, PaymentsUnavailable
    from processmanager.pump import StepFailed
    from projections.provider_books import BooksUnavailable

    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    try:
        click.echo(asyncio.run(_settle(told, name, reason if give_back else None, by)))
    except Refused as refused:
        raise Failed(refused.message) from None
    except (StepFailed, PaymentsUnavailable, BooksUnavailable, KeyReused) as trouble:
        raise Failed(f"{name} could not be settled now: {trouble}") from None


async def _settle(told: Settings, name: str, reason: str | None, by: str) -> str:
    from deploy.parts import open_parts

    async with AsyncExitStack() as closing:
        return await settled(told, await open_parts(told, closing), name, reason, by)


async def settled(told: Settings, parts: "Parts", name: str, reason: str | None, by: str) -> str:
    """What became of the payment, or the provider's attempt, ``name``, in one line.

    reason: why it goes back; None if it is not to. Raises Failed, and what the settler raises.
    """
    from domain.payment import Unrequested, kept, payment
    from processmanager.desk import Cause
    from processmanager.settling import Settler

    settler = Settler(parts.desk, parts.pump, parts.payments)
    known = (await parts.desk.load(payment, name)).state
    cause = Cause(correlation=name, causation=f"settle:{name}", actor=by)
    if isinstance(known, Unrequested):
        return await _of_reference(told, parts, settler, name, reason)
    if reason is None:
        state = await settler.settle(name, cause)
    else:
        state = await settler.give_back(name, reason, cause)
    return f"Payment {name} is {type(state).__name__.lower()}; {kept(state) or 'nothing'} is kept of it."


async def _of_reference(
    told: Settings, parts: "Parts", settler: "Settler", name: str, reason: str | None
) -> str:
    from deploy.provider import open_books
    from domain.payment import payment

    books = open_books(told)
    try:
        held = await books.find(name)
    finally:
        await books.close()
    if held is None:
        raise Failed(f"neither the log nor the payment provider knows of {name}")
    known = (await parts.desk.load(payment, held.payment)).state
    if _goes_by(known, held):
        raise Failed(f"the log goes by {name}: give the payment, as in `admitone settle {held.payment}`")
    if reason is None:
        raise Failed(
            f"the provider has {held.amount} in {name}, which the log does not want: add --give-back"
        )
    return _WORDS[await settler.end_stray(_attempt(held))].format(name=name, amount=held.amount)


def _goes_by(known: "State", held: "Held") -> bool:
    """Whether the log holds this very attempt for open, or for paid."""
    from domain.payment import Declined, Unrequested, Voided

    if isinstance(known, Unrequested | Declined | Voided):
        return False
    return getattr(known, "reference", held.reference) == held.reference


def _attempt(held: "Held") -> "Attempt":
    from processmanager.ports import Attempt

    return Attempt(held.payment, held.order, held.amount, held.method, held.reference)


_WORDS: "dict[Outcome, str]" = {
    "agrees": "Nothing is left of {name}.",
    "ended": "{name} was ended; no money can be taken by it.",
    "given back": "{amount} of {name} went back, or are on their way.",
    "holds money": "The provider could not give {amount} of {name} back; try it again later.",
}
