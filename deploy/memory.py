"""How often a process of ours looks for garbage. Our values are structs without cycles: seldom is enough."""

import gc

COLLECT_AFTER = 10_000
"""Objects after which the collector looks for cycles, which requests hardly make: about a megabyte."""


def settle() -> None:
    """What the start has made stays for good: the collector need not walk it for every few requests."""
    gc.collect()
    gc.freeze()
    collect_seldom()


def collect_seldom() -> None:
    """For whoever reads a whole log: with Python's own measure a tenth of the time goes by in vain."""
    gc.set_threshold(COLLECT_AFTER)
