"""Whose turn it is on this machine, where the processes of a measurement stand for other machines.

A reader whose clock stops only when a scheduler gets round to him counts that as the server's waiting, and
so does Stripe's double when it takes a core that the real one would never have taken. Linux alone knows these
turns, and for the first one it wants a privilege (CAP_SYS_NICE); elsewhere all take turns as ever.
"""

import os
from contextlib import suppress


def go_first() -> None:
    """This process is run as soon as it has something to do."""
    with suppress(AttributeError, PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def go_last(process: int) -> None:
    """The process ``process`` is run when nobody else would be."""
    with suppress(AttributeError, PermissionError):
        os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
