"""A disaster, and what is left of the shop after it: ``make drill``, or ``python -m tests.backup.drill``.

A shop sells under load and is backed up again and again. It is killed and its data directory destroyed; only
the payment provider's ledger stays, as it would. Then log and accounts are restored, and the restored log is
held, event by event, against what was answered and against the log that was destroyed.
"""

import argparse
import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from msgspec import Struct

from benchmarks.load import Answer, request
from tests.backup.shelves import rows
from tests.deploy.running import Running, admitone, running
from tests.live.crowd import KEY, ask, list_tickets, pay, reserve, said

WAVE, PEOPLE = 8, 3
_POSITION = re.compile(rb"\r\nadmitone-position: (\d+)", re.IGNORECASE)
_MORE = re.compile(r"and ([0-9]+) more")
_AT_THE_PROVIDER = re.compile(r"payment \S+ of order \S+: the provider keeps")


class Told(Struct, frozen=True):
    """A write that was answered: when, with which position, about which stream."""

    at: float
    position: int
    stream: str


class Report(Struct, frozen=True):
    """What the drill found. lost: events that no backup had. seconds: of answers that are lost with them.

    recovery: seconds from the first command until the shop served again. unclaimed: payments that the
    provider has and the restored log has not. wrong: whatever should not be.
    """

    backups: int
    events: int
    answered: int
    lost: int
    seconds: float
    recovery: float
    unclaimed: int
    wrong: list[str]

    def __str__(self) -> str:
        return (
            f"{self.answered:,} answered writes and {self.events:,} events, backed up {self.backups} times.\n"
            f"Recovery point: {self.lost:,} events lost, of {self.seconds:.1f} s.\n"
            f"Recovery time:  {self.recovery:.1f} s until the shop served again.\n"
            f"{self.unclaimed:,} payments of the lost time stand at the provider alone: admitone reconcile."
        )


async def drill(place: Path, backups: int, waves: int) -> Report:
    """Sell, back up ``backups`` times with ``waves`` waves in between, destroy, restore, verify."""
    data, told, began = place / "var", list[Told](), 0.0
    cards = str(place / "provider.sqlite")
    with running(data, "--no-demo", jwt_key=KEY, rate_limit="off", cards=cards) as server:
        await ask(server.port, [_sign("signup", number) for number in range(PEOPLE)])
        selling = asyncio.create_task(_sell(server, told))
        try:
            for _ in range(backups):
                await _grown(told, waves * WAVE, selling)
                began = monotonic()
                await _command("backup", str(place / "log"), "--accounts", str(place / "people"), data=data)
            await _grown(told, waves * WAVE, selling)
        finally:
            server.kill()
            died = monotonic()
            await selling
    destroyed = data.rename(place / "destroyed")
    start = monotonic()
    await _command("restore", str(place / "log"), "--accounts", str(place / "people"), data=data)
    restored_in = monotonic() - start
    before, after = rows(destroyed), rows(data)
    wrong = [*_missing(told, began, after), *await _verified(data)]
    if after != before[: len(after)]:
        wrong.append("the restored log is not the beginning of the one that was destroyed")
    start = monotonic()
    with running(data, "--no-demo", jwt_key=KEY, rate_limit="off", cards=cards) as server:
        recovery = restored_in + monotonic() - start
        answers = await ask(server.port, [_sign("signin", number) for number in range(PEOPLE)])
        if any(answer is None or answer.status != 200 for answer in answers):
            wrong.append("somebody who had signed up cannot sign in")
    unclaimed, found = await _diagnosed(data, cards)
    seconds = died - min((one.at for one in told if one.position > len(after)), default=died)
    return Report(
        backups, len(before), len(told), len(before) - len(after), seconds, recovery, unclaimed, wrong + found
    )


async def _sell(server: Running, told: list[Told]) -> None:
    """Waves of purchases until the server dies; notes only what was answered."""
    while server.process.poll() is None:
        try:
            tickets = await list_tickets(server.port, WAVE)
        except AssertionError:
            return
        orders = []
        for answer in await ask(server.port, [reserve(ticket, "buyer") for ticket in tickets]):
            if answer is not None and answer.status == 201:
                orders.append(said(answer)["id"])
                told.append(Told(monotonic(), _position(answer), f"order-{orders[-1]}"))
        paid = await ask(server.port, [pay(order, "buyer") for order in orders])
        for order, answer in zip(orders, paid, strict=True):
            if answer is not None and answer.status == 201:
                told.append(Told(monotonic(), _position(answer), f"order-{order}"))


def _position(answer: Answer) -> int:
    found = _POSITION.search(answer.head)
    assert found, answer.head
    return int(found[1])


async def _grown(told: list[Told], by: int, selling: "asyncio.Task[None]") -> None:
    """Wait until so much more was answered."""
    enough = len(told) + by
    while len(told) < enough:
        assert not selling.done(), "the shop stopped selling"
        await asyncio.wait([selling], timeout=0.02)


def _missing(told: list[Told], began: float, after: list[Any]) -> list[str]:
    """What was answered before the last backup began, and is not in the restored log."""
    streams = {row[1] for row in after}
    return [
        f"position {one.position} of {one.stream} was answered before the backup, and is lost"
        for one in told
        if one.at < began and (one.position > len(after) or one.stream not in streams)
    ]


async def _verified(data: Path) -> list[str]:
    done = await asyncio.to_thread(admitone, "verify-log", "--data", str(data))
    return [] if done.returncode == 0 else [f"verify-log: {done.stderr}"]


async def _diagnosed(data: Path, cards: str) -> tuple[int, list[str]]:
    """How many payments only the provider has, and what else the doctor finds."""
    done = await asyncio.to_thread(admitone, "doctor", "--data", str(data), variables={"cards": cards})
    findings = [line.strip() for line in done.stdout.splitlines() if re.match(r" {4}\S", line)]
    unclaimed = [line for line in findings if _AT_THE_PROVIDER.match(line)]
    others = [line for line in findings if line not in unclaimed and not _MORE.fullmatch(line)]
    if done.returncode == 0 or findings:
        return len(unclaimed) + sum(int(more[1]) for more in map(_MORE.fullmatch, findings) if more), others
    return 0, [f"doctor: {done.stdout}{done.stderr}"]


async def _command(*words: str, data: Path) -> None:
    done = await asyncio.to_thread(admitone, *words, "--data", str(data))
    assert done.returncode == 0, done.stderr


def _sign(how: str, number: int) -> bytes:
    body = b'{"email": "person%d@example.com", "password": "a long one"}' % number
    return request("POST", f"/api/users/{how}", body)


def main() -> int:
    """Run a drill in a directory of its own, tell what it found, and delete the directory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backups", type=int, default=5, help="how often the shop is backed up")
    parser.add_argument("--waves", type=int, default=20, help="waves of purchases between two backups")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="drill-"))
    try:
        report = asyncio.run(drill(place, options.backups, options.waves))
    finally:
        shutil.rmtree(place)
    print(report)
    for line in report.wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    print(
        "All that was answered before the last backup is there." if not report.wrong else "The drill FAILED."
    )
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
