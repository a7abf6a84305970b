"""The ``admitone`` command."""

import os
import sys

import click

from deploy.commands.backup import backup
from deploy.commands.catalogue import catalogue
from deploy.commands.copy import copy
from deploy.commands.demo import demo
from deploy.commands.dispute_pack import dispute_pack
from deploy.commands.doctor import doctor
from deploy.commands.erase import erase
from deploy.commands.events import events
from deploy.commands.export import export
from deploy.commands.history import history
from deploy.commands.parked import parked
from deploy.commands.project import project
from deploy.commands.rebuild import rebuild
from deploy.commands.reconcile import reconcile
from deploy.commands.refund import refund
from deploy.commands.report import report as report_command
from deploy.commands.restore import restore_command
from deploy.commands.serve import serve
from deploy.commands.settle import settle
from deploy.commands.show import show
from deploy.commands.sql import sql
from deploy.commands.verify import verify
from deploy.commands.verify_log import verify_log
from deploy.commands.verify_receipt import verify_receipt
from deploy.commands.what_if import what_if
from deploy.failing import FAILED, WRONG_SETTINGS, Failure, explain, report, trace
from deploy.memory import collect_seldom


class InOrder(click.Group):
    """Lists its commands in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="admitone", message="%(prog)s %(version)s")
def admitone() -> None:
    """Admit One sells each ticket exactly once.

    Every setting of `serve` is also an environment variable, ADMITONE_<NAME>; more of them are in the
    README. The other commands find the data directory by --data or ADMITONE_DATA.
    """


for command in (
    serve,
    demo,
    events,
    show,
    history,
    doctor,
    verify_log,
    verify_receipt,
    reconcile,
    settle,
    verify,
    rebuild,
    parked,
    refund,
    dispute_pack,
    copy,
    backup,
    restore_command,
    erase,
    export,
    sql,
    report_command,
    what_if,
    catalogue,
    project,
):
    admitone.add_command(command)


def main() -> None:
    """Run the command line; end with one line and a status when something is wrong."""
    collect_seldom()
    try:
        status = admitone(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "admitone"
        report(Failure(f"{error.format_message().rstrip('.')}; see: {path} --help", WRONG_SETTINGS))
        sys.exit(WRONG_SETTINGS)
    except click.Abort:
        report(Failure("nothing was done"))
        sys.exit(FAILED)
    except BrokenPipeError:
        # Whoever read our output has had enough of it. Nothing more may be written, at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        trace(error)
        failure = explain(error)
        report(failure)
        sys.exit(failure.status)
