"""The report: one HTML file that needs nothing else, the same bytes for the same position for ever.

It shows no names: neither titles nor accounts nor ids. Days are those of UTC.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct

from domain.money import Money
from gateways.analysis.charts import Series, bars
from gateways.analysis.summary import OUTCOMES, Outcome, Summary, median

TEMPLATES = Path(__file__).parent / "templates"

V = TypeVar("V")

_MINUTES = (1, 2, 3, 5, 10, 15, 20, 30, 60)
"""Where the classes of the time from hold to payment end; the last one has no end."""

_NAMES: dict[Outcome, str] = {
    "sold": "sold",
    "expired": "expired unpaid",
    "cancelled": "cancelled by the buyer",
    "otherwise": "released for another reason",
    "open": "still open",
}


class Chart(Struct, frozen=True):
    """picture: SVG, of numbers and of words from this file; empty if there is nothing to draw.

    by: what the labels are. rows: a label and a number for each series.
    """

    title: str
    says: str
    picture: str
    by: str
    series: Sequence[Series]
    rows: Sequence[tuple[str, Sequence[int]]]


def render(summary: Summary) -> bytes:
    """The whole page."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    page = templates.get_template("report.html").render(
        position=summary.position,
        began=_moment(summary.began),
        at=_moment(summary.at),
        figures=_figures(summary),
        charts=_charts(summary),
    )
    return page.encode()


class Figure(Struct, frozen=True):
    """note: what belongs to it; empty for nothing."""

    name: str
    value: str
    note: str = ""


def _figures(summary: Summary) -> list[Figure]:
    outcomes, middle = summary.outcomes, median(summary.waits)
    holds = sum(outcomes.values())
    money = [
        Figure(
            f"taken in {currency.upper()}",
            _money(each.taken, currency),
            f"{_money(each.given_back, currency)} of it given back",
        )
        for currency, each in sorted(summary.turnover.items())
    ]
    return [
        Figure("tickets listed", f"{summary.listed:,}"),
        Figure("holds", f"{holds:,}"),
        Figure("tickets sold", f"{sum(summary.sold.values()):,}", f"{summary.returned:,} of them returned"),
        Figure("holds that expired unpaid", f"{outcomes['expired']:,}", _share(outcomes["expired"], holds)),
        Figure("median time from hold to payment", "–" if middle is None else _span(middle)),
        Figure("minutes held for nothing", f"{summary.wasted_seconds // 60:,}"),
        *money,
    ]


def _charts(summary: Summary) -> list[Chart]:
    hours = [*summary.sold, *summary.held]
    labels, bucket = _buckets(min(hours), max(hours)) if hours else ([], _day_of)
    sold = _sums(labels, bucket, summary.sold)
    outcomes = [
        Series(_NAMES[each], each, _sums(labels, bucket, {hour: n[each] for hour, n in summary.held.items()}))
        for each in OUTCOMES
    ]
    times = [Series("orders", "sold", _classes(summary.waits))]
    return [
        _chart(
            "Sales over time",
            "Tickets sold, by the time of the sale.",
            "time",
            labels,
            [Series("sold", "sold", sold)],
        ),
        _chart(
            "Holds and their outcomes", "Holds by the time at which they began.", "time", labels, outcomes
        ),
        _chart(
            "Time from hold to payment",
            "Completed orders, by the minutes that passed.",
            "minutes",
            _class_names(),
            times,
        ),
    ]


def _chart(title: str, says: str, by: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    rows = [(label, [each.values[index] for each in series]) for index, label in enumerate(labels)]
    empty = not any(any(each.values) for each in series)
    return Chart(title, says, "" if empty else bars(title, labels, series), by, series, rows)


# ── Time ──────────────────────────────────────────────────────────────────────────────────────────

Bucket = Callable[[datetime], str]


def _buckets(first: datetime, last: datetime) -> tuple[list[str], Bucket]:
    """Bars for hours, days, weeks or months, whichever are few enough, without gaps."""
    days = (last.date() - first.date()).days + 1
    if days <= 2:
        hours = [first + timedelta(hours=n) for n in range(int((last - first).total_seconds()) // 3600 + 1)]
        return [_hour_of(hour) for hour in hours], _hour_of
    bucket = _day_of if days <= 92 else _week_of if days <= 2 * 366 else _month_of
    whole = (datetime.combine(first.date() + timedelta(days=n), datetime.min.time()) for n in range(days))
    return list(dict.fromkeys(map(bucket, whole))), bucket


def _hour_of(at: datetime) -> str:
    return f"{at:%m-%d %H}:00"


def _day_of(at: datetime) -> str:
    return _iso(at.date())


def _week_of(at: datetime) -> str:
    """Named by its Monday."""
    return _iso(at.date() - timedelta(days=at.weekday()))


def _month_of(at: datetime) -> str:
    return _iso(at.date())[:7]


def _iso(day: date) -> str:
    return day.isoformat()


def _sums(labels: Sequence[str], bucket: Bucket, by_hour: Mapping[datetime, int]) -> list[int]:
    sums = dict.fromkeys(labels, 0)
    for hour, count in by_hour.items():
        sums[bucket(hour)] += count
    return list(sums.values())


def _classes(seconds: Mapping[int, int]) -> list[int]:
    counts = [0] * (len(_MINUTES) + 1)
    for each, times in seconds.items():
        counts[next((n for n, end in enumerate(_MINUTES) if each < 60 * end), len(_MINUTES))] += times
    return counts


def _class_names() -> list[str]:
    ends: Iterable[tuple[int, int]] = zip((0, *_MINUTES), _MINUTES, strict=False)
    return [*(f"{begin}–{end}" for begin, end in ends), f"{_MINUTES[-1]}+"]


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


def _moment(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _span(seconds: int) -> str:
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def _share(part: int, whole: int) -> str:
    """With one decimal, rounded down, in integers."""
    tenths = 1000 * part // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10} % of all holds"


def _money(amount: int, currency: str) -> str:
    return str(Money(amount, currency))
