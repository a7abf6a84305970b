"""What a checker raises."""


class Violation(BaseException):
    """A promise was broken. No ``Exception``, so that no handler in the code under test can swallow it.

    invariant: its name. what: what was seen.
    """

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what
