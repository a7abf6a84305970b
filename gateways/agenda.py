"""The agenda of the watchdog, kept by a projection: the port's words for the read model's rows."""

from collections.abc import Sequence
from datetime import datetime

from processmanager.ports import Due
from projections.agenda import AgendaTable


class ProjectedAgenda:
    """Satisfies ``processmanager.ports.Agenda``."""

    def __init__(self, table: AgendaTable) -> None:
        self._table = table

    def due(self, now: datetime, limit: int, after: Due | None = None) -> Sequence[Due]:
        behind = None if after is None else (after.at, after.order)
        return [Due(*row) for row in self._table.due(now, limit, behind)]

    def next_due(self) -> datetime | None:
        return self._table.next_due()
