"""``admitone dispute-pack``: everything that happened in the purchase that a payment is for."""

import asyncio
import sys

import click

from deploy.commands.options import existing, load, setting
from deploy.failing import Failed
from deploy.reading import EMBEDDED
from deploy.settings import Settings


@click.command(
    "dispute-pack", short_help="give all that happened in a purchase, for a bank that questions it"
)
@click.argument("payment", metavar="PAYMENT")
@click.option("--page", is_flag=True, help="as a page in HTML, to read and to print  [default: as JSON]")
@setting("data")
@setting("store")
def dispute_pack(payment: str, *, page: bool, **options: str | None) -> None:
    """Give the whole timeline of the purchase that PAYMENT is for: who, what, when, request ids, and the
    payment provider's names of it all. Nothing of other people is in it, and nothing is written."""
    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    sys.stdout.buffer.write(asyncio.run(_pack(told, payment, page=page)) + b"\n")


async def _pack(told: Settings, payment: str, *, page: bool) -> bytes:
    import msgspec

    from deploy.log_beside import opened
    from gateways.http.paid import pack_body, pack_page, purchase_of
    from processmanager.archive import Archive
    from processmanager.dispute_pack import dispute_pack

    async with opened(told) as log:
        purchase = await purchase_of(Archive(log), payment)
    if purchase is None:
        raise Failed(f"there is no payment {payment}")
    pack = dispute_pack(payment, purchase)
    return pack_page(pack).body if page else msgspec.json.encode(pack_body(pack))
