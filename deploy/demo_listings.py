"""What an empty marketplace is given to try it with. Every title says that it is for demonstration."""

from collections.abc import Callable

from domain.decider import Refused
from domain.ids import derived_id
from domain.money import Money, decimals
from processmanager.desk import Cause
from processmanager.marketplace import Marketplace

MARK = "[demo]"
SELLER = derived_id("demo", "seller")
"""The demonstration account: nobody can sign in to it, for it has no password."""

LISTINGS = (
    ("Open-air cinema, blanket for two", 24),
    ("Chamber music at noon, row 3", 38),
    ("The late show, standing", 19),
    ("Opening night, stalls, seat 12", 85),
    ("Derby day, north stand", 45),
)


async def seed(marketplace: Marketplace, head: Callable[[], int], currency: str) -> None:
    """List the demonstration tickets if the log is empty.

    Ids are derived, so processes that do this at the same moment list each ticket once.
    """
    if head() > 0:
        return
    for title, price in LISTINGS:
        ticket = derived_id("demo", "ticket", title)
        cause = Cause(correlation="demo-listings", causation=f"demo:{ticket}", actor="demo")
        amount = Money(price * 10 ** decimals(currency), currency)
        try:
            await marketplace.list_ticket(ticket, SELLER, f"{MARK} {title}", amount, cause)
        except Refused:
            # Another process was first, and somebody has bought the ticket already.
            continue
