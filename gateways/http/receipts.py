"""The provenance receipt of a ticket, for its owner or its seller, and the shop's key that signs it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from domain import ticket
from gateways.http.answer import Answer, json
from gateways.http.as_of import AS_OF, AsOf, true_at
from gateways.http.call import Call
from gateways.http.errors import Forbidden, NotFound
from gateways.http.routes import Route
from gateways.raw_log import RawEvent
from gateways.receipt_keys import KeySet, ReceiptKeys
from gateways.receipts import SignedReceipt, receipt_of, signed

KEYS = "/.well-known/jwks.json"
NOT_YOURS = "Only the ticket's owner and its seller get its receipt"

ReadRaw = Callable[[str], Awaitable[Sequence[RawEvent]]]
"""The whole of a stream, as it is stored."""


class Receipts:
    def __init__(self, read: ReadRaw, keys: ReceiptKeys, now: Callable[[], datetime], as_of: AsOf) -> None:
        self._as_of = as_of
        self._read = read
        self._keys = keys
        self._now = now

    def routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/api/v1/tickets/:ticket/receipt",
                handle=self.of_ticket,
                summary="A signed receipt of custody, prices and times, for the ticket's owner or seller",
                answers={200: SignedReceipt},
                query=(AS_OF,),
                errors=(400, 403, 404),
                signed_in=True,
            ),
            Route(
                method="GET",
                path=KEYS,
                handle=self.keys,
                summary="The public keys that receipts are signed with",
                answers={200: KeySet},
            ),
        ]

    async def of_ticket(self, call: Call) -> Answer:
        user, ticket_id = call.user(), call.path_id("ticket")
        then = await self._as_of.position(call)
        events = await self._read(ticket.ticket.stream(ticket_id))
        if then is not None:
            events = [event for event in events if event.position <= then]
        try:
            receipt = receipt_of(ticket_id, events, user, self._now())
        except LookupError:
            raise NotFound from None
        if receipt is None:
            raise Forbidden(NOT_YOURS)
        disposition = b"content-disposition", b'attachment; filename="receipt.json"'
        return json(200, signed(receipt, self._keys), disposition, *true_at(then))

    async def keys(self, _: Call) -> Answer:
        return json(200, self._keys.published)
