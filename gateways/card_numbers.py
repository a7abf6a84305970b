"""Numbers of cards, told from other numbers, so that none is kept where a client has put it by mistake.

A card's number has 13 to 19 digits, often in groups, and its last digit is a check on the others
(ISO/IEC 7812-1, Luhn's formula); so of the other numbers of that length one in ten is taken for one.
"""

import re

_LIKE = re.compile(r"(?<![0-9A-Za-z])\d(?:(?:[ +._-]|%20)?\d){12,18}(?![0-9A-Za-z])")
HIDDEN = "(a card's number)"


def holds_card_number(text: str) -> bool:
    return any(_checks(found[0]) for found in _LIKE.finditer(text))


def without_card_numbers(text: str) -> str:
    """``text``, in which each number of a card is hidden."""
    return _LIKE.sub(lambda found: HIDDEN if _checks(found[0]) else found[0], text)


def _checks(like: str) -> bool:
    digits = [int(digit) for digit in like.replace("%20", "") if digit.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
