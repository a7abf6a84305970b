"""Whose turn it is on this machine, where a process of a measurement stands for another machine."""

import os
from contextlib import suppress


def go_first() -> None:
    """This process is run as soon as it has something to do.

    A reader whose clock stops only when a scheduler gets round to him counts that as the server's waiting.
    Linux alone can do it, and wants a privilege for it (CAP_SYS_NICE); elsewhere all take turns as ever.
    """
    with suppress(AttributeError, PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
