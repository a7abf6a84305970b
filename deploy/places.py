"""Where everything lies in the data directory."""

from pathlib import Path
from shutil import rmtree

from msgspec import Struct


class Places(Struct, frozen=True):
    """The files of one data directory. Only the log and the accounts cannot be made anew."""

    root: Path

    def clear(self, ledger: Path) -> None:
        """Remove all of them, and nothing else that may lie there. Raises OSError.

        ledger: of the card simulator, which may lie elsewhere; then it stays.
        """
        for name in (self.read_models, self.services):
            rmtree(name, ignore_errors=True)
        files = (self.log, self.accounts, self.rates, *([ledger] if ledger.parent == self.root else []))
        beside = [path for file in files for path in self.root.glob(f"{file.name}*")]
        for path in (*beside, self.key, self.receipt_key, self.driver, self.reconciliation):
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
