"""Parameters into shapes, and what is wrong with them into Stripe's words. https://docs.stripe.com/error-codes"""

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tests.stripe.errors import StripeError, invalid
from tests.stripe.form import Params

T = TypeVar("T", bound=Struct)

_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_LACKING = re.compile(r"missing required field `([^`]+)`")
_AT = re.compile(r" - at `\$\.?([^`]*)`")
MOST_METADATA = 50


class Given(Struct, forbid_unknown_fields=True, kw_only=True):
    """The parameters of an endpoint; those that it does not name are refused."""


def read(shape: type[T], params: Params) -> T:
    """The parameters as ``shape``. An empty value counts as not given. Raises StripeError, not kept."""
    given = {name: value for name, value in params.items() if value != ""}
    try:
        found = msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    metadata = getattr(found, "metadata", None)
    if isinstance(metadata, dict):
        _check_metadata(metadata)
    return found


def _explained(message: str) -> StripeError:
    if unknown := _UNKNOWN.search(message):
        name = unknown[1]
        return invalid(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    place = _AT.search(message)
    above = place[1] if place else ""
    if lacking := _LACKING.search(message):
        name = f"{above}.{lacking[1]}" if above else lacking[1]
        name = _bracketed(name)
        return invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    name = _bracketed(above)
    wanted = message.partition(" - at ")[0]
    code = "parameter_invalid_integer" if "`int" in wanted else None
    return invalid(f"Invalid {name}: {wanted}", code=code, param=name)


def _bracketed(path: str) -> str:
    """``a.b`` as a form names it: ``a[b]``."""
    first, *rest = path.split(".")
    return first + "".join(f"[{part}]" for part in rest)


def _check_metadata(metadata: dict[str, str]) -> None:
    """https://docs.stripe.com/metadata: 50 keys of 40 characters, values of 500."""
    if len(metadata) > MOST_METADATA:
        raise invalid(f"Metadata can have at most {MOST_METADATA} keys", param="metadata")
    for key, value in metadata.items():
        if len(key) > 40 or "[" in key or "]" in key:
            raise invalid(f"Invalid metadata key: {key[:60]}", param=f"metadata[{key[:60]}]")
        if len(value) > 500:
            raise invalid("Metadata values can have up to 500 characters", param=f"metadata[{key}]")


def merged(old: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Metadata after an update: given keys replace, empty values delete."""
    together: dict[str, Any] = {**old, **(given or {})}
    return {key: value for key, value in together.items() if value != ""}
