"""``expand[]``: objects in place of their ids. https://docs.stripe.com/api/expanding_objects"""

from typing import Any

import msgspec

from tests.stripe.errors import invalid
from tests.stripe.ledger import Ledger

DEEPEST = 4


def expanded(ledger: Ledger, answer: Any, paths: list[str]) -> Any:
    """The answer with what ``paths`` name in full. Raises StripeError for what cannot be expanded."""
    tree = msgspec.to_builtins(answer)
    for path in paths:
        parts = path.split(".")
        if len(parts) > DEEPEST:
            raise invalid(f"You cannot expand more than {DEEPEST} levels: {path}", param="expand")
        _expand(ledger, tree, parts, path)
    return tree


def _expand(ledger: Ledger, tree: Any, parts: list[str], whole: str) -> None:
    if isinstance(tree, list):
        for item in tree:
            _expand(ledger, item, parts, whole)
        return
    first, *rest = parts
    if not isinstance(tree, dict) or first not in tree:
        raise invalid(f"This property cannot be expanded: {whole}", param="expand")
    value = tree[first]
    if not isinstance(value, str | dict | list | None) or (isinstance(value, dict) and not rest):
        raise invalid(f"This property cannot be expanded: {whole}", param="expand")
    if isinstance(value, str):
        found = ledger.any(value)
        if found is None:
            raise invalid(f"This property cannot be expanded: {whole}", param="expand")
        value = tree[first] = msgspec.to_builtins(found)
    if rest and value is not None:
        _expand(ledger, value, rest, whole)
