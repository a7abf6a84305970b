"""Agendas in memory, used again from history to history: opening one costs more than a purchase."""

from projections.agenda import AGENDA
from projections.file import HOUSEKEEPING, MEMORY
from projections.read_model import ReadModel

_shelf: list[ReadModel] = []


def empty_agenda() -> ReadModel:
    """An agenda that has heard of nothing yet. Whoever is done with it puts it back."""
    if not _shelf:
        return ReadModel(AGENDA, MEMORY)
    model = _shelf.pop()
    forget(model)
    return model


def put_back(model: ReadModel) -> None:
    """Unless it holds something back, which it would go on to do."""
    if not model.held:
        _shelf.append(model)


def forget(model: ReadModel) -> None:
    """As if its file had been deleted. Nobody feeds it now, so there is nothing that it has not saved."""
    for table in tables(model):
        model.rows(f"DELETE FROM {table}")
    model.rows("UPDATE feed SET position = 0, partial = 0")
    model.position = model.saved = 0


def tables(model: ReadModel) -> list[str]:
    """The projection's own tables."""
    names = model.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in names if name not in HOUSEKEEPING and not name.startswith("sqlite_")]


def dump(model: ReadModel) -> dict[str, list[str]]:
    """All rows of all tables, in an order of their own."""
    return {
        table: sorted(repr(row) for row in model.rows(f"SELECT * FROM {table}")) for table in tables(model)
    }
