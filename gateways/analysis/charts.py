"""Bars as SVG, drawn here and not by a library: a report must have the same bytes for ever, and the next
version of a library draws a little differently.

Numbers go out with one decimal and in a fixed order. Colours come from the page's style.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil

from msgspec import Struct

WIDTH, HEIGHT = 760, 260
LEFT, RIGHT, TOP, BOTTOM = 60, 8, 14, 36
WIDEST = 72
"""No bar is wider, however few there are."""
LETTER, NARROW = 6.5, 12.0
"""How wide a letter of a label is, and where the page is narrow: there it is large beside the picture."""


class Series(Struct, frozen=True):
    """One colour of a chart: a value for each bar. ``style`` is its class in the page's style."""

    name: str
    style: str
    values: Sequence[int]


def bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Bars side by side, each of its series on top of one another."""
    totals = [sum(each.values[index] for each in series) for index in range(len(labels))]
    top = _nice(max(totals, default=0))
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" xmlns="http://www.w3.org/2000/svg"'
    begin = f'<svg {size} role="img" aria-label="{escape(title)}">'
    parts = [begin, *_scale(top), *_bars(labels, series, top), *_names(labels), "</svg>"]
    return "\n".join(parts)


def _scale(top: int) -> Iterator[str]:
    steps = next(steps for steps in (4, 5, 2, 1) if top % steps == 0)
    for step in range(steps + 1):
        value = top * step // steps
        y = _y(value, top)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="number" x="{LEFT - 6}" y="{y + 4:.1f}">{value:,}</text>'


def _bars(labels: Sequence[str], series: Sequence[Series], top: int) -> Iterator[str]:
    wide = _wide(labels)
    bar = min(wide * 0.8, WIDEST)
    for index, label in enumerate(labels):
        below = 0
        for each in series:
            value = each.values[index]
            if value:
                y, tall = _y(below + value, top), _y(below, top) - _y(below + value, top)
                yield (
                    f'<rect class="{each.style}" x="{LEFT + (index + 0.5) * wide - bar / 2:.1f}" y="{y:.1f}" '
                    f'width="{bar:.1f}" height="{tall:.1f}">'
                    f"<title>{escape(label)}: {value:,} {escape(each.name)}</title></rect>"
                )
            below += value


def _names(labels: Sequence[str]) -> Iterator[str]:
    wide, longest = _wide(labels), max(map(len, labels), default=0) + 2
    every = max(1, ceil(longest * LETTER / wide))
    kept = max(1, ceil(longest * NARROW / (every * wide)))
    for number, index in enumerate(range(0, len(labels), every)):
        x = LEFT + (index + 0.5) * wide
        style = "label" if number % kept == 0 else "label spare"
        yield f'<text class="{style}" x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}">{escape(labels[index])}</text>'


def _wide(labels: Sequence[str]) -> float:
    return (WIDTH - LEFT - RIGHT) / max(1, len(labels))


def _y(value: int, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _nice(most: int) -> int:
    """The least of 1, 2, 4, 5, 8, then 10, 12, 16, 20, 28, 40, 60, 80, 100, … that is not below ``most``."""
    small = next((top for top in (1, 2, 4, 5, 8) if top >= most), None)
    if small is not None:
        return small
    power = 1
    while True:
        for lead in (10, 12, 16, 20, 28, 40, 60, 80):
            if lead * power >= most:
                return lead * power
        power *= 10
