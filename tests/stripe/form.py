"""Form bodies and query strings with nested keys: ``a[b]=1``, ``a[]=1``, ``a[0][b]=1``.

https://docs.stripe.com/api: requests are form-encoded, answers are JSON.
"""

import re
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

Params: TypeAlias = dict[str, Any]

_PART = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 8


def decode(text: str) -> Params:
    """The nested parameters in ``text``. Raises ValueError when a key cannot be read."""
    found: Params = {}
    for key, value in parse_qsl(text, keep_blank_values=True, max_num_fields=1000):
        _put(found, _path(key), value)
    return {name: _lists(value, name) for name, value in found.items()}


def _path(key: str) -> list[str]:
    name, bracket, rest = key.partition("[")
    parts = _PART.findall(bracket + rest)
    if (
        not name
        or "]" in name
        or "".join(f"[{part}]" for part in parts) != bracket + rest
        or len(parts) > _DEEPEST
    ):
        raise ValueError(f"the key {key[:80]!r} cannot be read")
    return [name, *parts]


def _put(into: Params, path: list[str], value: str) -> None:
    *above, last = path
    for part in above:
        into = into.setdefault(part or str(len(into)), {})
        if not isinstance(into, dict):
            raise ValueError(f"{path[0]} is both a value and a group")
    into[last or str(len(into))] = value


def _lists(value: Any, name: str) -> Any:
    """Groups whose keys are all numbers are lists; but the keys of metadata are the caller's own."""
    if not isinstance(value, dict) or name == "metadata":
        return value
    if value and all(key.isascii() and key.isdigit() for key in value):
        return [_lists(value[key], "") for key in sorted(value, key=int)]
    return {key: _lists(part, key) for key, part in value.items()}
