"""Session cookies: what proves who somebody is, and all that does not."""

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.sessions import Sessions

KEY = b"a key of the house, long enough by far"
OTHER = b"a key of another house, just as long as"
NOW = 1_790_000_000


class Wall:
    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def house(*, classic: bool = False, keys: tuple[bytes, ...] = (KEY,)) -> Sessions:
    return Sessions(keys, classic=classic)


def cookie(claims: dict[str, Any], key: bytes = KEY, **headers: Any) -> str:
    return wrapped(jwt.encode(claims, key, algorithm="HS256", headers=headers or None))


def wrapped(token: str) -> str:
    return b64encode(json.dumps({"jwt": token}, separators=(",", ":")).encode()).decode()


CLASSIC = {"id": "5f1e9a0c2b4d6e8f0a1c3e5d", "email": "test@test.com", "iat": 1_600_000_000}
FOREVER = {**CLASSIC, "exp": 4_000_000_000}


def test_a_minted_cookie_is_read_back() -> None:
    session = house().read(house().mint("u1", "a@b.co"))
    assert session is not None
    assert (session.user, session.email) == ("u1", "a@b.co")


def test_the_cookie_is_base64_of_a_jwt_in_json_with_its_padding_kept() -> None:
    # Three lengths of address, so that at least one needs padding.
    for email in ("a@b.co", "aa@b.co", "aaa@b.co"):
        value = house().mint("u1", email)
        assert len(value) % 4 == 0
        token = json.loads(b64decode(value, validate=True))["jwt"]
        assert jwt.get_unverified_header(token)["kid"]
        assert jwt.decode(token, KEY, algorithms=["HS256"])["exp"] > 0


@pytest.mark.parametrize("spell", [str, lambda value: value.rstrip("="), lambda value: quote(value, safe="")])
def test_a_cookie_may_be_stripped_of_its_padding_or_percent_encoded(spell: Any) -> None:
    for email in ("a@b.co", "aa@b.co", "aaa@b.co"):
        assert house().read(spell(house().mint("u1", email))) is not None


def test_a_session_ends_when_its_time_is_over_even_if_it_was_seen_before() -> None:
    wall = Wall(NOW)
    sessions = Sessions([KEY], lifetime=timedelta(days=36500), now=wall)
    value = sessions.mint("u1", "a@b.co")
    assert sessions.read(value) is not None
    wall.at += timedelta(days=36500).total_seconds()
    assert sessions.read(value) is None


def test_a_new_key_signs_and_the_old_one_still_verifies() -> None:
    old = house(keys=(OTHER,)).mint("u1", "a@b.co")
    rotated = house(keys=(KEY, OTHER))
    assert rotated.read(old) is not None
    assert house(keys=(KEY,)).read(rotated.mint("u1", "a@b.co")) is not None
    assert house(keys=(KEY,)).read(old) is None


def test_a_classic_token_without_an_end_counts_only_where_it_was_switched_on() -> None:
    assert house().read(cookie(CLASSIC)) is None
    session = house(classic=True).read(cookie(CLASSIC))
    assert session is not None
    assert (session.user, session.issued) == (CLASSIC["id"], CLASSIC["iat"])


_UNSIGNED = jwt.encode(FOREVER, "", algorithm="none")
_GOOD = jwt.encode(FOREVER, KEY, algorithm="HS256")
REFUSED = {
    "nothing": "",
    "garbage": "garbage",
    "no base64": "%%%",
    "base64 of garbage": b64encode(b"garbage").decode(),
    "no object": b64encode(b"[]").decode(),
    "another object": b64encode(b'{"token":"x"}').decode(),
    "jwt of another type": b64encode(b'{"jwt":1}').decode(),
    "deeply nested": b64encode(b"[" * 3000).decode(),
    "nested header": wrapped(urlsafe_b64encode(b"[" * 1500).decode() + ".e30.x"),
    "alg none": wrapped(_UNSIGNED),
    "signature cut off": wrapped(_GOOD.rpartition(".")[0] + "."),
    "signature altered": wrapped(_GOOD[:-4] + ("AAAA" if _GOOD[-4:] != "AAAA" else "BBBB")),
    "foreign key": cookie(FOREVER, OTHER),
    "unknown kid": cookie(FOREVER, KEY, kid="nobody's"),
    "kid of another type": wrapped(
        urlsafe_b64encode(b'{"alg":"HS256","kid":["x"]}').decode().rstrip("=") + "." + _GOOD.partition(".")[2]
    ),
    "another algorithm": wrapped(jwt.encode(FOREVER, KEY * 2, algorithm="HS512")),
    "expired": cookie({**CLASSIC, "exp": 1_600_000_001}),
    "not yet": cookie({**FOREVER, "nbf": 3_900_000_000}),
    "issued in the future": cookie({**FOREVER, "iat": 3_900_000_000}),
    "end that is no number": cookie({**FOREVER, "exp": "later"}),
    "endless end": wrapped(jwt.encode({**FOREVER, "exp": float("inf")}, KEY, algorithm="HS256")),
    "for another audience": cookie({**FOREVER, "aud": "others"}),
    "no id": cookie({"email": "a@b.co", "exp": 4_000_000_000}),
    "id of another type": cookie({**FOREVER, "id": 7}),
    "id with a NUL": cookie({**FOREVER, "id": "a\0b"}),
    "id with a lone surrogate": cookie({**FOREVER, "id": "\ud800"}),
    "id without end": cookie({**FOREVER, "id": "x" * 129}),
    "empty id": cookie({**FOREVER, "id": ""}),
    "address with a lone surrogate": cookie({**FOREVER, "email": "\ud800"}),
    "address of another type": cookie({**FOREVER, "email": ["a@b.co"]}),
    "start of another type": cookie({**FOREVER, "iat": "yesterday"}),
}


@pytest.mark.parametrize("classic", [False, True])
@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_hold_means_not_signed_in(what: str, classic: bool) -> None:
    assert house(classic=classic).read(REFUSED[what]) is None


@given(st.text() | st.binary().map(lambda raw: b64encode(raw).decode()))
def test_no_cookie_is_ever_an_error(value: str) -> None:
    assert house(classic=True).read(value) is None


def test_what_is_remembered_stays_bounded() -> None:
    sessions = Sessions([KEY], remembered=10)
    for number in range(50):
        assert sessions.read(sessions.mint(f"u{number}", "a@b.co")) is not None
    assert len(sessions._verified) == 10


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, b"short")])
def test_a_weak_key_is_not_taken(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sessions(keys)
