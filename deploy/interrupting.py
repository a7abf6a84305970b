"""Signals to a command that makes something which is to be whole, or not there at all."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextmanager
def ended_as_by_hand() -> Iterator[Callable[[], None]]:
    """SIGTERM and SIGHUP end what follows as Ctrl-C does: with an exception, so that it can be undone.

    Gives what is to be called when it is done: a signal comes too late from then on.
    """
    if threading.current_thread() is not threading.main_thread():  # where no signal comes in
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number in _ENDING[:2]:
        signal.signal(number, _end)
    try:
        yield _ignore_all
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(*_: object) -> None:
    """As Ctrl-C does, even where Ctrl-C is not heard: in the background of a shell without job control."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _ignore_all() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
