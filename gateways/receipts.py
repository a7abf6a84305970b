"""The provenance receipt of a ticket: what happened to it, in whose hands it was, at which price and when.

It names nobody. The seller is the seller, and buyers are numbered in the order in which they first took the
ticket; ids of accounts, orders and payments are left out. With each event stands its chain, by which the log
confirms it, and the shop's signature (Ed25519, RFC 8032) is over all of it, so that it can be checked alone.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from domain import ticket
from domain.decider import AnyRecorded, Recorded, Unreadable
from gateways.chain import carried
from gateways.chain_proof import Chains
from gateways.codec import Codec
from gateways.raw_log import RawEvent
from gateways.receipt_keys import ReceiptKeys, is_signed
from processmanager.archive import fold
from processmanager.desk import UnreadableStream

VERSION: Literal[1] = 1
_CODEC = Codec()

Standing: TypeAlias = Literal["for sale", "held", "sold", "withdrawn"]


class NoReceipt(ValueError):
    """What was given is no receipt, or is not true. Says in one line why."""


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """amount: in the currency's smallest unit."""

    amount: int
    currency: str


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One event of the ticket's stream, and how the ticket stood from then on.

    buyer: the number of the buyer who held or owned it. chain: base64, see gateways/chain.py; null for an
    event of before there were chains.
    """

    revision: int
    event: str
    at: datetime
    standing: Standing
    buyer: int | None
    price: Price
    chain: str | None


class Receipt(Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed. issued_to: the number of the buyer who owns the ticket; null for its seller."""

    version: Literal[1]
    ticket: str
    title: str
    issued_to: int | None
    issued_at: datetime
    events: tuple[Entry, ...]


class SignedReceipt(Struct, frozen=True, forbid_unknown_fields=True):
    """key: the public key. signature: over the receipt as ``content`` writes it. Both in base64url."""

    receipt: Receipt
    key: str
    signature: str


def receipt_of(ticket_id: str, events: Sequence[RawEvent], reader: str, now: datetime) -> Receipt | None:
    """The receipt of a ticket for an account; None for an account that neither owns nor sells it.

    events: the whole stream. Raises UnreadableStream; LookupError when there is no such ticket.
    """
    facts = [_fact(event) for event in events]
    state = fold(ticket.ticket, ticket.ticket.stream(ticket_id), facts).state
    if isinstance(state, ticket.Unlisted):
        raise LookupError(ticket_id)
    numbers = _buyers(facts)
    if isinstance(state, ticket.Sold) and state.buyer == reader:
        to = numbers[reader]
    elif state.listing.seller == reader:
        to = None
    else:
        return None
    return Receipt(VERSION, ticket_id, state.listing.title, to, now, _entries(facts, events, numbers))


def signed(receipt: Receipt, keys: ReceiptKeys) -> SignedReceipt:
    """The receipt with the shop's signature."""
    return SignedReceipt(receipt, keys.public, keys.sign(content(receipt)))


def content(receipt: Receipt) -> bytes:
    """What is signed: the same bytes however the file was spaced or indented since."""
    return msgspec.json.encode(receipt)


# ── Checking ──────────────────────────────────────────────────────────────────────────────────────


def read(text: bytes, key: str | None = None) -> SignedReceipt:
    """The receipt in a file, if it is true in itself. key: the public key to insist on. Raises NoReceipt."""
    try:
        found = msgspec.json.decode(text, type=SignedReceipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoReceipt(f"it is no receipt that this version knows: {error}") from None
    if not is_signed(content(found.receipt), found.key, found.signature):
        raise NoReceipt("it is not what was signed: something in it was altered, or it was signed by nobody")
    if key is not None and found.key != key.strip():
        raise NoReceipt(f"it was signed with {found.key}, which is not the key given")
    _refuse_broken(found.receipt)
    return found


def _refuse_broken(receipt: Receipt) -> None:
    """Its events must be a whole beginning of a stream, each chained as soon as one is, and end with whom it
    was issued to."""
    entries = receipt.events
    if not entries or [entry.revision for entry in entries] != [*range(len(entries))]:
        raise NoReceipt("its events are not whole from the first on")
    chains = [entry.chain for entry in entries if entry.chain is not None]
    if len({*chains}) < len(chains) or any(
        entry.chain is None for entry in entries[-len(chains) :] if chains
    ):
        raise NoReceipt("its events are not chained one to the other")
    last = entries[-1]
    if receipt.issued_to is not None and (last.standing, last.buyer) != ("sold", receipt.issued_to):
        raise NoReceipt("it was issued to somebody who did not own the ticket")


def confirm(receipt: Receipt, events: Sequence[RawEvent]) -> int:
    """Hold a receipt against the ticket's stream in a log; how many events have been added since.

    Raises NoReceipt, Flawed when it is the log that is damaged, UnreadableStream.
    """
    count = len(receipt.events)
    if len(events) < count:
        raise NoReceipt(
            f"the log has {len(events)} events of ticket {receipt.ticket}, and the receipt {count}"
        )
    chains = Chains()
    for event in events:
        chains.take(
            event.stream,
            event.revision,
            event.position,
            event.type,
            event.id.bytes,
            event.data,
            event.metadata,
        )
    facts = [_fact(event) for event in events[:count]]
    for shown, stands in zip(receipt.events, _entries(facts, events, _buyers(facts)), strict=True):
        if shown != stands:
            raise NoReceipt(f"revision {shown.revision} ({shown.event}) is something else in the log")
    if receipt.title != _title(facts):
        raise NoReceipt("the ticket has another title in the log")
    return len(events) - count


# ── How ───────────────────────────────────────────────────────────────────────────────────────────


def _fact(event: RawEvent) -> AnyRecorded:
    decoded, metadata = _CODEC.decode(event.type, event.data, event.metadata)
    if isinstance(decoded, Unreadable):
        raise UnreadableStream(f"{event}: {decoded.reason}")
    return Recorded(event.stream, event.revision, event.position, event.id, decoded, metadata)


def _title(facts: Sequence[AnyRecorded]) -> str:
    titles = (
        fact.event.title
        for fact in facts
        if isinstance(fact.event, ticket.TicketListed | ticket.TicketEdited)
    )
    return [*titles][-1]


def _buyers(facts: Sequence[AnyRecorded]) -> dict[str, int]:
    """Who took the ticket, numbered from 1 in the order in which they first did."""
    took = (fact.event.buyer for fact in facts if isinstance(fact.event, ticket.TicketReserved))
    return {buyer: number for number, buyer in enumerate(dict.fromkeys(took), 1)}


def _entries(
    facts: Sequence[AnyRecorded], events: Sequence[RawEvent], numbers: dict[str, int]
) -> tuple[Entry, ...]:
    state, entries = ticket.ticket.initial, list[Entry]()
    for fact, event in zip(facts, events, strict=False):
        state = ticket.ticket.evolve(state, fact.event)
        assert not isinstance(state, ticket.Unlisted)  # no event leads there
        standing, buyer = _standing(state)
        price, chain = state.listing.price, carried(event.metadata)
        entries.append(
            Entry(
                fact.revision,
                event.type,
                fact.metadata.at.astimezone(UTC),
                standing,
                numbers[buyer] if buyer else None,
                Price(price.amount, price.currency),
                b64encode(chain).decode() if chain else None,
            )
        )
    return tuple(entries)


def _standing(
    state: ticket.Available | ticket.Reserved | ticket.Sold | ticket.Delisted,
) -> tuple[Standing, str | None]:
    match state:
        case ticket.Available():
            return "for sale", None
        case ticket.Reserved(buyer=buyer):
            return "held", buyer
        case ticket.Sold(buyer=buyer):
            return "sold", buyer
        case ticket.Delisted():
            return "withdrawn", None
