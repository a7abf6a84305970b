"""The signing keys of a data directory, made once when none is set."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from deploy.places import Places
from deploy.reading import KEY_BYTES
from deploy.settings import Settings
from gateways.receipt_keys import ReceiptKeys

SIGNED_OUT = "everybody is signed out then"


class KeyDamaged(ValueError):
    """A file that should hold a key holds none. Says which, and what to do."""


def kept_key(path: Path, lost: str = SIGNED_OUT) -> bytes:
    """The key in the file ``path``, which is made (mode 0600) when there is none.

    Safe when several processes start at once: the file appears whole or not at all, and only once.
    lost: what becomes of what was signed with a key that is gone.
    Raises OSError, and KeyDamaged when the file holds no key.
    """
    try:
        return _read(path, lost)
    except FileNotFoundError:
        _make(path)
        return _read(path, lost)


def session_keys(settings: Settings, places: Places) -> tuple[bytes, ...]:
    """The keys of sessions; the first signs. Raises as ``kept_key`` does."""
    return settings.jwt_key or (kept_key(places.key),)


def receipt_keys(settings: Settings, places: Places) -> ReceiptKeys:
    """The keys that receipts are signed with. Raises as ``kept_key`` does."""
    lost = "receipts of before are then confirmed by the log alone"
    return ReceiptKeys(settings.receipt_key or (kept_key(places.receipt_key, lost),))


def _make(path: Path) -> None:
    # A temporary file has mode 0600 from the start: there is no moment at which another may read it.
    handle, mine = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first, and its key is the key
            os.link(mine, path)
    finally:
        os.unlink(mine)


def _read(path: Path, lost: str) -> bytes:
    key = path.read_bytes().strip()
    if len(key) < KEY_BYTES:
        raise KeyDamaged(f"{path} holds no key; delete it to have one made ({lost})")
    return key
