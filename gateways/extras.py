"""What is said where an optional package is missing: the command that installs it, for this very Python."""

import shlex
import sys


def install(*requirements: str) -> str:
    """A plain `pip` may be that of another Python, or of the system, which refuses."""
    return shlex.join([sys.executable, "-m", "pip", "install", *requirements])
