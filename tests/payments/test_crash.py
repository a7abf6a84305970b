"""A process that is killed takes no answered payment with it, and leaves none half done."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateways.card_ledger import CardLedger
from gateways.cards import Operation
from processmanager.ports import IsAuthorized, IsCaptured, IsRefunded, IsVoided
from tests.payments.attempts import attempt

ANSWERS_BEFORE_THE_KILL = 1500


async def answers(process: asyncio.subprocess.Process, enough: int) -> list[list[str]]:
    """The whole lines that a worker has printed, each one an answer that somebody was given."""
    assert process.stdout is not None
    lines: list[list[str]] = []
    while (line := await process.stdout.readline()).endswith(b"\n"):
        lines.append(line.decode().split())
        if len(lines) == enough:
            os.kill(process.pid, signal.SIGKILL)
    return lines


@pytest.mark.timeout(60)
async def test_two_processes_are_killed_and_every_answer_that_they_gave_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "cards.sqlite"
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.payments.worker",
            str(path),
            str(seed),
            stdout=asyncio.subprocess.PIPE,
        )
        for seed in (1, 2)
    ]
    given = await asyncio.gather(*(answers(worker, ANSWERS_BEFORE_THE_KILL) for worker in workers))
    assert [await worker.wait() for worker in workers] == [-signal.SIGKILL, -signal.SIGKILL]
    assert all(len(lines) >= ANSWERS_BEFORE_THE_KILL for lines in given)

    ledger = CardLedger(path)
    assert ledger.damage() is None
    kinds = {kind.__name__: kind for kind in (IsAuthorized, IsCaptured, IsRefunded, IsVoided)}
    for name, operation, key, said in (line for lines in given for line in lines):
        verb: Operation = operation  # type: ignore[assignment]  # the worker prints one of the four
        assert type(ledger.answered(verb, attempt(name, order=name), key)) is kinds[said]
    captured = {entry.attempt for entry in ledger.entries() if entry.kind == "capture"}
    refunded = {entry.attempt for entry in ledger.entries() if entry.kind == "refund"}
    assert refunded <= captured
    for name in captured:
        balance = ledger.balance(name)
        assert balance is not None
        assert balance.amount == (0 if name in refunded else attempt().amount.amount)
    ledger.close()
