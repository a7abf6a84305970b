"""Money: integer minor units and a currency. The only arithmetic on prices in the house.

A binary fraction cannot hold 19.99, so no float ever takes part: a price arrives as the text of a
decimal number, lives as cents, and leaves as the shortest decimal number again.
"""

from decimal import Decimal, InvalidOperation

from msgspec import Struct

MAX_MINOR = 10**11
"""The largest amount taken, in minor units: well below 2^53, so every JSON reader holds it exactly."""

# ISO 4217: how many decimals a currency has. Two, unless it is named here.
_DECIMALS = {
    **dict.fromkeys(
        "bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf".split(),
        0,
    ),
    **dict.fromkeys("bhd iqd jod kwd lyd omr tnd".split(), 3),
}


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

        Raises ValueError when it is no finite number, has more decimals than the currency, or is too large.
        """
        try:
            value = Decimal(text.strip())
        except InvalidOperation:
            raise ValueError("a price is a decimal number") from None
        if not value.is_finite() or value.adjusted() > len(str(MAX_MINOR)):
            raise ValueError("a price is a number of a sensible size")
        minor = value.scaleb(decimals(currency))
        if minor != minor.to_integral_value():
            raise ValueError(f"a price in {currency} has at most {decimals(currency)} decimals")
        if abs(minor) > MAX_MINOR:
            raise ValueError("a price is a number of a sensible size")
        return cls(int(minor), currency)

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        """For people: ``19.99 USD``."""
        places = decimals(self.currency)
        return f"{Decimal(self.amount).scaleb(-places):.{places}f} {self.currency.upper()}"

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
