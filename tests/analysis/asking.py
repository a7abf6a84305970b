"""Commands as a user gives them, run within this process: these read files, and start nothing."""

from click.testing import CliRunner

from deploy.cli import admitone
from deploy.failing import explain
from tests.deploy.running import environment


def told(*words: str, status: int = 0) -> str:
    """What a command prints, or the line that it fails with. The status is checked."""
    done = CliRunner(env=environment()).invoke(admitone, words)
    if done.exception is None or isinstance(done.exception, SystemExit):
        assert done.exit_code == status, done.output
        return done.stdout if status == 0 else done.stderr
    failure = explain(done.exception)
    assert failure.status == status, failure.line
    return failure.line
