"""What a process has to see to for one order, and the signals that it owes an answer for it."""

import asyncio

from processmanager.meaning import Opens
from processmanager.ports import Signal


class Errand:
    """One order for which something may have to be done, and the signals that say so."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.ticket: str | None = None
        self.money = False
        self.signals: dict[Signal, float] = {}
        """Each with the time of the event loop at which it wants a look."""
        self.timer: asyncio.TimerHandle | None = None
        self.returning = False
        """When the timer rings, the signals are given back instead of looked after."""
        self.looking = False

    def add(self, signal: Signal, opens: Opens, due: float) -> None:
        self.signals[signal] = due
        self.ticket = opens.ticket or self.ticket
        self.money |= opens.money

    def current(self) -> list[Signal]:
        """Those that still can be answered."""
        self.remove([signal for signal in self.signals if signal.over])
        return list(self.signals)

    def remove(self, signals: list[Signal]) -> None:
        for signal in signals:
            self.signals.pop(signal, None)

    def still(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
