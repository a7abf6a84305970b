"""Prices are exact from the form to the card, in every currency; and what is no price is refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.money import (
    CURRENCIES,
    MAX_MINOR,
    THREE_DECIMALS,
    ZERO_DECIMALS,
    MismatchedCurrencies,
    Money,
    decimals,
)

USD = st.integers(-MAX_MINOR, MAX_MINOR).map(lambda amount: Money(amount, "usd"))
ANY = st.builds(Money, st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["usd", "jpy", "kwd"]))


# ── A price arrives and leaves as the same number ─────────────────────────────────────────────────


def test_every_price_up_to_a_thousand_dollars_can_be_charged_to_the_cent() -> None:
    for cents in range(1, 100_001):
        text = f"{cents // 100}.{cents % 100:02}"
        price = Money.parse(text, "usd")
        assert price.amount == cents
        assert Decimal(json.dumps(price.major)) == Decimal(text)


def test_a_classic_client_sees_the_shortest_number() -> None:
    def seen(text: str, currency: str) -> str:
        return json.dumps(Money.parse(text, currency).major)

    assert seen("20.00", "usd") == "20"
    assert seen("19.90", "usd") == "19.9"
    assert seen("19.99", "usd") == "19.99"
    assert seen("-19.99", "usd") == "-19.99"
    assert seen("2000", "jpy") == "2000"
    assert seen("0.001", "kwd") == "0.001"


@given(ANY)
def test_any_amount_survives_being_a_json_number(money: Money) -> None:
    assert Money.parse(json.dumps(money.major), money.currency) == money


@given(ANY)
def test_any_amount_reads_for_people_as_it_is(money: Money) -> None:
    text, _, currency = str(money).partition(" ")
    assert Money.parse(text.replace(",", ""), currency.lower()) == money
    assert len(text.partition(".")[2]) == decimals(money.currency)


def test_each_currency_with_decimals_of_its_own_is_one_that_circulates() -> None:
    an_index = {"uyi"}  # in ISO 4217's list, and in nobody's purse
    assert {*ZERO_DECIMALS, *THREE_DECIMALS, "usd", "eur"} - an_index <= CURRENCIES
    assert not CURRENCIES & {"xxx", "xts", "xau", "eru"}


def test_currencies_have_the_decimals_of_the_standard() -> None:
    assert Money.parse("500", "jpy") == Money(500, "jpy")
    assert Money.parse("1.234", "kwd") == Money(1234, "kwd")
    assert Money.parse("5", "eur") == Money(500, "eur")
    assert str(Money(500, "jpy")) == "500 JPY"
    assert str(Money(1234, "kwd")) == "1.234 KWD"
    assert str(Money(1999, "usd")) == "19.99 USD"
    assert str(Money(-120_000_050, "usd")) == "-1,200,000.50 USD"


# ── What a price may look like ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("20", 2000),
        ("20.", 2000),
        (".5", 50),
        ("+5", 500),
        ("-5", -500),
        ("-0", 0),
        ("007", 700),
        ("1e1", 1000),
        ("1E+1", 1000),
        ("1999e-2", 1999),
        ("19.9900000000000000000000000000000000000000", 1999),
        (" 20 ", 2000),
        ("20\n", 2000),
        ("1000000000", MAX_MINOR),
    ],
)
def test_a_plain_decimal_number_is_a_price(text: str, cents: int) -> None:
    assert Money.parse(text, "usd") == Money(cents, "usd")


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "-", "+", "e5", ".e5", "--5", "5-", "5 5", "5\x00", "\x005"),
        *("NaN", "nan", "sNaN", "-NaN1", "Infinity", "inf", "-Infinity"),
        *("1_0", "1_000.00", "1,50", "1,000", "$5", "5 USD", "0x10", "0b1", "1/2", "½"),
        *("１２", "٣", "−5", "5.5.5", "1e", "1e+", "1e1.5", "true", "null", "[]"),
    ],
)
def test_what_is_no_decimal_number_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match="a price is a decimal number"):
        Money.parse(text, "usd")


@pytest.mark.parametrize(
    "text",
    ["1000000000.01", "-1000000000.01", "1e400", "1e999999999", "1e99999999999999999999", "9" * 100_000],
)
def test_a_price_beyond_all_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="sensible size"):
        Money.parse(text, "usd")


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("19.999", "usd"),
        ("0.001", "usd"),
        ("1e-3", "usd"),
        ("1e-999999999", "usd"),
        ("0.5", "jpy"),
        ("1.2345", "kwd"),
        ("0." + "0" * 100_000 + "1", "usd"),
        # Beyond the 28 digits to which Decimal rounds silently.
        ("1.0000000000000000000000000000001", "usd"),
        ("19.9899999999999999999999999999999", "usd"),
        ("99999999999999999999999999999e-26", "usd"),
    ],
)
def test_a_fraction_of_the_smallest_coin_is_refused_and_never_rounded(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=f"in {currency} has at most"):
        Money.parse(text, currency)


@given(st.text() | st.from_regex(r"[-+]?[0-9._]*e?[-+]?[0-9]*", fullmatch=True))
@example("1e-9999999999999999999999")
def test_no_text_at_all_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        price = Money.parse(text, "usd")
    except ValueError:
        return
    assert Decimal(price.amount) == Decimal(text) * 100


# ── Arithmetic ────────────────────────────────────────────────────────────────────────────────────


@given(USD, USD)
def test_what_is_added_can_be_taken_away(one: Money, other: Money) -> None:
    assert one + other - other == one
    assert one - other == one + -other
    assert (one + other).amount == one.amount + other.amount


def test_amounts_of_different_currencies_do_not_add_up() -> None:
    with pytest.raises(MismatchedCurrencies, match="usd and jpy"):
        Money(1, "usd") + Money(1, "jpy")
    with pytest.raises(MismatchedCurrencies):
        Money(1, "usd") - Money(1, "jpy")
