"""Services that share a data directory mean the same by what is in it, or the second one does not start."""

import json
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from deploy.agreement import contradiction, joined, terms_of
from deploy.failing import Failed
from deploy.places import Places
from deploy.settings import Settings, variable
from tests.deploy.running import admitone, eventually, running

OLD, NEW, OTHER = ("4f1c7a90be23d586" * 2, "90be4f1c7ad52386" * 2, "be23d5864f1c7a90" * 2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "var"


def settings(data: Path, **variables: str) -> Settings:
    data.mkdir(exist_ok=True)
    return Settings.load(
        {}, {variable(name): text for name, text in {"data": str(data), **variables}.items()}
    )


def joining(data: Path, **variables: str) -> AbstractContextManager[None]:
    """As a service with these settings."""
    return joined(settings(data, **variables), Places(data))


def differs(data: Path, ours: dict[str, str], theirs: dict[str, str]) -> str | None:
    """What is contradictory between two services; the order makes no difference to whether anything is."""
    first, second = (terms_of(settings(data, **each), Places(data)) for each in (ours, theirs))
    found = contradiction(first, second)
    assert (found is None) == (contradiction(second, first) is None)
    return found


# ── What must agree ───────────────────────────────────────────────────────────────────────────────


def test_two_services_count_in_the_same_currency(data: Path) -> None:
    assert differs(data, {"currency": "eur"}, {"currency": "EUR"}) is None
    told = differs(data, {"currency": "eur"}, {"currency": "usd"})
    assert told == "it has ADMITONE_CURRENCY usd, and this one eur"


@pytest.mark.parametrize("which", ["jwt_key", "receipt_key"])
@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        (OLD, OLD, True),
        (OLD, NEW, False),
        (f"{OLD},{NEW}", OLD, True),  # the new key is made known first,
        (f"{NEW},{OLD}", f"{OLD},{NEW}", True),  # then it signs,
        (NEW, f"{NEW},{OLD}", True),  # then the old one goes
        (f"{NEW},{OLD}", OLD, False),
        (f"{OLD},{OTHER}", f"{NEW},{OTHER}", False),
    ],
)
def test_each_service_knows_the_key_that_the_other_signs_with(
    data: Path, which: str, ours: str, theirs: str, agree: bool
) -> None:
    told = differs(data, {which: ours}, {which: theirs})
    assert (told is None) is agree
    assert told is None or variable(which) in told
    assert not any(key in (told or "") for key in (OLD, NEW, OTHER))


def test_the_key_that_was_made_is_one_that_all_services_of_the_directory_have(data: Path) -> None:
    assert differs(data, {}, {}) is None
    assert variable("jwt_key") in (differs(data, {}, {"jwt_key": OLD}) or "")


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [
        ({"stripe_secret_key": "sk_test_0123456789"}, {}, "the card simulator"),
        ({"stripe_secret_key": "sk_live_0123456789"}, {"stripe_secret_key": "sk_test_0123456789"}, "live"),
        ({"cards": "others.sqlite"}, {}, "others.sqlite"),
        ({"store": "esdb://admin:changeit@localhost:2113"}, {}, "EventStoreDB"),
        ({"session_cookie": "sitting"}, {}, "ADMITONE_SESSION_COOKIE"),
    ],
)
def test_two_services_have_one_log_one_payment_provider_and_one_cookie(
    data: Path, ours: dict[str, str], theirs: dict[str, str], named: str
) -> None:
    told = differs(data, ours, theirs)
    assert told is not None
    assert named in told
    assert "changeit" not in told
    assert "0123456789" not in told


def test_what_each_event_says_for_itself_may_differ(data: Path) -> None:
    ours = {"hold": "60", "grace": "60", "own_tickets": "1", "late_sales": "0", "retry_delays": "1"}
    assert differs(data, ours, {}) is None


def test_a_key_of_the_same_stripe_account_may_be_changed(data: Path) -> None:
    keys = [
        {"stripe_secret_key": f"{kind}_live_{number}"} for kind, number in (("sk", "1" * 9), ("rk", "2" * 9))
    ]
    assert differs(data, *keys) is None


# ── Who is held to it ─────────────────────────────────────────────────────────────────────────────


def test_nothing_but_who_serves_now_binds_the_next_one(data: Path) -> None:
    with (
        joining(data, currency="usd"),
        pytest.raises(Failed, match="usd, and this one eur"),
        joining(data, currency="eur"),
    ):
        pytest.fail("it was let in")
    with joining(data, currency="eur"):
        pass
    assert [each.name for each in Places(data).services.iterdir()] == ["gate"]


def test_a_service_that_is_refused_has_made_no_key(data: Path) -> None:
    keys = {"jwt_key": OLD, "receipt_key": OLD}
    with joining(data, **keys), pytest.raises(Failed, match="does not know the key"), joining(data):
        pytest.fail("it was let in")
    assert [each.name for each in data.iterdir()] == ["services"]


def test_what_one_that_died_has_left_is_cleared_away(data: Path) -> None:
    left = Places(data).services / "dead.json"
    left.parent.mkdir(parents=True)
    left.write_text("{")
    with joining(data):
        assert not left.exists()


def test_the_terms_that_are_kept_name_keys_and_do_not_hold_them(data: Path) -> None:
    with joining(data, jwt_key=OLD, receipt_key=NEW, stripe_secret_key="sk_test_0123456789"):
        (kept,) = Places(data).services.glob("*.json")
        text = kept.read_text()
    assert not any(secret in text for secret in (OLD, NEW, "0123456789"))
    assert json.loads(text)["currency"] == "usd"


def test_a_service_whose_terms_cannot_be_read_is_not_served_beside(data: Path) -> None:
    with joining(data):
        (kept,) = Places(data).services.glob("*.json")
        kept.write_text('{"of": "another version"}')
        with pytest.raises(Failed, match="of another version"), joining(data):
            pytest.fail("it was let in")


# ── As it is started ──────────────────────────────────────────────────────────────────────────────


def refusal(data: Path, **variables: str) -> str:
    told = admitone("serve", "--port", "0", "--data", str(data), variables=variables)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1), told.stderr
    return told.stderr


def test_a_second_service_that_contradicts_the_first_ends_with_one_line(data: Path) -> None:
    with running(data) as first:
        before = sorted(path for path in data.rglob("*"))
        line = refusal(data, currency="eur")
        assert line == (
            f"admitone: a service runs on {data}/ already, and it has ADMITONE_CURRENCY usd, and this one "
            "eur: give both the same, or stop that one first\n"
        )
        assert variable("jwt_key") in refusal(data, jwt_key=OLD)
        assert sorted(path for path in data.rglob("*")) == before, "it left something behind"
        assert httpx.get(f"{first.url}/readyz").status_code == 200
    with running(data, currency="eur", jwt_key=OLD) as alone:
        assert httpx.get(f"{alone.url}/readyz").status_code == 200


def test_services_that_agree_run_beside_each_other_and_are_replaced(data: Path) -> None:
    with running(data, "--workers", "2") as first, running(data, hold="60") as second:
        before = set(first.workers())
        first.signal(signal.SIGUSR2)
        eventually(
            lambda: len(now := set(first.workers())) == 2 and not now & before,
            "all workers were replaced",
        )
        for server in (first, second):
            assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_a_service_that_was_killed_binds_nobody(data: Path) -> None:
    with running(data) as first:
        first.kill()
    with running(data, currency="eur") as second:
        assert httpx.get(f"{second.url}/readyz").status_code == 200


def test_that_tickets_are_for_sale_in_another_currency_is_said_at_start(data: Path) -> None:
    with running(data) as first:
        assert "priced in another currency" not in first.log.read_text()
    with running(data, currency="jpy") as second:
        lines = [json.loads(line) for line in second.log.read_text().splitlines()]
    (told,) = [line for line in lines if "priced in another currency" in line["msg"]]
    assert (told["level"], told["setting"], told["found"]) == ("warning", "jpy", "usd")
