"""Event ids are name-based UUIDs as everybody makes them, whichever way the desk gets there."""

from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from processmanager.desk import EVENT_IDS, event_id


@given(words=st.text())
def test_an_event_id_is_a_uuid_of_version_5(words: str) -> None:
    assert event_id(words) == uuid5(EVENT_IDS, words)
