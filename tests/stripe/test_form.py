"""Nested keys in forms, as the SDK writes them."""

import pytest

from tests.stripe.form import decode


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("amount=5&currency=usd", {"amount": "5", "currency": "usd"}),
        ("card[token]=tok_visa", {"card": {"token": "tok_visa"}}),
        ("expand[]=a&expand[]=b", {"expand": ["a", "b"]}),
        ("expand[1]=b&expand[0]=a", {"expand": ["a", "b"]}),
        ("a[0][b]=1&a[1][b]=2", {"a": [{"b": "1"}, {"b": "2"}]}),
        ("metadata[7]=x&metadata[0]=y", {"metadata": {"7": "x", "0": "y"}}),
        ("name=a%26b%3Dc+d&empty=", {"name": "a&b=c d", "empty": ""}),
        ("", {}),
    ],
)
def test_nested_keys_are_read(text: str, params: dict[str, object]) -> None:
    assert decode(text) == params


@pytest.mark.parametrize("text", ["a[=1", "a]b=1", "[a]=1", "a=1&a[b]=2", "a" + "[b]" * 9 + "=1"])
def test_a_key_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a"):
        decode(text)
