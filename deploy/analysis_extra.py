"""The optional packages of analysis, where they are missing: one line instead of a stack."""

from importlib.util import find_spec

from deploy.failing import Failed
from gateways.extras import install

NEEDED = {"pyarrow": "pyarrow>=21", "duckdb": "duckdb>=2.0,<3"}
"""As in pyproject.toml, group ``analysis``."""


def need(what: str, *packages: str) -> None:
    """Raises Failed when ``what`` cannot be done because one of ``packages`` is not installed."""
    missing = [NEEDED[package] for package in packages if find_spec(package) is None]
    if missing:
        raise Failed(f"{what} needs packages that are not installed: {install(*missing)}")
