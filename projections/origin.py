"""Which log a read model was made from. Positions are each log's own, so another's mean nothing.

A read model remembers the kind of store and the id of the event at its position. If another event stands
there, or the store is of another kind, the file is of no use: the shop was moved, or its log exchanged.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from msgspec import Struct

from projections.read_model import ReadModel


class Origin(Struct, frozen=True):
    """kind: what kind of store this log is in. id_at: the id of the event at a position, or of the next
    one there is; None if the log has none there. head: the log's last position that is known."""

    kind: str
    id_at: Callable[[int], Awaitable[UUID | None]]
    head: Callable[[], int]

    async def claim(self, model: ReadModel) -> bool:
        """Whether ``model`` was made from this log. From now on it is.

        A log that ends before the model's position may be this one, with its end lost: that is for whoever
        follows it to say. Raises what ``id_at`` raises.
        """
        kind, last_id = model.origin
        model.kind = self.kind
        if model.position == 0:
            return True
        if kind != self.kind:
            return False
        found = await self.id_at(model.position)
        return self.head() < model.position if found is None else str(found) == last_id
