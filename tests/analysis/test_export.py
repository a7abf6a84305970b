"""``admitone export``: the log and the read models in files that other tools read."""

import asyncio
import csv
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

import pytest

from deploy.exporting import write_events
from deploy.log_beside import Log
from deploy.parts import PROJECTIONS
from deploy.when import Span
from domain.decider import AnyRecorded
from gateways.analysis.arrow import GROUP, Parquet
from gateways.analysis.columns import EVENTS, Columns
from gateways.analysis.models import tables
from gateways.codec import StoredFact
from gateways.embedded_recorder import EventRecorder
from tests.analysis.asking import told
from tests.analysis.season import lay, season
from tests.deploy.logbook import Logbook

FACTS = season().facts


def exported(past: Path, *words: str, status: int = 0) -> str:
    return told("export", *words, "--data", str(past), status=status)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def of_parquet(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def texts(value: Any) -> set[str]:
    """Every text within."""
    match value:
        case str():
            return {value}
        case dict():
            return set().union(*map(texts, value.values()))
        case list():
            return set().union(*map(texts, value))
        case _:
            return set()


# ── Events ────────────────────────────────────────────────────────────────────────────────────────


def test_every_event_is_exported_with_all_that_is_known_of_it(past: Path) -> None:
    rows = lines(exported(past))
    assert [row["position"] for row in rows] == [fact.position for fact in FACTS]
    assert list(rows[0]) == EVENTS.names
    assert rows[0] | {"id": ""} == {
        "position": 1, "stream": "ticket-t1", "category": "ticket", "key": "t1", "revision": 0,
        "type": "TicketListed", "decided_at": "2026-11-01T09:00:00Z", "actor": "test",
        "correlation": "request", "causation": "test", "id": "", "schema": 1, "unreadable": None,
        "data": {"seller": "s1", "title": "Seat t1", "price": {"amount": 4000, "currency": "usd"}},
    }  # fmt: skip


def test_all_three_formats_say_the_same(past: Path, tmp_path: Path) -> None:
    for form in ("jsonl", "csv", "parquet"):
        exported(past, "--out", str(tmp_path / f"log.{form}"))
    in_json = lines((tmp_path / "log.jsonl").read_text())
    in_parquet = of_parquet(tmp_path / "log.parquet")
    with (tmp_path / "log.csv").open(newline="") as file:
        in_csv = list(csv.DictReader(file))
    assert len(in_json) == len(in_parquet) == len(in_csv) == len(FACTS)
    for one, two, three in zip(in_json, in_parquet, in_csv, strict=True):
        assert one["data"] == json.loads(two["data"]) == json.loads(three["data"])
        assert (
            one["decided_at"] == two["decided_at"].isoformat().replace("+00:00", "Z") == three["decided_at"]
        )
        rest = [name for name in EVENTS.names if name not in ("data", "decided_at")]
        assert [one[name] for name in rest] == [two[name] for name in rest]
        assert ["" if one[name] is None else str(one[name]) for name in rest] == [
            three[name] for name in rest
        ]


def test_a_schema_says_the_type_and_the_meaning_of_each_column(past: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    exported(past, "--out", str(tmp_path / "log.csv"))
    exported(past, "--out", str(tmp_path / "log.parquet"))
    beside = json.loads((tmp_path / "log.csv.schema.json").read_text())
    assert [field["name"] for field in beside["fields"]] == EVENTS.names
    within = parquet.read_schema(tmp_path / "log.parquet")
    assert [str(field.type) for field in within][:7] == [
        "int64", "string", "string", "string", "int64", "string", "timestamp[us, tz=UTC]",
    ]  # fmt: skip
    assert [field.metadata[b"description"].decode() for field in within] == [
        field["description"] for field in beside["fields"]
    ]


def test_a_span_of_positions_or_times_and_some_types_can_be_asked_for(past: Path) -> None:
    def positions(*words: str) -> list[int]:
        return [row["position"] for row in lines(exported(past, *words))]

    assert positions("--since", "3", "--until", "5") == [3, 4, 5]
    assert positions("--until", "2026-11-01T09:00:00Z") == [1, 2, 3, 4, 5]
    assert positions("--until", "2026-11-01T14:49:59+05:45") == [1, 2, 3, 4, 5], "a minute before the edit"
    second = [fact.position for fact in FACTS if fact.metadata.at.day == 2]
    assert positions("--since", "2026-11-02T00:00:00Z") == second
    assert len(positions("--since", "2026-11-01T09:00:00Z")) == len(FACTS), "from its very first moment on"
    assert positions("--since", "2026-11-20T00:00:00Z") == []
    sold = [fact.position for fact in FACTS if type(fact.event).__name__ in {"TicketSold", "TicketReturned"}]
    assert positions("--types", "TicketSold, TicketReturned") == sold
    later = [position for position in sold if position in second]
    assert positions("--types", "TicketSold,TicketReturned", "--since", "2026-11-02T00:00:00Z") == later


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--until", "2999-01-01T00:00:00Z"], "2999-01-01T00:00:00Z has not come yet"),
        (["--since", "2026-11-01T08:59:59Z"], "nothing had been recorded by 2026-11-01T08:59:59Z"),
        (["--until", "2026-10-31T23:59:59Z"], "nothing had been recorded by 2026-10-31T23:59:59Z"),
        (["--since", "2026-11-01T09:00:00"], "a time with its zone"),
        (["--since", "2026-11-01T09:00:00+25:00"], "there is no such time"),
        (["--since", "2026-11-01T09:00:00[Mars/Olympus]"], "a time with its zone"),
        (["--until", "0001-01-01T00:00:00+14:00"], "there is no such time"),
        (["--until", "yesterday"], "a time with its zone"),
        (["--until", "999999"], "--until 999999: the log ends at position"),
        (["--since", "999999"], "--since 999999: the log ends at position"),
        (["--until", "-3"], "it must be a position"),
        (["--types", "TicketSoled"], "there is no event type 'TicketSoled': did you mean TicketSold?"),
        (["catalog"], "there is no table 'catalog': did you mean catalogue"),
        (["ledger"], "several tables: say ledger.sale or ledger.attempt or ledger.entry"),
        (["orders", "--since", "3"], "--since and --types are for events"),
        (["orders", "--types", "TicketSold"], "--since and --types are for events"),
        (["--format", "parquet", "--until", "3"], "say --out"),
    ],
)  # fmt: skip
def test_what_the_log_does_not_have_is_one_clear_line_and_no_file(
    past: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    out = [] if "parquet" in words else ["--out", str(tmp_path / "out.csv")]
    told = exported(past, *words, *out, status=2)
    assert said in told
    assert len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_replaced_only_by_force(past: Path, tmp_path: Path) -> None:
    out = tmp_path / "log.csv"
    out.write_text("mine")
    assert "is there already" in exported(past, "--out", str(out), status=2)
    assert out.read_text() == "mine"
    exported(past, "--out", str(out), "--force")
    assert out.read_text().startswith("position,stream")


def test_an_event_that_cannot_be_read_is_exported_with_the_reason(tmp_path: Path) -> None:

    data = lay(tmp_path / "var", Logbook())
    recorder = EventRecorder.at(data / "log.sqlite")
    recorder.insert_events([
        StoredFact("ticket-x", 0, "TicketShredded", b'{"by":"someone"}', UUID(int=1), b""),
        StoredFact("ticket-x", 1, "TicketShredded", b"\\xff", UUID(int=2), b""),
    ])  # fmt: skip
    recorder.datastore.close()
    one, two = lines(exported(data))
    assert (one["data"], two["data"]) == ({"by": "someone"}, None)
    assert "knows no event type 'TicketShredded'" in one["unreadable"]
    assert one["decided_at"] is None
    assert "someone" not in exported(data, "--anonymise")


class _Long:
    """A hundred thousand facts, fifty on a page."""

    async def pages(self, without: Collection[str] = ()) -> AsyncIterator[Sequence[AnyRecorded]]:
        for _ in range(2_000):
            yield FACTS[:50]


def test_however_long_the_log_only_a_page_of_it_is_kept() -> None:
    kept: list[int] = []

    class Counting:
        def write(self, columns: Columns) -> None:
            kept.append(len(columns[0]))

        def close(self) -> None: ...

    count = asyncio.run(write_events(cast("Log", _Long()), Span(), None, Counting(), None, lambda _: None))
    assert count == sum(kept) == 100_000
    assert max(kept) == 50


def test_a_long_table_in_parquet_is_whole_and_in_order_in_row_groups_of_bounded_size(tmp_path: Path) -> None:
    from pyarrow import parquet

    out = tmp_path / "log.parquet"
    with out.open("wb") as file:
        writer = Parquet(EVENTS, file)
        asyncio.run(write_events(cast("Log", _Long()), Span(), None, writer, None, lambda _: None))
        writer.close()
    found = parquet.ParquetFile(out).metadata
    sizes = [found.row_group(number).num_rows for number in range(found.num_row_groups)]
    assert sizes == [GROUP] * (100_000 // GROUP)
    assert parquet.read_table(out)["position"].to_pylist() == [fact.position for fact in FACTS[:50]] * 2_000


def test_a_full_disk_while_parquet_is_written_is_told() -> None:
    class Full:
        closed = False

        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None: ...

    def fill() -> None:
        writer = Parquet(EVENTS, cast("IO[bytes]", Full()))
        asyncio.run(write_events(cast("Log", _Long()), Span(), None, writer, None, lambda _: None))
        writer.close()

    with pytest.raises(OSError, match="No space left"):
        fill()


# ── Read models ───────────────────────────────────────────────────────────────────────────────────


def test_a_read_model_is_exported_as_it_was_at_a_position(past: Path) -> None:
    def status(*words: str) -> dict[str, str]:
        return {row["id"]: row["status"] for row in lines(exported(past, "orders", *words))}

    assert status("--until", "2026-11-01T10:10:00Z") == {"o3": "created", "o1": "created"}
    now = status()
    assert (now["o2"], now["o3"], now["o9"]) == ("complete", "cancelled", "complete")


def test_the_ledger_adds_up_in_its_export(past: Path, tmp_path: Path) -> None:
    exported(past, "ledger.entry", "--out", str(tmp_path / "entries.parquet"))
    rows = of_parquet(tmp_path / "entries.parquet")
    kept = sum(row["amount"] * (1 if row["kind"] == "capture" else -1) for row in rows)
    assert kept == 5000 + 3000
    assert rows[0]["decided_at"].isoformat() == "2026-11-01T10:32:00+00:00"


def test_the_tables_and_their_columns_are_listed(past: Path) -> None:
    listed = told("export", "--list")
    for projection in PROJECTIONS:
        for table in tables(projection).values():
            assert f"\n{table.name}\n" in listed
            assert f"    {table.columns[0].name} " in listed
    assert exported(past, "xyz", status=2).endswith("`admitone export --list` names them all")


def test_every_column_of_every_read_model_has_a_meaning_and_the_right_kind(
    past: Path, tmp_path: Path
) -> None:
    for projection in PROJECTIONS:
        for table in tables(projection).values():
            assert not [column.name for column in table.columns if not column.meaning], table.name
            out = tmp_path / f"{table.name}.jsonl"
            exported(past, table.name, "--out", str(out))
            for row in lines(out.read_text()):
                huge = [name for name, value in row.items() if isinstance(value, int) and value > 10**14]
                assert not huge, f"{huge} of {table.name} look like times"


# ── Anonymised ────────────────────────────────────────────────────────────────────────────────────


def test_an_anonymised_export_names_nobody_and_keeps_who_is_who(past: Path) -> None:
    plain, hidden = lines(exported(past)), lines(exported(past, "--anonymise"))
    secrets = {
        *("t1", "o1", "b1", "s1", "p2", "ticket-t1", "order-o1", "Seat t1", "tok_visa", "ch_p2", "re_7"),
        *("the show was moved", "Your card was declined."),
    }
    assert secrets <= texts(plain)
    assert not secrets & texts(hidden)

    def grouped(rows: list[dict[str, Any]]) -> list[list[int]]:
        groups: dict[str, list[int]] = {}
        for row in rows:
            if row["type"] == "TicketReserved":
                groups.setdefault(row["data"]["buyer"], []).append(row["position"])
        return list(groups.values())

    assert grouped(hidden) == grouped(plain)
    streams = {row["position"]: row["stream"] for row in hidden}
    reserved = next(row for row in hidden if row["type"] == "TicketReserved")
    assert f"order-{reserved['data']['order']}" == streams[reserved["position"] + 1]
    assert [row["type"] for row in hidden] == [row["type"] for row in plain]
    assert {row["data"]["reason"] for row in hidden if row["type"] == "OrderCancelled"} == {
        "expired", "cancelled by the buyer",
    }  # fmt: skip
    assert lines(exported(past, "--anonymise")) != hidden, "two exports cannot be laid side by side"


def test_an_anonymised_read_model_names_nobody_either(past: Path) -> None:
    for table in ("catalogue.ticket", "orders", "ledger.entry", "agenda.purchase"):
        text = exported(past, table, "--anonymise")
        for secret in ("Seat", "seat", '"b1"', '"s1"', '"o2"', '"t1"', '"p2"'):
            assert secret not in text, table


# ── Packages ──────────────────────────────────────────────────────────────────────────────────────


def test_without_the_packages_one_line_says_what_to_install(past: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None; sys.argv[0] = 'admitone'\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('pyarrow', 'duckdb') else found(name, *a)\n"
        "from deploy.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "export", "--data", str(past), "--out", str(tmp_path / "x.parquet")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    needed = f"{sys.executable} -m pip install 'pyarrow>=21'"
    assert done.stderr == f"admitone: Parquet needs packages that are not installed: {needed}\n"
    plain = subprocess.run(
        [sys.executable, "-c", code, "export", "--data", str(past), "--format", "csv"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert plain.returncode == 0, "the other formats need nothing"
