"""A command disturbed at one of its steps on files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

KILLED = 9


class Steps:
    """Does something at the ``left``-th step on files from now: opening, syncing, renaming, deleting."""

    def __init__(self, patched: pytest.MonkeyPatch, left: int, then: Callable[[], None]) -> None:
        self.left, self._then = left, then
        for owner, name in (
            (os, "fsync"),
            (os, "open"),
            (Path, "replace"),
            (Path, "rename"),
            (Path, "unlink"),
        ):
            patched.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, step: Callable[..., object]) -> Callable[..., object]:
        def do(*arguments: object, **more: object) -> object:
            self.left -= 1
            if self.left == 0:
                self._then()
            return step(*arguments, **more)

        return do


def killed(moment: int, run: Callable[[], object]) -> bool:
    """Have a child do it that ends before its ``moment``-th step on files, as a kill would end it.

    False if it had fewer steps, and did it all.
    """
    child = os.fork()
    if child == 0:
        try:
            with pytest.MonkeyPatch.context() as patched:
                Steps(patched, moment, lambda: os._exit(KILLED))
                run()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED)
    return status == KILLED
