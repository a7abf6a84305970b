"""Rows into files: Parquet, CSV or JSON lines, a batch at a time, whatever the length of the table."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Protocol

from msgspec import Raw, json

from gateways.analysis.columns import Row, Table

if TYPE_CHECKING:
    import pyarrow

BATCH = 10_000
"""Rows that are kept before they are written: some ten megabytes of events."""


_REPEATED = frozenset("category type actor schema currency status kind state standing seller buyer".split())
"""Columns of few values, which a dictionary makes smaller; for the others it would be made in vain."""


class Writer(Protocol):
    """Writes one table to an open binary file."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None:
        """Write what the format wants at its end. The file stays open."""
        ...


class JsonLines:
    """One JSON object on each line; what is JSON in the log is JSON here."""

    def __init__(self, table: Table, file: IO[bytes]) -> None:
        self._file = file
        self._names = table.names
        self._json = [index for index, each in enumerate(table.columns) if each.kind == "json"]
        self._encode = json.Encoder().encode

    def write(self, rows: Sequence[Row]) -> None:
        lines = bytearray()
        for row in rows:
            values = list(row)
            for index in self._json:
                if values[index] is not None:
                    values[index] = Raw(values[index].encode())
            lines += self._encode(dict(zip(self._names, values, strict=True))) + b"\n"
        self._file.write(lines)

    def close(self) -> None:
        self._file.flush()


class Csv:
    """RFC 4180 with a line of names; times as in RFC 3339, JSON as text, nothing for what is not there."""

    def __init__(self, table: Table, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        self._csv = csv.writer(self._text)
        self._csv.writerow(table.names)

    def write(self, rows: Sequence[Row]) -> None:
        self._csv.writerows([[_csv_value(value) for value in row] for row in rows])

    def close(self) -> None:
        self._text.detach()


def _csv_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


class Parquet:
    """Row groups of one batch each, with the meaning of each column in the file's own schema."""

    def __init__(self, table: Table, file: IO[bytes]) -> None:
        from pyarrow import parquet

        self._schema = arrow_schema(table)
        few = [each.name for each in table.columns if each.name in _REPEATED]
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd", use_dictionary=few)

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.write_batch(record_batch(rows, self._schema))

    def close(self) -> None:
        self._writer.close()


def arrow_schema(table: Table) -> "pyarrow.Schema":
    """The columns in Arrow's types. A column's meaning is its field's metadata ``description``."""
    import pyarrow as pa

    types = {
        "integer": pa.int64(),
        "text": pa.string(),
        "time": pa.timestamp("us", "UTC"),
        "json": pa.string(),
    }
    return pa.schema([
        pa.field(each.name, types[each.kind], metadata={"description": each.meaning})
        for each in table.columns
    ])  # fmt: skip


def record_batch(rows: Sequence[Row], schema: "pyarrow.Schema") -> "pyarrow.RecordBatch":
    """Rows as Arrow's columns."""
    import pyarrow as pa

    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [() for _ in schema]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


WRITERS: dict[str, Callable[[Table, IO[bytes]], Writer]] = {
    "parquet": Parquet,
    "csv": Csv,
    "jsonl": JsonLines,
}
"""By the name of the format."""
