"""Whose turn it is on this machine, where processes of a measurement stand for other machines.

A reader whose clock stops only when a scheduler gets round to him counts that as the server's waiting. A
server that waits for a core, because Stripe's double has it, is not the server that Stripe's own computers
leave alone. Linux alone can put processes first, and wants a privilege for it (CAP_SYS_NICE); elsewhere all
take turns as ever.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def go_first() -> None:
    """This process is run as soon as it has something to do."""
    with suppress(AttributeError, PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


@contextmanager
def first(process: int) -> Iterator[bool]:
    """This process and those that it has started are, for a while; gives whether that could be had."""
    try:
        _schedule(process, os.SCHED_FIFO, 1)
    except (AttributeError, PermissionError):
        yield False
    else:
        try:
            yield True
        finally:
            _schedule(process, os.SCHED_OTHER, 0)


def _schedule(process: int, policy: int, priority: int) -> None:
    for thread in [*_threads(process)]:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setscheduler(thread, policy, os.sched_param(priority))


def _threads(process: int) -> Iterator[int]:
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{process}/task").iterdir():
            yield int(task.name)
            for child in (task / "children").read_text().split():
                yield from _threads(int(child))
