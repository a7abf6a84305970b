"""``python -m tests.simulation``: play many histories, or one again with its whole story."""

import sys
import time

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.paths import EXPECTED
from tests.simulation.play import Played, cores, play, play_all, quiet
from tests.simulation.world import Outside


@click.command()
@click.option("--histories", default=20_000, show_default=True, help="How many to play.")
@click.option("--seed", default=0, show_default=True, help="Which ones: each seed has its own.")
@click.option("--workers", default=cores(), show_default=True, help="On how many cores.")
@click.option("--replay", metavar="SEED", help="Play one again, as 0/4711, and tell its story.")
@click.option("--wire", is_flag=True, help="On EventStoreDB's double, through the real adapter.")
def main(histories: int, seed: int, workers: int, replay: str | None, *, wire: bool) -> None:
    """Play seeded histories of the whole business; exit with 1 if one of them breaks a promise."""
    console = Console()
    outside = _outside(wire=wire)
    if replay is not None:
        sys.exit(_replay(replay, console, outside))
    total, took = _play(histories, seed, workers, console, outside)
    console.print(_summary(total, took))
    for failure in total.failures[:3]:
        console.rule("a promise was broken")
        _replay(failure.seed, console, outside)
    sys.exit(bool(total.failures))


def _outside(*, wire: bool) -> type[Outside]:
    if not wire:
        return Outside
    from tests.simulation.on_double import OnDouble

    return OnDouble


def _play(
    histories: int, seed: int, workers: int, console: Console, outside: type[Outside]
) -> tuple[Played, float]:
    total, began = Played(), time.monotonic()
    columns = TextColumn("histories"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, TextColumn("{task.fields[broken]}"), console=console) as progress:
        task = progress.add_task("histories", total=histories, broken="")
        for played in play_all(seed, histories, workers, outside):
            total.add(played)
            broken = f"[red]{len(total.failures)} broken" if total.failures else ""
            progress.update(task, completed=total.histories, broken=broken)
            if len(total.failures) >= workers:
                break
    return total, time.monotonic() - began


def _summary(total: Played, took: float) -> Table:
    table = Table(
        title=f"{total.histories:,} histories in {took:.0f} s: {total.histories / took:,.0f} a second, "
        f"{total.steps / max(1, total.histories):.0f} steps and {total.facts / max(1, total.histories):.1f} "
        f"facts each, {len(total.failures)} broken"
    )
    table.add_column("in how many of them")
    table.add_column("histories", justify="right")
    table.add_column("of all", justify="right")
    for path in (*EXPECTED, *sorted(total.paths.keys() - set(EXPECTED))):
        seen = total.paths[path]
        table.add_row(path, f"{seen:,}", f"{seen / max(1, total.histories):.2%}", style="" if seen else "red")
    return table


def _replay(seed: str, console: Console, outside: type[Outside]) -> int:
    quiet()
    story: list[str] = []
    played = play(seed, story=story, outside=outside)
    console.print("\n".join(story), markup=False, highlight=False, soft_wrap=True)
    for failure in played.failures:
        console.print(str(failure), style="red", markup=False, highlight=False, soft_wrap=True)
    if not played.failures:
        console.print(f"history {seed} keeps every promise")
    return len(played.failures)


if __name__ == "__main__":
    main()
