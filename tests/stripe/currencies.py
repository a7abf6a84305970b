"""Which amounts Stripe takes. https://docs.stripe.com/currencies

Amounts are in the smallest unit *as Stripe counts it*, which is not always ISO 4217's: ISK and UGX have
no decimals but are written with two, and MGA is written with none.
"""

from tests.stripe.errors import StripeError, invalid

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
WHOLE_ONLY = frozenset("isk ugx".split())
"""Written with two decimals that must be 00."""

_TWO_DECIMAL = frozenset(
    """aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf
    cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr
    jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio
    nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs
    top try ttd twd tzs uah usd uyu uzs wst xcd xcg yer zar zmw""".split()
)
SUPPORTED = ZERO_DECIMAL | THREE_DECIMAL | WHOLE_ONLY | _TWO_DECIMAL

MINIMUM = {
    **dict.fromkeys("usd aud brl cad chf eur inr nzd sgd".split(), 50),
    **dict.fromkeys("aed myr pln ron".split(), 2_00),
    **dict.fromkeys("nok sek".split(), 3_00),
    **dict.fromkeys("mxn thb".split(), 10_00),
    "bgn": 1_00,
    "czk": 15_00,
    "dkk": 2_50,
    "gbp": 30,
    "hkd": 4_00,
    "huf": 175_00,
    "jpy": 50,
}
"""The smallest charge where the page names one. Elsewhere it is the worth of about half a dollar, which
wants exchange rates that this double does not have; there any amount above zero is taken."""
LARGEST = 99_999_999
"""Eight digits."""


def check_charge(amount: int, currency: str) -> None:
    """Raises StripeError when no charge of ``amount`` in ``currency`` is possible."""
    if currency not in SUPPORTED:
        raise invalid(f"Invalid currency: {currency}. Stripe does not know it.", param="currency")
    if amount < 1:
        raise invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount < MINIMUM.get(currency, 1):
        raise _amount(
            "amount_too_small", f"Amount must be at least {MINIMUM[currency]} {currency} minor units"
        )
    if amount > LARGEST:
        raise _amount("amount_too_large", f"Amount must be no more than {LARGEST} {currency} minor units")
    check_step(amount, currency)


def check_step(amount: int, currency: str, param: str = "amount") -> None:
    """Raises StripeError when ``amount`` is between two amounts that can be charged."""
    if currency in THREE_DECIMAL and amount % 10:
        raise invalid(
            f"Invalid amount: the last digit of an amount in {currency} must be 0",
            code="parameter_invalid_integer",
            param=param,
        )
    if currency in WHOLE_ONLY and amount % 100:
        raise invalid(
            f"Invalid amount: the last two digits of an amount in {currency} must be 00",
            code="parameter_invalid_integer",
            param=param,
        )


def _amount(code: str, message: str) -> StripeError:
    return invalid(message, code=code, param="amount")
