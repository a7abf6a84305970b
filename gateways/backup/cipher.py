"""The key of a backup: what is written with it can be read, and was not altered, by nobody without it."""

import hmac
import os
from binascii import Error, unhexlify
from pathlib import Path

from gateways.extras import install

KEY_BYTES = 32
_NONCE = 12


class BadKey(Exception):
    """There is no key, or not this one. Says in one line what is wrong."""


class Altered(ValueError):
    """What was to be decrypted is not what was encrypted."""


class Key:
    """A secret of 32 random bytes. From it come a key for AES-256-GCM, one for HMAC-SHA256, and a name."""

    def __init__(self, secret: bytes) -> None:
        """Raises BadKey when the package for it is missing."""
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            needed = install("cryptography>=45")
            raise BadKey(f"encryption needs one package more: {needed}") from None
        self._cipher = AESGCM(_derived(secret, b"admitone backup: encrypt"))
        self._signing = _derived(secret, b"admitone backup: sign")
        self.name = _derived(secret, b"admitone backup: name")[:8].hex()

    @classmethod
    def read(cls, path: Path) -> "Key":
        """The key in a file of 64 hexadecimal digits. Raises BadKey, OSError."""
        try:
            secret = unhexlify(path.read_bytes().strip())
        except Error:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise BadKey(f"{path} holds no key of 64 hexadecimal digits; make one: openssl rand -hex 32")
        return cls(secret)

    def encrypt(self, plain: bytes, about: bytes) -> bytes:
        """``about``: what stands beside it in the clear and must not be altered either."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, about)

    def decrypt(self, sealed: bytes, about: bytes) -> bytes:
        """Raises Altered."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
        except (InvalidTag, ValueError):
            raise Altered from None

    def sign(self, content: bytes) -> str:
        return _derived(self._signing, content).hex()


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, purpose, "sha256")
