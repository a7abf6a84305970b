"""Tables into files: Parquet, CSV or JSON lines, some rows at a time, whatever the length of the table."""

import csv
import io
from collections.abc import Callable
from datetime import datetime
from typing import IO, Any, Protocol

from msgspec import Raw, json

from gateways.analysis.arrow import Parquet
from gateways.analysis.columns import Columns, Table


class Writer(Protocol):
    """Writes one table to an open binary file."""

    def write(self, columns: Columns) -> None:
        """Some more rows. Fast for some hundreds at once."""
        ...

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

    def write(self, columns: Columns) -> None:
        lines = bytearray()
        for row in zip(*columns, strict=True):
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

    def write(self, columns: Columns) -> None:
        rows = zip(*columns, strict=True)
        self._csv.writerows([[_csv_value(value) for value in row] for row in rows])

    def close(self) -> None:
        self._text.detach()


def _csv_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


WRITERS: dict[str, Callable[[Table, IO[bytes]], Writer]] = {
    "parquet": Parquet,
    "csv": Csv,
    "jsonl": JsonLines,
}
"""By the name of the format."""
