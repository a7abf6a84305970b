"""Where everything lies in the data directory."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_BESIDE = ("-wal", "-shm", "-journal")
"""How the names of what SQLite keeps beside a file end."""


class Places(Struct, frozen=True):
    """The files of one data directory. Only the log and the accounts cannot be made anew."""

    root: Path

    def lying(self, ledger: Path) -> list[Path]:
        """What is there of them, and nothing else that may lie there; what is in a directory before it.

        ledger: of the card simulator, which may lie elsewhere, and is then none of them.
        """
        from gateways.embedded_mark import HeadMark

        databases = [self.log, self.accounts, self.rates, *([ledger] if ledger.parent == self.root else [])]
        beside = [Path(f"{path}{suffix}") for path in databases for suffix in _BESIDE]
        single = (HeadMark.of(self.log), self.key, self.receipt_key, self.driver, self.reconciliation)
        nested = [path for each in (self.read_models, self.services) for path in (each, *each.rglob("*"))]
        found = [path for path in (*databases, *beside, *single, *nested) if os.path.lexists(path)]
        return sorted(found, key=lambda path: len(path.parts), reverse=True)

    def clear(self, ledger: Path, but: Collection[Path] = ()) -> None:
        """Remove all that is ``lying`` there. Raises OSError.

        but: what stays, with what SQLite keeps beside it: facts may be there that are not in the file yet.
        """
        for path in self.lying(ledger):
            name, dash, suffix = path.name.rpartition("-")
            of = path.with_name(name) if dash + suffix in _BESIDE else path
            if path in but or of in but:
                continue
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):  # something stays in it
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)

    @property
    def log(self) -> Path:
        """The event log."""
        return self.root / "log.sqlite"

    @property
    def accounts(self) -> Path:
        """E-mail addresses and password hashes: the only personal data."""
        return self.root / "accounts.sqlite"

    @property
    def read_models(self) -> Path:
        """Below it one directory for each service that runs on this data; all of it may be deleted."""
        return self.root / "read-models"

    @property
    def services(self) -> Path:
        """Below it the terms of each service that runs on this data: deploy/agreement.py."""
        return self.root / "services"

    @property
    def key(self) -> Path:
        """The signing key that was made because none was set."""
        return self.root / "jwt.key"

    @property
    def receipt_key(self) -> Path:
        """The key that was made for receipts because none was set."""
        return self.root / "receipts.key"

    @property
    def rates(self) -> Path:
        """Where processes that serve the same port count requests together; of this hour only."""
        return self.root / "rates.sqlite"

    @property
    def driver(self) -> Path:
        """The lease on driving the process manager."""
        return self.root / "process-manager.lease"

    @property
    def reconciliation(self) -> Path:
        """What the last reconciliation with the payment provider found."""
        return self.root / "reconciliation.json"
