"""``admitone serve`` as a process: starting, and refusing to start."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from deploy.demo_listings import LISTINGS, MARK
from tests.deploy.running import admitone, running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "var"


# ── Starting ──────────────────────────────────────────────────────────────────────────────────────


def test_it_says_in_one_line_where_it_is_and_what_to_try_next(data: Path) -> None:
    with running(data) as server:
        assert server.ready_line.startswith(f"Admit One is ready on http://127.0.0.1:{server.port} - try: ")
        assert server.ready_line.endswith(f"bin/admitone demo --port {server.port} --data {data}\n")
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        server.signal()
        assert server.ended() == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == "", "that one line is all it prints"


def test_an_empty_store_is_given_marked_listings_once(data: Path) -> None:
    for _ in range(2):
        with running(data) as server:
            titles = [ticket["title"] for ticket in httpx.get(f"{server.url}/api/tickets").json()]
            assert sorted(titles) == sorted(f"{MARK} {title}" for title, _ in LISTINGS)


def test_workers_that_start_at_once_list_the_demonstration_once(data: Path) -> None:
    with running(data, "--workers", "3") as server:
        assert len(httpx.get(f"{server.url}/api/tickets").json()) == len(LISTINGS)


def test_without_demonstration_an_empty_store_stays_empty(data: Path) -> None:
    with running(data, "--no-demo") as server:
        assert httpx.get(f"{server.url}/api/tickets").json() == []


def test_the_key_that_was_made_outlives_a_restart_so_nobody_is_signed_out(data: Path) -> None:
    who = {"email": "buyer@example.com", "password": "a long password"[:12]}
    with httpx.Client() as client:
        with running(data) as server:
            assert client.post(f"{server.url}/api/users/signup", json=who).status_code == 201
        with running(data) as server:
            current = client.get(f"{server.url}/api/users/currentuser").json()
    assert current["currentUser"]["email"] == "buyer@example.com"
    assert (data / "jwt.key").stat().st_mode & 0o777 == 0o600


def test_its_log_lines_are_json_with_time_level_and_message(data: Path) -> None:
    with running(data) as server:
        httpx.get(f"{server.url}/api/tickets", headers={"x-request-id": "request-12345678"})
        server.signal()
        server.ended()
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert all({"ts", "level", "msg", "logger"} <= line.keys() for line in lines)
    assert [line for line in lines if line.get("request_id") == "request-12345678"]


# ── Refusing to start ─────────────────────────────────────────────────────────────────────────────


def refusal(*words: str, status: int, **variables: str) -> str:
    """The one line with which ``admitone serve`` ends."""
    ended = admitone("serve", "--port", "0", *words, variables=variables)
    errors = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert (ended.returncode, ended.stdout) == (status, ""), ended.stderr
    assert len(errors) == 1, ended.stderr
    return errors[0]


def test_a_wrong_setting_stops_the_start(data: Path) -> None:
    assert "ADMITONE_JWT_KEY must be at least 32 bytes" in refusal(status=2, jwt_key="weak")
    assert "did you mean ADMITONE_HOLD?" in refusal(status=2, hold_seconds="60")
    assert "--workers must be a whole number" in refusal("--workers", "none", status=2)
    assert "Username and password are required" in refusal("--store", "esdb://localhost:2113", status=2)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_said_in_one_line(data: Path, workers: str) -> None:
    with running(data) as server:
        ended = admitone("serve", "--port", str(server.port), "--data", str(data), "--workers", workers)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"admitone: 127.0.0.1 port {server.port} is in use by another program; choose another with --port\n"
    )


def changed(log: Path, sql: str) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute(sql)


def newer(log: Path) -> None:
    changed(log, "PRAGMA user_version=99")


def altered(log: Path) -> None:
    changed(log, "UPDATE stored_events SET state = CAST('{}' AS BLOB) WHERE rowid = 2")


def truncated(log: Path) -> None:
    changed(log, "DELETE FROM stored_events WHERE rowid > 2")


def not_a_log(log: Path) -> None:
    log.write_bytes(b"this is no database" * 1000)
    for suffix in ("-wal", "-shm"):
        log.with_name(log.name + suffix).unlink(missing_ok=True)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("damage", [newer, not_a_log, altered, truncated])
def test_a_damaged_or_newer_log_is_not_served(
    data: Path, damage: Callable[[Path], None], workers: str
) -> None:
    with running(data):
        pass
    damage(data / "log.sqlite")
    line = refusal("--data", str(data), "--workers", workers, status=3)
    assert "log.sqlite" in line


def test_a_place_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in refusal("--data", str(tmp_path / "file" / "var"), status=1)


def test_a_damaged_account_file_is_not_served(data: Path) -> None:
    with running(data):
        pass
    (data / "accounts.sqlite").write_bytes(b"this is no database" * 1000)
    assert "accounts.sqlite" in refusal("--data", str(data), status=3)
