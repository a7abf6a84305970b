"""``make bench``: measure, print a table, write JSON.

Floor and figure are taken in one run on one machine, so a share can be compared with another machine's.
"""

import argparse
import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import cluster, past, paying, reading, replaying, selling
from benchmarks.figures import Figure

RESULTS = Path(__file__).parent / "results" / "latest.json"
PARTS: dict[str, Callable[[Path], Coroutine[None, None, list[Figure]]]] = {
    "selling": selling.measure,
    "paying": paying.measure,
    "reading": reading.measure,
    "replaying": replaying.measure,
    "past": past.measure,
    "eventstoredb": cluster.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "parts", nargs="*", default=[*PARTS], help=f"which of {', '.join(PARTS)}; default: all"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    told = parser.parse_args()
    if unknown := set(told.parts) - PARTS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    console = Console(stderr=True)
    figures: dict[str, list[Figure]] = {}
    place = Path(tempfile.mkdtemp(prefix="admitone-bench-"))
    try:
        for part in told.parts:
            with console.status(f"measuring: {part}"):
                figures[part] = _run(part, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    _write(told.out, figures)
    Console().print(_table(figures))
    console.print(f"written to {told.out}")


def _run(part: str, place: Path) -> list[Figure]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(PARTS[part](place))


def _table(figures: dict[str, list[Figure]]) -> Table:
    table = Table(
        title="Admit One, measured; share: of the floor that is named",
        caption=_machine(),
        caption_justify="left",
    )
    table.add_column("", ratio=1)
    for column in ("figure", "share", "wanted"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for part, measured in figures.items():
        table.add_section()
        table.add_row(f"[bold]{part}")
        for figure in measured:
            table.add_row(*_cells(figure))
    return table


def _cells(figure: Figure) -> tuple[str, ...]:
    value = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.2f}"
    share = "" if figure.share is None else f"{figure.share:.2f}"
    bound = "" if figure.wanted is None else f"{'≤' if figure.at_most else '≥'} {figure.wanted:,g}"
    met = {None: "", True: "[green]yes", False: "[red]no"}[figure.met]
    # What belongs to a figure stands below it, not in columns of a few letters beside it.
    below = "; ".join(filter(None, (figure.floor and f"of: {figure.floor}", figure.note)))
    name = f"{figure.name}\n  [dim]{escape(below)}[/dim]" if below else figure.name
    return (name, f"{value} {figure.unit}", share, bound, met)


def _machine() -> str:
    return f"Python {platform.python_version()}, {platform.machine()}, {_cores()} cores"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _write(path: Path, figures: dict[str, list[Figure]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"at": datetime.now(UTC), "machine": _machine(), "figures": figures}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


if __name__ == "__main__":
    main()
