"""Money: integer minor units and a currency. The only arithmetic on prices in the house.

A binary fraction cannot hold 19.99, so no float ever takes part: a price arrives as the text of a
decimal number, lives as cents, and leaves as the shortest decimal number again.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

from msgspec import Struct

MAX_MINOR = 10**11
"""The largest amount taken, in minor units: well below 2^53, so every JSON reader holds it exactly."""

# ISO 4217's list of what circulates, of 2026: no funds, no metals, none for testing.
CURRENCIES = frozenset(
    "aed afn all amd aoa ars aud awg azn bam bbd bdt bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad cdf "
    "chf clp cny cop crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf gtq "
    "gyd hkd hnl htg huf idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp "
    "lkr lrd lsl lyd mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr "
    "pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sdg sek sgd shp sle sos srd ssp stn svc "
    "syp szl thb tjs tmt tnd top try ttd twd tzs uah ugx usd uyu uzs ved ves vnd vuv wst xaf xcd xcg xof "
    "xpf yer zar zmw zwg".split()
)

# How many decimals a currency has. Two, unless it is named here.
ZERO_DECIMALS = tuple("bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf".split())
THREE_DECIMALS = tuple("bhd iqd jod kwd lyd omr tnd".split())
_DECIMALS = {**dict.fromkeys(ZERO_DECIMALS, 0), **dict.fromkeys(THREE_DECIMALS, 3)}

# ASCII digits only: Decimal by itself would also read "1_0", "１２" and "NaN".
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

# Decimal rounds without a word, unless it is told not to.
_EXACT = Context(prec=28, traps=[Inexact, InvalidOperation])


def decimals(currency: str) -> int:
    """How many decimals ``currency`` has (ISO 4217: usd 2, jpy 0, kwd 3)."""
    return _DECIMALS.get(currency, 2)


class MismatchedCurrencies(ValueError):
    """Two amounts of different currencies were to be added or compared."""


class Money(Struct, frozen=True, gc=False):
    """An amount in minor units of a currency: ``Money(1999, "usd")`` is $19.99.

    amount: minor units, an integer.
    currency: the ISO 4217 code in lower case, as Stripe writes it.
    """

    amount: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """Read a decimal number such as ``19.99``, ``20`` or ``1e1``.

        Space around it does not count. A sign is read: that no ticket costs -5 is for the ticket to say.
        Raises ValueError when it is no such number, has more decimals than the currency, or is too large.
        """
        if not _NUMBER.fullmatch(text.strip()):
            raise ValueError("a price is a decimal number")
        places = decimals(currency)
        try:
            minor = int(_EXACT.quantize(Decimal(text), Decimal(1).scaleb(-places)).scaleb(places))
        except Inexact:
            raise ValueError(f"a price in {currency} has at most {places} decimals") from None
        except InvalidOperation:  # more digits than are reckoned with
            raise ValueError("a price is a number of a sensible size") from None
        if abs(minor) > MAX_MINOR:
            raise ValueError("a price is a number of a sensible size")
        return cls(minor, currency)

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        """For people: ``1,219.99 USD``."""
        places = decimals(self.currency)
        return f"{Decimal(self.amount).scaleb(-places):,.{places}f} {self.currency.upper()}"

    @property
    def major(self) -> int | float:
        """The amount as a JSON number of the classic surface: 20 and not 20.0, 19.99 and not 19.990000001."""
        unit: int = 10 ** decimals(self.currency)
        whole, rest = divmod(self.amount, unit)
        # The nearest double of a decimal this short prints as that decimal again.
        return whole if rest == 0 else self.amount / unit

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise MismatchedCurrencies(f"{self.currency} and {other.currency} do not add up")
