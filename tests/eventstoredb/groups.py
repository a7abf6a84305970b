"""All persistent subscriptions of the server, and the clock that drives them."""

import asyncio
import json
from collections.abc import Iterator
from uuid import uuid4

from msgspec.structs import replace

from tests.eventstoredb.answers import NotReady, group_exists, group_failed, group_missing
from tests.eventstoredb.consumers import STRATEGIES
from tests.eventstoredb.group import Group
from tests.eventstoredb.log import Log
from tests.eventstoredb.record import New
from tests.eventstoredb.settings import Settings

_CONFIG = "$persistentSubscriptionConfig"


class Groups:
    """The groups by key. ``tick``: seconds between two looks for messages that were not acknowledged."""

    def __init__(self, log: Log, *, tick: float = 1.0) -> None:
        self._log = log
        self._tick = tick
        self._groups: dict[str, Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(tuple(self._groups.values()))

    def get(self, source: str, group: str) -> Group:
        """Raises Failure when there is none."""
        try:
            return self._groups[f"{source}::{group}"]
        except KeyError:
            raise group_missing(source, group) from None

    def create(self, settings: Settings) -> None:
        if settings.key in self._groups:
            raise group_exists(settings.source, settings.group)
        self._check(settings)
        self._groups[settings.key] = Group(self._log, settings)
        self._save()

    def update(self, settings: Settings) -> None:
        """Readers are sent away; the group goes on behind its checkpoint."""
        group = self.get(settings.source, settings.group)
        settings = replace(settings, is_wanted=group.settings.is_wanted)
        self._check(settings)
        self._groups[settings.key] = Group(self._log, settings)
        group.drop_all()
        self._save()

    def delete(self, source: str, name: str) -> None:
        group = self.get(source, name)
        del self._groups[group.settings.key]
        group.drop_all()
        group.checkpoints.clear()
        group.parked.clear()
        self._save()

    def reload(self) -> None:
        """What a new leader, or the same server after a restart, knows: the log, and nothing else."""
        for key, group in self._groups.items():
            group.drop_all(NotReady())
            self._groups[key] = Group(self._log, group.settings)

    async def run(self) -> None:
        """Hand out what is appended, and look at the clock. Until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._tick
        while True:
            news = self._log.news
            late = loop.time() >= due
            for group in self:
                group.tick() if late else group.dispatch()
            if late:
                due = loop.time() + self._tick
            try:
                async with asyncio.timeout_at(due):
                    await news.wait()
            except TimeoutError:
                continue

    def _check(self, settings: Settings) -> None:
        """Raises Failure for settings that the server refuses."""
        reason = None
        if settings.strategy not in STRATEGIES:
            reason = f"Consumer strategy {settings.strategy} does not exist."
        elif settings.read_batch >= settings.history_buffer:
            reason = "The read batch size must be lower than the history buffer size."
        elif settings.stream == "$all":
            reason = "Persistent subscriptions to $all are not created by naming it as a stream."
        elif settings.stream is None and settings.start > self._log.end:
            reason = "The position to start from is beyond the end of the log."
        if reason:
            raise group_failed(settings.source, settings.group, reason)

    def _save(self) -> None:
        data = json.dumps({"entries": sorted(self._groups)}).encode()
        self._log.write(_CONFIG, [New(uuid4(), "$PersistentConfig", data, json=True)])
