"""The README tells the truth: its commands are run as they stand, its table is held against the code."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deploy.cli import admitone
from deploy.settings import SETTINGS, defaults, option_name, variable
from tests.deploy.running import environment

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SERVING = "make run"
TESTING = "make test"
A_SMALL_TEST = "tests/deploy/test_leases.py"
"""What `make test` runs here, where running everything would run this again."""


def blocks() -> list[str]:
    """The commands of the README, block by block."""
    return [block.strip() for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The sources as a newcomer has them, with the virtual environment that is there, to save its making."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    copy = tmp_path / "admit-one"
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    environment_there = Path(sys.prefix)
    (copy / ".venv").mkdir()
    for entry in environment_there.iterdir():
        if entry.name not in (".made", ".run", ".dev"):
            (copy / ".venv" / entry.name).symlink_to(entry)
    for stamp in (".made", ".run", ".dev"):
        (copy / ".venv" / stamp).touch()
    return copy


@pytest.fixture
def settings() -> dict[str, str]:
    """A port that nobody uses: the README's own may be in use where tests run."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return environment(port=str(port)) | {"ARGS": ""}


@pytest.fixture
def served(checkout: Path, settings: dict[str, str]) -> Iterator[None]:
    """What the README's first command starts."""
    server = subprocess.Popen(SERVING.split(), cwd=checkout, env=settings, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        assert "is ready on http://127.0.0.1:" in line
        assert ".venv/bin/admitone demo" in line
        yield
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("served")
def test_every_command_of_the_readme_works_as_it_is_written(checkout: Path, settings: dict[str, str]) -> None:
    assert blocks()[0] == SERVING
    for block in blocks()[1:]:
        arguments = {"ARGS": A_SMALL_TEST} if block == TESTING else {}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace(":8000", f":{settings['ADMITONE_PORT']}")],
            cwd=checkout, env=settings | arguments, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        if "$shop/orders/$order" in block:
            assert '"status":"complete"' in done.stdout.splitlines()[-1]


def test_every_make_target_that_the_readme_names_is_there(checkout: Path) -> None:
    targets = sorted(set(re.findall(r"`make ([a-z]+)", README)))
    assert "check" in targets
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=checkout, capture_output=True, check=True)


def test_every_admitone_command_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"admitone ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+))?", README))
    assert {name for name, _ in named} == set(admitone.commands)
    for name, below in named:
        command = admitone.commands[name]
        if below and isinstance(command, click.Group):
            assert below in command.commands


def settings_table() -> str:
    """The table of settings as it must stand in the README."""
    rows = ["| Variable | Option | Default | Meaning |", "|---|---|---|---|"]
    for name, setting in SETTINGS.items():
        option = f"`{option_name(name)}`" if setting.option else ""
        if name == "demo":
            option = "`--demo/--no-demo`"
        default = f"`{defaults()[name]}`" if defaults()[name] else ""
        rows.append(f"| `{variable(name)}` | {option} | {default} | {setting.meaning} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_what_the_code_says() -> None:
    table = re.search(r"<!-- settings: checked by a test -->\n(.*?)\n?<!-- /settings -->", README, re.DOTALL)
    assert table is not None
    assert table[1] == settings_table(), f"it should be:\n{settings_table()}"


def test_every_file_that_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert os.path.exists(ROOT / target), target
