"""How the payment provider is reached, and its books."""

from typing import TYPE_CHECKING

from deploy.settings import BadSettings, Settings
from domain.money import Money
from gateways.extras import install
from projections.provider_books import ProviderBooks

if TYPE_CHECKING:
    from gateways.stripe_api import StripeAccess


def stripe_access(settings: Settings) -> "StripeAccess":
    """Raises BadSettings where the SDK is not installed."""
    try:
        from gateways.stripe_api import StripeAccess
    except ImportError as error:
        # The SDK and its HTTP client are an optional part: the card simulator needs none.
        packages = install("stripe>=16.1,<17", "aiohttp>=3.13")
        raise BadSettings(f"Stripe needs two packages more: {packages}") from error
    return StripeAccess(
        settings.stripe_secret_key,
        settings.stripe_api_version,
        settings.stripe_url,
        settings.stripe_timeout.total_seconds(),
        settings.stripe_retries,
        settings.stripe_return_url or None,
    )


def check_payable(settings: Settings, amount: Money) -> None:
    """Raises ValueError for an amount that the provider of ``settings`` has no coin for."""
    if settings.stripe_secret_key:
        from gateways.stripe_money import to_stripe

        to_stripe(amount)


def open_books(settings: Settings) -> ProviderBooks:
    """The books of the provider that ``settings`` name. Raises BadSettings, LedgerDamaged."""
    if not settings.stripe_secret_key:
        from gateways.card_books import CardBooks

        return CardBooks(settings.ledger)
    access = stripe_access(settings)
    from gateways.stripe_api import StripeApi
    from gateways.stripe_books import StripeBooks

    return StripeBooks(StripeApi(access))
