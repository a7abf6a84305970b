"""How bad the world is in one history: which faults happen, how often, and how many did."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random

KINDS = {
    "store down": 1.0,
    "append lost": 1.0,
    "append answer lost": 1.0,
    "store slow": 0.2,
    "append hangs": 0.8,
    "provider down": 2.0,
    "provider answer lost": 2.0,
    "authorisation lapses": 3.0,
    "crash": 0.12,
}
"""The faults, and how likely each is against the others: a crash hits a whole process at once."""

SEVERITIES = (0.0, 0.0, 0.02, 0.06, 0.15)


class Weather:
    """Each history has its own weather: a fault that is frequent in one is absent from the next."""

    def __init__(self, rng: Random, kinds: Mapping[str, float] = KINDS) -> None:
        self._rng = rng
        self._rates = {kind: rng.choice(SEVERITIES) * share for kind, share in kinds.items()}
        self.foul = False
        self.struck: Counter[str] = Counter()

    def strikes(self, kind: str) -> bool:
        rate = self._rates[kind]
        if not self.foul or not rate or self._rng.random() >= rate:
            return False
        self.struck[kind] += 1
        return True

    def may_strike(self, kinds: Iterable[str]) -> bool:
        """Whether any of these can still happen."""
        return self.foul and any(self._rates[kind] for kind in kinds)

    def turn_foul(self) -> None:
        self.foul = True

    def provider_goes_away(self) -> None:
        """From now on all is well, but for the payment provider, which does not answer at all."""
        self._rates = dict.fromkeys(self._rates, 0.0) | {"provider down": 1.0}

    def clear_up(self) -> None:
        """From now on nothing goes wrong any more."""
        self.foul = False
