"""Settings are checked at start: what is wrong is said in one line, and no secret is in it."""

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.settings import HIDDEN, SETTINGS, BadSettings, Settings, defaults, variable
from processmanager.marketplace import Policy

KEY = "4f1c7a90be23d586" * 2
OTHER_KEY = "90be4f1c7ad52386" * 2


def refusal(**variables: str) -> str:
    with pytest.raises(BadSettings) as refused:
        Settings.load({}, {variable(name): text for name, text in variables.items()})
    return str(refused.value)


def test_without_any_word_it_serves_this_machine_only_and_holds_tickets_as_long_as_the_policy_says() -> None:
    settings = Settings.load({}, {})
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8000, Path("var"))
    assert (settings.hold, settings.grace) == (Policy().hold, Policy().grace)
    assert settings == Settings()


def test_an_option_wins_over_a_variable_and_a_variable_over_the_default() -> None:
    environ = {"ADMITONE_PORT": "9000", "ADMITONE_HOLD": "60"}
    settings = Settings.load({"port": "9001", "hold": None}, environ)
    assert (settings.port, settings.hold) == (9001, timedelta(seconds=60))


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_shown_would_set_the_same_again(name: str) -> None:
    text = Settings().shown()[name]
    assert text == defaults()[name]
    if text:
        assert Settings.load({}, {variable(name): text}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("demo", "off", False),
        ("rate_limit", "off", None),
        ("rate_limit", "250", 250),
        ("jwt_key", f"{KEY}, {OTHER_KEY}", (KEY.encode(), OTHER_KEY.encode())),
        ("trusted_proxies", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1/128")),
        ("origins", "https://tickets.example", ("https://tickets.example",)),
        ("retry_delays", "1,2.5", (timedelta(seconds=1), timedelta(seconds=2.5))),
        ("currency", "EUR", "eur"),
        ("log_level", "WARNING", "warning"),
        ("classic_sessions", "1", True),
    ],
)
def test_a_setting_is_read(name: str, text: str, value: object) -> None:
    assert getattr(Settings.load({}, {variable(name): text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("host", "", "given"),
        ("port", "80000", "from 0 to 65535, not '80000'"),
        ("port", "٣", "whole number"),
        ("port", "-1", "whole number"),
        ("workers", "0", "from 1 to 64"),
        ("hold", "0", "from 1 to 2592000"),
        ("hold", "nan", "number of seconds"),
        ("hold", "soon", "number of seconds"),
        ("drain", "inf", "number of seconds"),
        ("store", "postgres", "must be embedded"),
        ("demo", "perhaps", "1 or 0"),
        ("rate_limit", "many", "or off"),
        ("rate_limit", "0", "or off"),
        ("retry_delays", "5,,10", "separated by commas"),
        ("session_cookie", "two words", "name of a cookie"),
        ("trusted_proxies", "proxy.local", "addresses or networks"),
        ("origins", "https://tickets.example/path", "origins"),
        ("currency", "euro", "three letters"),
        ("currency", "xxx", "three letters of ISO 4217, as in usd, not 'xxx'"),
        ("log_level", "loud", "one of debug, info, warning, error, not 'loud'"),
        ("jwt_key", "", "at least 32 bytes"),
        ("jwt_key", "short", "at least 32 bytes"),
        ("jwt_key", "a" * 64, "easily guessed"),
        ("jwt_key", f"{KEY},{KEY}", "one is there twice"),
        ("jwt_key", f"{KEY},", "at least 32 bytes"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(name: str, text: str, says: str) -> None:
    line = refusal(**{name: text})
    assert line.startswith(variable(name))
    assert says in line
    assert "\n" not in line


def test_a_wrong_option_is_named_as_the_option_that_it_is() -> None:
    with pytest.raises(BadSettings, match=r"^--port must be a whole number"):
        Settings.load({"port": "http"}, {})


def test_a_misspelt_variable_is_refused_with_what_was_probably_meant() -> None:
    assert refusal(rate_limits="off") == (
        "there is no setting ADMITONE_RATE_LIMITS; did you mean ADMITONE_RATE_LIMIT?"
    )


def test_the_address_of_the_store_is_not_shown_for_it_may_hold_a_password() -> None:
    settings = Settings.load({}, {"ADMITONE_STORE": "esdb://admin:changeit@localhost:2113"})
    assert "changeit" not in repr(settings)
    assert "changeit" not in refusal(store="postgres://admin:changeit@localhost")


def test_a_cookie_for_https_only_contradicts_cookies_over_http() -> None:
    assert "ADMITONE_SECURE_COOKIES=1" in refusal(session_cookie="__Host-session")
    assert Settings.load(
        {}, {"ADMITONE_SESSION_COOKIE": "__Host-session", "ADMITONE_SECURE_COOKIES": "1"}
    ).secure_cookies


def test_no_secret_is_printed() -> None:
    settings = Settings.load({}, {"ADMITONE_JWT_KEY": KEY})
    assert settings.shown()["jwt_key"] == HIDDEN
    assert KEY not in repr(settings) + str(settings)
    assert "hunter2" not in refusal(jwt_key="hunter2")
