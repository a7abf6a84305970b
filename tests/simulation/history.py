"""One history of the marketplace, from a seed: an opening, chaos, perhaps an outage, and peace."""

from random import Random

from tests.simulation.chaos import Chaos
from tests.simulation.peace import Peace
from tests.simulation.process import Parts
from tests.simulation.world import Outside, World

OUTAGES = 0.12
"""In how many histories the payment provider is gone for a long time."""


class History(World):
    """``seed`` decides everything. ``story``: a list that is given a line for each thing that happens.

    outside: what it is played on.
    """

    def __init__(
        self,
        seed: str,
        parts: Parts | None = None,
        story: list[str] | None = None,
        outside: type[Outside] = Outside,
    ) -> None:
        super().__init__(Random(seed), parts or Parts(), story, outside)

    def play(self) -> None:
        """Raises Violation, or whatever the code under test raises that it must not."""
        peace = Peace(self)
        for ticket_id, seller in self.people.tickets.items():
            self.send(self.people.list_ticket(ticket_id, seller))
        peace.move_what_can_be_moved()
        Chaos(self).run()
        if self.rng.random() < OUTAGES:
            peace.outage()
        peace.run()
