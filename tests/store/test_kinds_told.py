"""The suite says at its end on which kinds of store it ran, however many processes it ran in."""

import os
import subprocess
import sys


def test_the_suite_says_which_kinds_of_store_it_ran_on_and_which_not() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "ADMITONE"))}
    tests = "tests/store/test_contract.py"
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "2",
            "-p",
            "no:cacheprovider",
            tests,
            "-k",
            "test_10_",
        ],
        env=clean,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "ran on embedded: 1\nran on EventStoreDB's double: 1\nNOT run on a real EventStoreDB" in ran.stdout
