"""Idempotency keys: a caller names his request, so that asking twice is asking once.

What a request makes gets its id from the caller's key, so the log itself is the record of the keys and
no answer is ever forgotten. One thing it cannot show is that a key comes again with other words; that
is noticed here, by the process that saw both.
"""

from collections import OrderedDict
from os import urandom
from time import time

from domain.ids import derived_id
from gateways.http.call import Call
from gateways.http.errors import KEY_REUSED, Rejected

REPLAYED = (b"idempotent-replayed", b"true")


class Keys:
    def __init__(self, remembered: int = 50_000) -> None:
        self._capacity = remembered
        self._words: OrderedDict[tuple[str, str, str], tuple[str, ...]] = OrderedDict()

    def id_for(self, call: Call, route: str, user: str, *words: str, also: tuple[str, ...] = ()) -> str:
        """A new id; with an Idempotency-Key the id that belongs to it.

        words: what of the request the id belongs to as well. also: what else makes it another request.
        Raises Rejected when the key is malformed, or was used for another request before.
        """
        key = call.key()
        if key is None:
            return new_id()
        said = (*words, *also)
        if self._words.setdefault((route, user, key), said) != said:
            raise Rejected(422, KEY_REUSED)
        if len(self._words) > self._capacity:
            self._words.popitem(last=False)
        return derived_id(route, user, key, *words)


def new_id() -> str:
    """An id that nobody has had: its first eight digits are the time in seconds, as in a Mongo ObjectId.

    What is made at one time then stands together in the log's index, and a commit writes half the pages.
    """
    return (int(time()) & 0xFFFFFFFF).to_bytes(4, "big").hex() + urandom(8).hex()
