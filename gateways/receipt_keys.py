"""The shop's key pairs for receipts: Ed25519, made from keys of any form, shown as a JSON Web Key Set.

The set (RFC 7517, 8037) is what the shop publishes, so that anybody can tell its signature from another's.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

_PURPOSE = b"admitone receipts\0"
"""A key that is used for something else too makes another pair here."""


class PublicKey(Struct, frozen=True):
    """A public key as RFC 8037 has it. kid: the beginning of its SHA-256."""

    x: str
    kid: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    alg: str = "EdDSA"
    use: str = "sig"


class KeySet(Struct, frozen=True):
    """What is published: the key that signs, then those that did before."""

    keys: list[PublicKey]


class ReceiptKeys:
    """The first key signs; of the others it is published that they once did."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """keys: at least one secret, of any form."""
        pairs = [Ed25519PrivateKey.from_private_bytes(sha256(_PURPOSE + key).digest()) for key in keys]
        self._signing = pairs[0]
        names = [_text(pair.public_key().public_bytes_raw()) for pair in pairs]
        self.public = names[0]
        """The public key that belongs to the one that signs, in base64url."""
        self.published = KeySet([PublicKey(x, key_id(x)) for x in names])

    def sign(self, content: bytes) -> str:
        """The signature over ``content``, in base64url."""
        return _text(self._signing.sign(content))


def is_signed(content: bytes, key: str, signature: str) -> bool:
    """Whether ``signature`` over ``content`` was made with the secret half of ``key``."""
    try:
        Ed25519PublicKey.from_public_bytes(_bytes(key)).verify(_bytes(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(key: str) -> str:
    """A short name of a public key, for people to compare."""
    return sha256(key.encode()).hexdigest()[:16]


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except Error as error:
        raise ValueError(str(error)) from None
