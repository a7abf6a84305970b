"""``admitone verify-receipt``: whether a ticket's receipt is true."""

import asyncio
from typing import IO, TYPE_CHECKING

import click

from deploy.commands.options import load, setting
from deploy.failing import DAMAGED, Failed
from deploy.reading import EMBEDDED
from deploy.settings import Settings

if TYPE_CHECKING:
    from gateways.raw_log import RawEvent
    from gateways.receipts import Entry, Receipt

LARGEST = 4_000_000
"""Bytes of a file that is looked at: a ticket with ten thousand events has fewer."""


@click.command("verify-receipt", short_help="check a ticket's receipt, alone or against the log")
@click.argument("receipt", type=click.File("rb"))
@click.option("--alone", is_flag=True, help="check its signature and its events only; no log is needed")
@click.option(
    "--key", metavar="KEY", help="the shop's public key (x in its /.well-known/jwks.json), to insist on"
)
@setting("data")
@setting("store")
def verify_receipt(receipt: IO[bytes], key: str | None, *, alone: bool, **options: str | None) -> None:
    """Check the RECEIPT of a ticket (a file, or - for standard input) and say what it tells.

    Alone: that its content is what was signed with the key in it, and whole from the first event on. With
    --key, that this is the shop's key. Against the log, unless --alone: that each event stands there as the
    receipt has it, unaltered. Exits with 1 if it is not true, with 3 if it is the log that is damaged.
    """
    from gateways.receipt_keys import key_id
    from gateways.receipts import NoReceipt, read

    name = getattr(receipt, "name", "receipt")
    told = load(**options)
    try:
        found = read(_content(receipt), key)
        since = None if alone else asyncio.run(_confirm(told, found.receipt))
    except NoReceipt as error:
        raise Failed(f"{name} is not true: {error}") from None
    _tell(found.receipt)
    whose = "the shop's key" if key is not None else f"the key {found.key} ({key_id(found.key)})"
    click.echo(f"Signed with {whose}.")
    if key is None:
        click.echo("Whether that is the shop's own stands in its /.well-known/jwks.json: give it with --key.")
    if since is not None:
        later = f"; since then {since:,} more happened to the ticket" if since else ""
        click.echo(f"The log confirms each event{later}.")


def _content(receipt: IO[bytes]) -> bytes:
    from gateways.receipts import NoReceipt

    content = receipt.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise NoReceipt(f"it has more than {LARGEST:,} bytes")
    return content


async def _confirm(told: Settings, receipt: "Receipt") -> int:
    """How many events of the ticket came later. Raises NoReceipt, Failed, StoreUnavailable."""
    from deploy.raw_stores import raw_source
    from gateways.chain_proof import Flawed
    from gateways.receipts import confirm

    stream, events = f"ticket-{receipt.ticket}", list["RawEvent"]()
    embedded = told.store == EMBEDDED
    name, option = (str(told.data), "--data") if embedded else (told.store, "--store")
    async with raw_source(name, option) as log:
        while event := await log.at(stream, len(events)):
            events.append(event)
    try:
        return confirm(receipt, events)
    except Flawed as flaw:
        raise Failed(f"the log is damaged: {flaw}. Run: admitone verify-log", DAMAGED) from None


def _tell(receipt: "Receipt") -> None:
    from deploy.facts import clean

    to = "its seller" if receipt.issued_to is None else f"its owner, buyer {receipt.issued_to}"
    click.echo(f"“{clean(receipt.title)}” (ticket {clean(receipt.ticket)}), issued to {to}")
    for entry in receipt.events:
        click.echo(f"  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {clean(entry.event):16} {_standing(entry)}")


def _standing(entry: "Entry") -> str:
    from domain.money import Money

    by = {"held": "held by", "sold": "sold to"}.get(entry.standing)
    who = f"{by} buyer {entry.buyer}" if by and entry.buyer else entry.standing
    return f"{who}, {Money(entry.price.amount, entry.price.currency)}"
