"""``admitone serve`` as a process: stopping and replacing workers, without a caller noticing."""

import os
import signal
import socket
import threading
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.deploy.running import Running, eventually, running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "var"


# ── Stopping ──────────────────────────────────────────────────────────────────────────────────────


class Callers:
    """Keep-alive clients that ask without a pause. ``failed``: every request that was not answered 2xx."""

    def __init__(self, url: str, count: int) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self._stop.is_set():
                try:
                    answer = client.get(f"{self._url}/api/tickets")
                except httpx.HTTPError as error:
                    self.failed.append(f"{type(error).__name__}: {error}")
                    return
                if answer.is_success:
                    self.answered += 1
                else:
                    self.failed.append(f"{answer.status_code}: {answer.text}")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def test_sigterm_lets_a_payment_under_way_finish_and_exits_with_0(data: Path) -> None:
    with running(data) as server, httpx.Client(base_url=server.url, timeout=20) as client:
        who = {"email": "buyer@example.com", "password": "correct horse"}
        client.post("/api/users/signup", json=who)
        ticket = client.get("/api/tickets").json()[0]["id"]
        order = client.post("/api/orders", json={"ticketId": ticket}).json()["id"]
        answers: list[httpx.Response] = []
        slow = {"token": "tok_slow", "orderId": order}  # takes three seconds
        paying = threading.Thread(target=lambda: answers.append(client.post("/api/payments", json=slow)))
        paying.start()
        eventually(
            lambda: client.get(f"/api/orders/{order}").json()["status"] == "awaiting:payment",
            "the payment is under way",
        )
        server.signal()
        paying.join(20)
        assert server.ended() == 0
    assert [answer.status_code for answer in answers] == [201]
    assert answers[0].headers["connection"] == "close"


def test_while_it_drains_it_says_that_it_is_not_ready_and_still_serves(data: Path) -> None:
    with running(data, "--drain", "3") as server:
        server.signal()
        eventually(
            lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "readiness says no during the drain"
        )
        answer = httpx.get(f"{server.url}/api/tickets")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert server.ended() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_ends_it_at_once(data: Path, workers: str) -> None:
    with running(data, "--drain", "20", "--workers", workers) as server:
        server.signal()
        eventually(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "the first one was heard")
        began = time.monotonic()
        server.signal()
        assert server.ended() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 3


def test_ctrl_c_drains_too(data: Path) -> None:
    with running(data, "--workers", "2") as server:
        server.signal(signal.SIGINT)
        assert server.ended() == 0


# ── Workers ───────────────────────────────────────────────────────────────────────────────────────


def test_replacing_the_workers_one_after_another_fails_no_request(data: Path) -> None:
    with running(data, "--workers", "2", "--drain", "1", rate_limit="off") as server:
        before = server.workers()
        callers = Callers(server.url, 8)
        try:
            for times in (1, 2):
                server.signal(signal.SIGUSR2)
                eventually(partial(_replaced, server, times), "all processes are replaced")
        finally:
            callers.stop()
        assert callers.failed == []
        assert callers.answered > 100
        assert not set(before) & set(server.workers())
        server.signal()
        assert server.ended() == 0


def _replaced(server: Running, times: int) -> bool:
    return server.log.read_text().count("all processes are replaced") == times


def test_stopping_under_load_resets_nobody(data: Path) -> None:
    """Each caller is answered until he is refused; nobody is cut off in between."""
    with running(data, "--workers", "2", "--drain", "1", rate_limit="off") as server:
        callers = Callers(server.url, 8)
        eventually(lambda: callers.answered > 50, "the server is under load")
        server.signal()
        assert server.ended() == 0
        callers.stop()
    assert all(failure.startswith("ConnectError") for failure in callers.failed), callers.failed


def test_a_worker_that_is_killed_is_replaced(data: Path) -> None:
    with running(data, "--workers", "2") as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(server.workers()) == 2 and victim not in server.workers(), "a new worker runs")
        eventually(lambda: server.log.read_text().count('"a process serves"') == 4, "the new worker serves")
        assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_workers_whose_supervisor_is_killed_end_by_themselves(data: Path) -> None:
    with running(data, "--workers", "2") as server:
        processes = server.workers() + server.projectors()
        assert len(processes) == 3
        server.signal(signal.SIGKILL)
        server.ended()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), "none is left")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
