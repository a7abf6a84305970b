"""EventStoreDB where a user names it: what is missing or wrong is said as a wrong setting."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.settings import BadSettings
from gateways.extras import install


@contextmanager
def named_by(option: str) -> Iterator[None]:
    """For whatever opens the store that ``option`` names. Raises BadSettings for a bad address."""
    try:
        from gateways.eventstoredb_address import BadAddress
    except ImportError as error:
        # The client is an optional part: who runs on one machine need not install gRPC.
        raise BadSettings(
            f"EventStoreDB needs one package more: {install('esdbclient>=1.1.7,<1.2')}"
        ) from error
    try:
        yield
    except BadAddress as error:
        raise BadSettings(f"{option}: {error}") from None
