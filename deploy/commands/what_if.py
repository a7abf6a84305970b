"""``admitone what-if``: the recorded past under another policy."""

import asyncio
import sys
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import existing, load, setting
from deploy.commands.reaching import reaching, tell_hidden
from deploy.failing import WRONG_SETTINGS, Failed
from deploy.reading import EMBEDDED

if TYPE_CHECKING:
    from deploy.replaying import Compared
    from deploy.settings import Settings
    from domain.money import Money
    from processmanager.what_if import Change, Tally


@click.command("what-if", short_help="replay the past under another policy")
@click.option(
    "--hold", type=click.FloatRange(1, 30 * 86400), metavar="SECONDS", help="how long a ticket is held"
)
@click.option("--holds-per-buyer", type=click.IntRange(min=0), metavar="N", help="how many at the same time")
@click.option("--price-cap", metavar="AMOUNT", help="the highest price that may be asked, as in 49.50")
@click.option("--until", metavar="WHEN", help="replay up to this position or time")
@setting("data")
@setting("store")
def what_if(
    *, hold: float | None, holds_per_buyer: int | None, price_cap: str | None, until: str | None,
    **options: str | None,
) -> None:  # fmt: skip
    """Decide what people asked for again, under another policy, and compare. Changes nothing.

    What they asked for is derived from what is recorded: who reserved, paid and cancelled, and when. So a
    buyer who was refused back then is not counted, and sales won are those at least. With no option the
    policy is as it was, and the recorded history comes out again.
    """
    from processmanager.what_if import Change

    told = load(**options)
    if told.store == EMBEDDED:
        existing(told.data)
    change = Change(
        None if hold is None else timedelta(seconds=hold), holds_per_buyer, _cap(price_cap, told.currency)
    )
    compared = asyncio.run(_compare(told, change, until))
    if compared.differs is not None:
        raise Failed(
            f"the policy as it was does not give the recorded history: it differs at position "
            f"{compared.differs}, so nothing can be said of another one. See: admitone doctor"
        )
    if sys.stdout.isatty():
        _table(compared)
    else:
        _json(compared)


def _cap(text: str | None, currency: str) -> Any:
    """Whether a price is above the cap, which is in the currency of the price."""
    if text is None:
        return None
    from domain.money import Money

    def read(of: str) -> "Money":
        try:
            return Money.parse(text, of)
        except ValueError as error:
            raise Failed(f"--price-cap: {error}, not '{text}'", WRONG_SETTINGS) from None

    if read(currency).amount <= 0:
        raise Failed("--price-cap must be more than nothing", WRONG_SETTINGS)
    return lambda price: price.amount > read(price.currency).amount


async def _compare(told: "Settings", change: "Change", until: str | None) -> "Compared":
    from deploy.exporting import pages
    from deploy.log_beside import opened
    from deploy.replaying import Comparing
    from deploy.when import Span, position

    comparing = Comparing(change)
    async with opened(told) as log:
        last = await position(log, until, "--until")
        with reaching(log.head()) as tell:
            async with aclosing(pages(log, Span(last=last), tell)) as part:
                async for page in part:
                    comparing.take(page)
        tell_hidden(log)
    return comparing.compared()


def _figures(tally: "Tally") -> dict[str, int]:
    return {
        "tickets listed": tally.listed,
        "holds": tally.holds,
        "holds that expired unpaid": tally.expired,
        "sales": tally.sales,
        "minutes held for nothing": round(tally.wasted.total_seconds() / 60),
    }


def _with_revenue(tally: "Tally") -> dict[str, int]:
    revenue = sorted(tally.revenue.items())
    return _figures(tally) | {f"revenue in minor units of {currency}": amount for currency, amount in revenue}


def _json(compared: "Compared") -> None:
    import msgspec

    answer = {
        "events": compared.events,
        "position": compared.position,
        "recorded": _with_revenue(compared.recorded),
        "otherwise": _with_revenue(compared.otherwise),
        "sales won": compared.won,
        "sales lost": compared.lost,
        "refused": compared.otherwise.refused,
    }
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


def _table(compared: "Compared") -> None:
    from rich.console import Console
    from rich.table import Table

    from domain.money import Money

    table = Table("", "as it was", "otherwise", "difference", box=None, pad_edge=False)
    recorded, otherwise = _figures(compared.recorded), _figures(compared.otherwise)
    for name, was in recorded.items():
        would = otherwise[name]
        table.add_row(name, f"{was:,}", f"{would:,}", f"{would - was:+,}" if would != was else "")
    earned, would_be = compared.recorded.revenue, compared.otherwise.revenue
    for currency in sorted(earned | would_be):
        before, after = (Money(each.get(currency, 0), currency) for each in (earned, would_be))
        more = "+" if after.amount > before.amount else ""
        table.add_row(
            "revenue", str(before), str(after), f"{more}{after - before}" if after != before else ""
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\nSales won: {compared.won:,}, at least. Sales lost: {compared.lost:,}.")
    for code, count in sorted(compared.otherwise.refused.items()):
        console.print(f"Refused: {count:,} ({code}).")
    console.print(f"The policy as it was gives the recorded {compared.events:,} events again.")
