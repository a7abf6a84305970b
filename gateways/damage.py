"""A log that is not what was written."""

from processmanager.ports import StoreUnavailable


class StoreDamaged(StoreUnavailable):
    """The log is damaged, is no log, or was made by a newer version. Says which in one line."""


class MarkDiffers(StoreDamaged):
    """A head mark that was kept elsewhere does not fit the log; which of the two is wrong cannot be seen."""
