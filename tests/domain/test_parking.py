"""A purchase that keeps failing is set aside; an operator's word on it is as accountable as a sale."""

import pytest

from domain.parking import (
    NO_REASON,
    NOT_PARKED,
    Event,
    Parked,
    ParkPurchase,
    PurchaseParked,
    PurchaseRetried,
    PurchaseSkipped,
    RetryPurchase,
    SkipPurchase,
    parking,
)
from tests.specification import given

PARKED = PurchaseParked("capture", "the provider is away", 5)
RETRIED = PurchaseRetried("olga")
SKIPPED = PurchaseSkipped("olga", "settled by telephone")

MOVING: tuple[tuple[Event, ...], ...] = ((), (PARKED, RETRIED), (PARKED, SKIPPED, RETRIED))


@pytest.mark.parametrize("history", MOVING)
def test_a_purchase_that_fails_too_often_is_parked(history: tuple[Event, ...]) -> None:
    given(parking, *history).when(ParkPurchase("capture", "the provider is away", 5)).then(PARKED)


def test_a_parked_purchase_is_parked_once_and_keeps_its_first_error() -> None:
    given(parking, PARKED).when(ParkPurchase("void", "something else", 6)).then_nothing()
    assert given(parking, PARKED).state == Parked("capture", "the provider is away", 5)


def test_an_operator_has_it_tried_again() -> None:
    given(parking, PARKED).when(RetryPurchase("olga")).then(RETRIED)


def test_an_operator_can_change_her_mind_about_a_skipped_purchase() -> None:
    given(parking, PARKED, SKIPPED).when(RetryPurchase("olga")).then(RETRIED)


def test_a_skipped_purchase_that_fails_again_is_seen_again() -> None:
    given(parking, PARKED, SKIPPED).when(ParkPurchase("void", "the provider is away", 5)).then(
        PurchaseParked("void", "the provider is away", 5)
    )


@pytest.mark.parametrize("history", MOVING)
def test_what_is_moving_needs_no_retry(history: tuple[Event, ...]) -> None:
    given(parking, *history).when(RetryPurchase("olga")).then_nothing()


def test_an_operator_skips_a_parked_purchase_with_a_written_reason_once() -> None:
    given(parking, PARKED).when(SkipPurchase("olga", "settled by telephone")).then(SKIPPED)
    given(parking, PARKED, SKIPPED).when(SkipPurchase("olga", "settled by telephone")).then_nothing()


@pytest.mark.parametrize("history", [*MOVING, (PARKED,), (PARKED, SKIPPED)])
def test_nothing_is_skipped_without_a_reason(history: tuple[Event, ...]) -> None:
    given(parking, *history).when(SkipPurchase("olga", "")).then_refused(NO_REASON)
    given(parking, *history).when(SkipPurchase("olga", " \n")).then_refused(NO_REASON)


@pytest.mark.parametrize("history", MOVING)
def test_a_purchase_that_moves_is_not_skipped(history: tuple[Event, ...]) -> None:
    given(parking, *history).when(SkipPurchase("olga", "settled by telephone")).then_refused(NOT_PARKED)
