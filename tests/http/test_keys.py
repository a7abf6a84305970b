"""Ids that are made up: in the shape that clients know, apart from each other, in the order of time."""

from time import time

from gateways.http.keys import new_id
from gateways.http.parsing import is_id


def test_a_made_up_id_begins_with_the_time_and_is_nobody_elses() -> None:
    before = int(time())
    ids = {new_id() for _ in range(1000)}
    after = int(time())
    assert len(ids) == 1000
    assert all(is_id(each) and before <= int(each[:8], 16) <= after for each in ids)
