"""``admitone serve``: check the settings, take the port, serve until told to stop."""

import asyncio
import errno
import resource
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.commands.options import F, command_line, load, setting
from deploy.failing import Failed, known_place
from deploy.settings import SETTINGS, BadSettings, Settings, defaults, option_name

if TYPE_CHECKING:
    from deploy.places import Places


def _all_settings(command: F) -> F:
    for name, declared in reversed(SETTINGS.items()):
        if declared.option:
            command = setting(name)(command)
    return command


@click.command(short_help="serve the marketplace over HTTP")
@_all_settings
def serve(**options: str | None) -> None:
    """Serve the marketplace over HTTP, until SIGTERM or Ctrl-C; a second one ends it at once.

    SIGUSR2 replaces its processes one after another, without a request lost.
    """
    from gateways import logs

    told = load(**options)
    logs.configure(told.log_level)
    if told.data.exists() and not told.data.is_dir():
        raise BadSettings(f"{option_name('data')} must be a directory, and {told.data} is a file")
    _allow_many_connections()
    with _listener(told) as listener:
        _serve(told, options, listener)


def _serve(told: Settings, options: dict[str, str | None], listener: socket.socket) -> None:
    from deploy.agreement import joined
    from deploy.places import Places
    from deploy.undoing import directory
    from deploy.workers import Supervisor
    from gateways.leases import claim_slot

    places = Places(told.data)
    there = frozenset(places.lying(told.ledger))
    supervisor: Supervisor | None = None

    def undo() -> None:
        if supervisor is None or not supervisor.served:
            _remove(places, told.ledger, there)

    with known_place(told.data), directory(told.data, undo), joined(told, places):
        slot = claim_slot(places.read_models)
        try:
            supervisor = Supervisor(options, listener, told.workers, slot, _announcement(told, listener))
            asyncio.run(supervisor.run())
        finally:
            slot.release()


def _remove(places: "Places", ledger: Path, there: Collection[Path]) -> None:
    """What a service made that never served: nobody can have been told of anything that is in it."""
    from deploy.agreement import gate, living

    with gate(places):
        if not any(living(places)):  # another one may have begun there meanwhile
            places.clear(ledger, but=there)


def _listener(told: Settings) -> socket.socket:
    from deploy.server import listen

    try:
        return listen(told.host, told.port)
    except OSError as error:
        where = f"{told.host} port {told.port}"
        if error.errno == errno.EADDRINUSE:
            raise Failed(f"{where} is in use by another program; choose another with --port") from None
        raise Failed(f"cannot listen on {where}: {error.strerror}") from None


def _announcement(told: Settings, listener: socket.socket) -> Callable[[], None]:
    from deploy.server import address

    url, port = address(listener), listener.getsockname()[1]
    there = {"host": told.host, "port": str(port), "data": str(told.data)}
    usual = defaults()
    given = [f"{option_name(name)} {text}" for name, text in there.items() if text != usual[name]]
    line = f"Admit One is ready on {url} - try: {command_line('demo', *given)}"
    return lambda: click.echo(line)


def _allow_many_connections() -> None:
    """A shell's soft limit of open files is often 1,024; each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
