"""Logs to back up, and what lies where."""

import asyncio
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from gateways.embedded_raw import EmbeddedRawLog
from gateways.raw_log import RawEvent
from tests.analysis.asking import told

_METADATA = b'{"$correlationId":"c","$causationId":"c","actor":"a","at":"2026-11-22T20:00:00Z"}'


def facts(count: int, first: int = 0) -> list[RawEvent]:
    """``count`` events, of two streams each third of which one is."""
    return [
        RawEvent(
            f"order-{first + number // 3}",
            number % 3,
            0,
            uuid4(),
            "PurchaseRetried",
            b'{"by":"o"}',
            _METADATA,
        )
        for number in range(count)
    ]


def write(data: Path, events: Sequence[RawEvent]) -> Path:
    """Append to the log of a data directory, which is made if need be."""
    data.mkdir(parents=True, exist_ok=True)
    asyncio.run(_append(EmbeddedRawLog(data / "log.sqlite"), events))
    return data


async def _append(log: EmbeddedRawLog, events: Sequence[RawEvent]) -> None:
    await log.append(events)
    await log.settle()
    await log.close()


def rows(data: Path) -> list[Any]:
    """The whole log, as it lies in the file: with its positions."""
    with closing(sqlite3.connect(data / "log.sqlite")) as connection:
        return connection.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a directory and below; nothing if it is not there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tree(folder: Path) -> dict[str, bytes | None]:
    """The same with the directories, of which there is only the name to tell."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def back_up(data: Path, folder: Path, *more: str) -> str:
    return told("backup", str(folder), "--data", str(data), *more)


def restore(folder: Path, data: Path, *more: str, status: int = 0) -> str:
    return told("restore", str(folder), "--data", str(data), *more, status=status)


def new_key(path: Path) -> Path:
    path.write_text(secrets.token_hex(32) + "\n")
    return path
