"""The projector: the process beside the workers that feeds the read models and drives purchases on.

So requests do not share an event loop with it: what it costs to show an event in a list, and to look
after a deadline, is not paid by whoever is waiting for an answer. Workers read what it writes.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import structlog

from deploy.background import Background
from deploy.hearsay import BOARD, words
from deploy.keeper import Keeper
from deploy.parts import NAMES, Parts, open_models, open_parts
from deploy.seeding import seed
from deploy.settings import Settings
from projections.board import Writer
from projections.catalogue import CATALOGUE, Catalogue
from projections.read_model import ReadModel

POLL = 0.01
"""Seconds between two looks for what the workers have appended. What comes together is shown together."""
BEAT = 0.25
"""Seconds between two signs of life."""
PATIENCE = 3.0
"""Seconds that those who start it wait for lists that show the whole log; then they start without."""


TELL_EVERY = 5.0
"""Seconds between two log lines on how far the read models are, while they catch up."""

log = structlog.get_logger("admitone.projecting")


class Projector:
    """The process, put together."""

    def __init__(self, parts: Parts, slot: Path, models: dict[str, ReadModel], board: Writer) -> None:
        self._parts = parts
        self._slot = slot
        self._models = models
        self._board = board
        self._background = Background()
        self._shared = asyncio.Event()
        self._keeper = Keeper(parts, models, self._background, linger=0, share=self._share)
        self._share()

    async def start(self) -> None:
        """Begin, and return once the lists show the whole log, or when that takes too long."""
        await self._keeper.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._all_shown()
        self._beat()
        self._background.begin("heart", self._keep_beating())
        self._tell_of_currencies()

    async def stop(self) -> None:
        """End the background work. What was shown is kept."""
        await self._background.end()

    async def _all_shown(self) -> None:
        while not (self._keeper.follower.ready and self._board.shown() >= self._parts.store.head()):
            await self._shared.wait()
            self._shared.clear()

    def _share(self) -> None:
        for name, model in self._models.items():
            self._board.show(name, model.position, model.age())
        self._shared.set()

    async def _keep_beating(self) -> None:
        tell_at = 0.0
        while True:
            await asyncio.sleep(BEAT)
            self._beat()
            now = asyncio.get_running_loop().time()
            if now >= tell_at and not self._keeper.follower.ready:
                tell_at = now + TELL_EVERY
                self._tell()

    def _tell(self) -> None:
        """How far the read models are, while they are made or catch up."""
        shown = {each.name: f"{each.percent} %" for each in self._keeper.follower.progress()}
        log.info("read models catch up with the log", **shown)

    def _tell_of_currencies(self) -> None:
        """Prices keep their currency for ever, and clients of the classic surface are told none of them."""
        setting = self._parts.settings.currency
        if others := Catalogue(self._models[CATALOGUE.name]).for_sale_beside(setting):
            log.warning(
                "tickets are for sale that are priced in another currency than this shop's",
                setting=setting,
                found=",".join(others),
            )

    def _beat(self) -> None:
        _make(self._slot)
        self._board.beat(words({**self._keeper.live, **self._keeper.ready}))


async def build_projector(settings: Settings, slot: Path, closing: AsyncExitStack) -> Projector:
    """Put the process together, without starting it. Raises what keeps it from its work."""
    parts = await open_parts(settings, closing, poll=POLL)
    _make(slot)
    if settings.models_from is not None:
        await asyncio.to_thread(seed, slot, settings.models_from)
    board = Writer(slot / BOARD, NAMES)
    return Projector(parts, slot, open_models(parts, slot, closing), board)


def _make(slot: Path) -> None:
    """Somebody may have deleted all read models, directory and all."""
    slot.mkdir(parents=True, exist_ok=True)
