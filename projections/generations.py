"""Which of several files is the read model now: a link that is turned from one to the next at once.

``catalogue.sqlite`` is a file, or a link to one of its generations ``catalogue.sqlite.1``, ``.2`` and so on,
each with a write-ahead log of its own. ``catalogue.sqlite.before`` is a link to the one that it was before.
Whoever opens the path gets the one or the other, whole; SQLite follows the link before it opens anything.

A wish for another generation is a file beside them. Whoever feeds the model fulfils it or says why not.
"""

import os
from contextlib import suppress
from pathlib import Path

from projections.file import actual, remove


def unused(live: Path) -> Path:
    """A name for one more generation."""
    number = 1
    while (name := _beside(live, str(number))).exists():
        number += 1
    return name


def is_plain(live: Path) -> bool:
    """Whether it is still a file of its own, and no link to a generation."""
    return not live.is_symlink()


def before(live: Path) -> Path | None:
    """The generation before this one, if it is still there."""
    link = _beside(live, "before")
    return actual(link) if link.is_symlink() and link.exists() else None


def turn(live: Path, to: Path) -> None:
    """Have ``live`` mean the generation ``to`` from now on, in one step.

    The one until now is kept as the one before, and what was before that is deleted. If ``live`` is still a
    plain file, all that was written to it must be in the file itself. Raises OSError.
    """
    older = before(live)
    if is_plain(live):
        was = unused(live)
        os.link(live, was)
    else:
        was = actual(live)
    _link(_beside(live, "before"), was)
    _link(live, to)
    if older is not None and older not in (was, actual(to)):
        remove(older)


def _link(link: Path, to: Path) -> None:
    new = link.with_name(f"{link.name}-new")
    new.unlink(missing_ok=True)
    new.symlink_to(to.name)
    os.replace(new, link)


# ── Wishes ────────────────────────────────────────────────────────────────────────────────────────


def wish(live: Path, to: Path) -> None:
    """Ask whoever feeds ``live`` to go on with the generation ``to``."""
    _beside(live, "refused").unlink(missing_ok=True)
    new = _beside(live, "wish-new")
    new.write_text(to.name)
    os.replace(new, _beside(live, "wish"))


def wished(live: Path) -> Path | None:
    """The generation that is asked for, if one is."""
    with suppress(OSError):
        name = _beside(live, "wish").read_text().strip()
        if name.startswith(f"{live.name}.") and "/" not in name:
            return live.with_name(name)
    return None


def forget_wish(live: Path) -> None:
    """It is fulfilled, or taken back."""
    _beside(live, "wish").unlink(missing_ok=True)


def refuse(live: Path, why: str) -> None:
    """Say why a wish is not fulfilled."""
    _beside(live, "refused").write_text(why)
    forget_wish(live)


def refusal(live: Path) -> str | None:
    """Why the last wish was not fulfilled."""
    try:
        return _beside(live, "refused").read_text()
    except FileNotFoundError:
        return None


def _beside(live: Path, what: str) -> Path:
    return live.with_name(f"{live.name}.{what}")
