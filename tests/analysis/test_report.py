"""``admitone report``: one page, whole in itself, the same for ever for the same position."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateways.analysis.charts import Series, bars
from gateways.analysis.report import render
from gateways.analysis.summary import Summary, median
from tests.analysis.asking import told
from tests.analysis.season import Season, lay, season
from tests.deploy.running import ADMITONE, environment


def report(past: Path, out: Path, *words: str) -> bytes:
    told("report", "--out", str(out), "--data", str(past), *words)
    return out.read_bytes()


def figures(page: bytes) -> dict[str, str]:
    """What stands in the head of the page, and the note to it behind a semicolon."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>(?:<dd>(.*?)</dd>)?", page.decode())
    return {name: f"{value}; {note}" if note else value for name, value, note in found}


def rows(page: bytes, title: str) -> dict[str, list[int]]:
    """The numbers of one chart, by the label of the bar."""
    section = page.decode().split(f"<h2>{title}</h2>")[1].split("</section>")[0]
    lines = re.findall(r"<tr><th scope=\"row\">([^<]+)</th>((?:<td>\d+</td>)+)</tr>", section)
    return {label: [int(n) for n in re.findall(r"\d+", values)] for label, values in lines}


def test_its_numbers_are_those_of_the_season(past: Path, tmp_path: Path) -> None:
    page = report(past, tmp_path / "r.html")
    assert figures(page) == {
        "tickets listed": "5",
        "holds": "8",
        "tickets sold": "3; 1 of them returned",
        "holds that expired unpaid": "4; 50.0 % of all holds",
        "median time from hold to payment": "6 min 0 s",
        "minutes held for nothing": str(15 + 15 + 5 + 15 + 24),
        "taken in USD": "310.00 USD; 230.00 USD of it given back",
    }
    sold = {label: n for label, (n,) in rows(page, "Sales over time").items() if n}
    assert sold == {"11-01 10:00": 1, "11-02 12:00": 1, "11-02 15:00": 1}
    outcomes = rows(page, "Holds and their outcomes")
    assert [sum(column) for column in zip(*outcomes.values(), strict=True)] == [3, 4, 1, 0, 0]
    times = {label: n for label, (n,) in rows(page, "Time from hold to payment").items() if n}
    assert times == {"2–3": 1, "5–10": 1, "15–20": 1}


def test_the_same_position_gives_the_same_bytes_whatever_came_after_and_wherever_it_is_made(
    past: Path, tmp_path: Path
) -> None:
    facts = season()
    half = lay(tmp_path / "half", season_up_to(facts.facts[30].position))
    then = report(half, tmp_path / "then.html")
    assert report(past, tmp_path / "now.html", "--as-of", "31") == then
    elsewhere = environment() | {"TZ": "Pacific/Apia", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    out = tmp_path / "elsewhere.html"
    command = [ADMITONE, "report", "--as-of", "31", "--out", str(out), "--data", str(past)]
    subprocess.run(command, env=elsewhere, check=True, capture_output=True, timeout=60)
    assert out.read_bytes() == then


def season_up_to(position: int) -> Season:
    cut = season()
    cut.facts = cut.facts[:position]
    return cut


def test_a_report_made_once_is_what_is_made_today() -> None:
    """It may change only when what a report says, or how it looks, is changed on purpose."""
    summary = Summary()
    summary.take(season().facts)
    kept = Path(__file__).with_name("report-of-the-season.html")
    assert render(summary) == kept.read_bytes()


def test_it_needs_nothing_from_elsewhere_and_names_nobody(past: Path, tmp_path: Path) -> None:
    page = report(past, tmp_path / "r.html").decode()
    assert "default-src 'none'" in page
    outward = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    for forbidden in ("http:", "https:", "//", "<script", "src=", "href=", "url(", "@import"):
        assert forbidden not in outward
    for name in ("Seat", "b1", "s1", "o1", "t1", "p2"):
        assert not re.search(rf"\b{name}\b", page)
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(picture)


def test_a_report_of_a_moment_that_is_not_there_writes_nothing(past: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    for when, why in (
        ("2999-01-01T00:00:00Z", "has not come yet"),
        ("2020-01-01T00:00:00Z", "nothing had been recorded"),
        ("2026-11-01T09:00", "a time with its zone"),
        ("999999", "the log ends at position"),
    ):
        assert why in told("report", "--as-of", when, "--out", str(out), "--data", str(past), status=2)
    assert list(tmp_path.iterdir()) == []


def test_bars_reach_as_high_as_their_values_in_every_series() -> None:
    picture = bars("t", ["a", "b"], [Series("x", "sold", [1, 4]), Series("y", "open", [3, 0])])
    found = ElementTree.fromstring(picture).findall("{http://www.w3.org/2000/svg}rect")
    x_a, y_a, x_b = ({name: rect.get(name, "") for name in ("y", "height", "x")} for rect in found)
    assert float(x_a["height"]) * 4 == pytest.approx(float(x_b["height"]))
    assert float(y_a["y"]) == float(x_b["y"]), "three on one are as high as four"
    assert float(y_a["y"]) + float(y_a["height"]) == pytest.approx(float(x_a["y"]))
    assert ElementTree.fromstring(bars("none", [], [])).tag.endswith("svg")


@pytest.mark.parametrize(("days", "bars_at_most"), [(1, 25), (2, 49), (30, 31), (400, 60), (3000, 101)])
def test_however_long_the_season_its_bars_are_few_and_count_every_sale(days: int, bars_at_most: int) -> None:
    summary = Summary()
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for day in range(days):
        summary.sold[first + timedelta(days=day)] += 1
    sold = rows(render(summary), "Sales over time")
    assert len(sold) <= bars_at_most
    assert sum(n for (n,) in sold.values()) == days


def test_a_shop_that_has_sold_nothing_yet_has_a_report_that_says_so() -> None:
    page = render(Summary()).decode()
    assert page.count("There is nothing to show yet.") == 3
    assert "<svg" not in page


def test_where_the_page_is_narrow_so_few_labels_are_left_that_none_runs_into_the_next() -> None:
    days = [f"2026-11-{day:02d}" for day in range(1, 31)]
    picture = ElementTree.fromstring(bars("t", days, [Series("x", "sold", [1] * 30)]))
    texts = picture.findall("{http://www.w3.org/2000/svg}text")
    kept = [float(text.get("x", "")) for text in texts if text.get("class") == "label"]
    assert 2 <= len(kept) <= 5
    assert all(later - before > 10 * 11 for before, later in pairwise(kept))


def test_a_median_is_the_middle_one() -> None:
    assert median({}) is None
    assert median({5: 1}) == 5
    assert median({1: 1, 9: 2}) == 9
    assert median({1: 2, 9: 2}) == 1
