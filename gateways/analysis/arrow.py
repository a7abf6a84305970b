"""Tables as Arrow's columns, and into Parquet files.

Arrow's columns are made of some hundreds of rows at once, while these are in the processor's cache, and a
row group is written of many: in a thread, since Arrow writes without the interpreter.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, TYPE_CHECKING

from gateways.analysis.columns import Columns, Table

if TYPE_CHECKING:
    import pyarrow

GROUP = 20_000
"""Rows of a row group, or some hundreds more: about fifteen megabytes of events."""

_REPEATED = frozenset("category type actor schema currency status kind state standing seller buyer".split())
"""Columns of few values, which a dictionary makes smaller; for the others it would be made in vain."""


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


def record_batch(columns: Columns, schema: "pyarrow.Schema") -> "pyarrow.RecordBatch":
    """Rows as Arrow's columns."""
    import pyarrow as pa

    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class Parquet:
    """Row groups, with the meaning of each column in the file's own schema.

    One group is being written while the next is collected, and no more than that is kept.
    """

    def __init__(self, table: Table, file: IO[bytes]) -> None:
        from pyarrow import parquet

        self._schema = arrow_schema(table)
        few = [each.name for each in table.columns if each.name in _REPEATED]
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd", use_dictionary=few)
        self._group: list[pyarrow.RecordBatch] = []
        self._rows = 0
        self._thread = ThreadPoolExecutor(1, "parquet")
        self._writing: Future[None] | None = None

    def write(self, columns: Columns) -> None:
        """Raises also what writing the rows of before has met with."""
        batch = record_batch(columns, self._schema)
        self._group.append(batch)
        self._rows += batch.num_rows
        if self._rows >= GROUP:
            self._end_group()

    def close(self) -> None:
        if self._rows:
            self._end_group()
        self._wait()
        self._thread.shutdown()
        self._writer.close()

    def _end_group(self) -> None:
        import pyarrow as pa

        self._wait()
        group = pa.Table.from_batches(self._group, self._schema)
        self._writing = self._thread.submit(self._writer.write_table, group, group.num_rows)
        self._group, self._rows = [], 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
