"""Random appends, reads and reopenings against a model of a few lines that cannot be wrong."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from domain.decider import NO_STREAM
from gateways.embedded import EmbeddedStore
from processmanager.ports import WrongRevision
from tests.store.contract import event


class Write(Struct, frozen=True):
    """An append. ``behind``: how far the expectation lies behind the stream's end. Ids may recur."""

    stream: str
    behind: int
    ids: list[int]


class Model:
    """The log as a list, and what an append must answer. The rules are EventStoreDB's."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []

    def stream(self, name: str) -> list[tuple[int, int]]:
        """Position and id of each event of a stream."""
        return [(n, id_) for n, (stream, id_) in enumerate(self.log, 1) if stream == name]

    def append(self, name: str, ids: list[int], expected: int) -> int | None:
        """The position of the last event, or None for a wrong revision."""
        there = self.stream(name)
        if expected == len(there) - 1:
            self.log += [(name, id_) for id_ in ids]
            there = self.stream(name)
            return there[-1][0] if there else 0
        found = there[expected + 1 : expected + 1 + len(ids)]
        if ids and [id_ for _, id_ in found] == ids:
            return found[-1][0]
        return None


writes = st.builds(
    Write,
    stream=st.sampled_from(["parking-a", "parking-b"]),
    behind=st.sampled_from([0, 0, 0, 1, 2, 3, -1]),
    ids=st.lists(st.integers(1, 4), max_size=3),
)
together = st.lists(writes, min_size=1, max_size=6)
Step: TypeAlias = list[Write] | None
steps: st.SearchStrategy[list[Step]] = st.lists(together | st.none(), min_size=5, max_size=25)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_the_store_does_what_a_list_would_do(history: list[Step]) -> None:
    """A step is several appends at once, or (None) a restart."""
    asyncio.run(play(history))


async def play(history: list[Step]) -> None:
    model = Model()
    with TemporaryDirectory() as directory:
        path = Path(directory, "log.sqlite")
        store = await EmbeddedStore.open(path)
        for step in history:
            if step is None:
                await store.close()
                store = await EmbeddedStore.open(path)
            else:
                await write(store, model, step)
            await compare(store, model)
        await store.close()


async def write(store: EmbeddedStore, model: Model, batch: list[Write]) -> None:
    """The appends of one step share a commit, and take effect in the order in which they were asked."""
    appends, answers = [], []
    for one in batch:
        expected = max(NO_STREAM, len(model.stream(one.stream)) - 1 - one.behind)
        proposed = [event(str(id_), UUID(int=id_)) for id_ in one.ids]
        if proposed:  # an empty append only looks, and need not wait for the others
            appends.append(store.append(one.stream, proposed, expected))
            answers.append(model.append(one.stream, one.ids, expected))
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert [None if isinstance(outcome, WrongRevision) else outcome for outcome in outcomes] == answers


async def compare(store: EmbeddedStore, model: Model) -> None:
    for name in ("parking-a", "parking-b"):
        found, there = await store.read(name), model.stream(name)
        assert [(one.position, one.id.int) for one in found] == there
        assert [one.revision for one in found] == list(range(len(there)))
        for expected in (len(there) - 1, len(there)):
            answer = await nothing(store, name, expected)
            assert answer == model.append(name, [], expected)
    assert store.head() == len(model.log)


async def nothing(store: EmbeddedStore, name: str, expected: int) -> int | None:
    try:
        return await store.append(name, [], expected)
    except WrongRevision:
        return None
