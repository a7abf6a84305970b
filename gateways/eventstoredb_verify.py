"""The log in EventStoreDB verified: each stream is whole, and each event follows on the one before it.

The order of the whole log is EventStoreDB's own to keep: it has no seals of ours.
"""

from gateways.chain_proof import Chains, Flawed, Tell, Verified
from gateways.damage import StoreDamaged
from gateways.eventstoredb_raw import EventStoreDBRawLog
from gateways.raw_log import RawEvent


async def verify(uri: str, tell: Tell) -> Verified:
    """Verify the log as it is now; others may go on writing to it.

    Raises BadAddress, NotAuthorised, StoreDamaged, StoreUnavailable.
    """
    log = await EventStoreDBRawLog.open(uri)
    try:
        return await _verified(log, tell)
    except Flawed as flaw:
        raise StoreDamaged(f"{log} is damaged: {flaw}") from None
    finally:
        await log.close()


async def _verified(log: EventStoreDBRawLog, tell: Tell) -> Verified:
    last = await log.last()
    head, events, chains = last.position if last else 0, 0, Chains()
    async for page in log.pages(0, head):
        for event in page:
            await _take(log, chains, event)
        events += len(page)
        tell(page[-1].position, head)
    for stream, why in log.hidden.items():
        raise Flawed(f"EventStoreDB no longer shows all of {stream}: {why}")
    return Verified(events=events, streams=chains.streams, unchained=chains.unchained)


async def _take(log: EventStoreDBRawLog, chains: Chains, event: RawEvent) -> None:
    stream, revision = event.stream, event.revision
    if chains.lacks(stream, revision):
        before = await log.at(stream, revision - 1)
        if before is not None and before.position < event.position:
            chains.learn(stream, before.revision, before.metadata)
    chains.take(stream, revision, event.position, event.type, event.id.bytes, event.data, event.metadata)
