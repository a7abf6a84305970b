"""``admitone serve`` as processes: workers show what the projector projects, and survive its accidents."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from shutil import rmtree
from typing import Any

import httpx
import pytest

from tests.deploy.running import Running, admitone, eventually, running
from tests.http.shop import forged

KEY = "a key for tests that nobody else has"
TOLD = {"jwt_key": KEY, "classic_sessions": "1", "rate_limit": "off"}
SELLER, BUYER = "a" * 24, "b" * 24


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "var"


def cookie(user: str) -> str:
    return forged(user, key=KEY.encode())


def client(server: Running, user: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, cookies={"session": cookie(user)}, timeout=20)


def list_ticket(seller: httpx.Client, title: str = "Front row") -> Any:
    response = seller.post("/api/tickets", json={"title": title, "price": 20})
    assert response.status_code == 201, response.text
    return response.json()


def is_ready(server: Running) -> bool:
    return httpx.get(f"{server.url}/readyz").status_code == 200


# ── Reading one's own writes ──────────────────────────────────────────────────────────────────────


class Line:
    """A connection that is kept, to the worker with the process id ``worker``."""

    def __init__(self, server: Running) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
        self.ask("GET", "/livez")
        self.worker = self._who(server)

    def ask(self, method: str, path: str, body: Any = None, position: str = "0") -> tuple[Any, Any]:
        """The answer's headers and what it says."""
        headers = {"cookie": f"session={cookie(SELLER)}", "admitone-position": position}
        text = None if body is None else json.dumps(body)
        if text is not None:
            headers["content-type"] = "application/json"
        self._connection.request(method, path, text, headers)
        response = self._connection.getresponse()
        said = json.loads(response.read())
        assert response.status < 400, said
        return response.headers, said

    def close(self) -> None:
        self._connection.close()

    def _who(self, server: Running) -> int:
        """The worker that has the other end."""
        ours = f":{self._connection.sock.getsockname()[1]:04X}"
        theirs = f":{server.port:04X}"
        rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
        (inode,) = (row[9] for row in rows if row[1].endswith(theirs) and row[2].endswith(ours))
        for pid in server.workers():
            if any(os.readlink(each) == f"socket:[{inode}]" for each in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
        raise AssertionError("no worker has it")


@contextmanager
def lines(server: Running, workers: int) -> Iterator[list[Line]]:
    """A line to each worker."""
    found: dict[int, Line] = {}
    opened: list[Line] = []
    try:
        while len(found) < workers:
            assert len(opened) < 200, "some worker takes no connection"
            opened.append(Line(server))
            found[opened[-1].worker] = opened[-1]
        yield [*found.values()]
    finally:
        for line in opened:
            line.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_whoever_writes_at_one_worker_finds_it_in_the_list_of_another(data: Path, workers: int) -> None:
    with (
        running(data, "--no-demo", "--workers", str(workers), **TOLD) as server,
        lines(server, workers) as each,
    ):
        for number in range(200):
            writer, reader = each[number % workers], each[(number + 1) % workers]
            body = {"title": f"concert {number}", "price": 1}
            headers, ticket = writer.ask("POST", "/api/tickets", body)
            path = f"/api/tickets?userId={SELLER}&forProfilePage=true"
            answer, listed = reader.ask("GET", path, position=headers["admitone-position"])
            assert ticket["id"] in [item["id"] for item in listed]
            assert "admitone-age" not in answer


# ── Accidents of the projector ────────────────────────────────────────────────────────────────────


def test_while_the_projector_is_stuck_no_worker_is_ready(data: Path) -> None:
    with running(data, **TOLD) as server:
        (projector,) = server.projectors()
        os.kill(projector, signal.SIGSTOP)
        try:
            eventually(lambda: not is_ready(server), "readiness says no")
            parts = httpx.get(f"{server.url}/readyz").json()["parts"]
            assert "has not been heard of" in parts["follower"]
            assert httpx.get(f"{server.url}/livez").status_code == 200, "no worker need be restarted"
            with client(server, SELLER) as seller:
                list_ticket(seller)
                answer = seller.get("/api/tickets")
                assert int(answer.headers["admitone-age"]) >= 2
        finally:
            os.kill(projector, signal.SIGCONT)
        eventually(lambda: is_ready(server), "readiness says yes again")


def test_a_projector_that_is_killed_under_load_is_replaced_and_nothing_is_lost(data: Path) -> None:
    with running(data, "--no-demo", "--workers", "2", **TOLD) as server:
        sold: list[str] = []
        failed: list[str] = []
        over = threading.Event()
        selling = threading.Thread(target=lambda: keep_selling(server, over, sold, failed))
        selling.start()
        try:
            for _ in range(3):
                kill_projector(server)
            eventually(lambda: not is_ready(server), "readiness says no")
            eventually(lambda: is_ready(server), "readiness says yes again")
        finally:
            over.set()
            selling.join(30)
        assert (failed, len(sold) > 20) == ([], True)
        with client(server, BUYER) as buyer:  # who has written nothing, and waits for nothing to be read
            eventually(lambda: bought(buyer) == sorted(sold), "all that was sold is in the list")
    doctor = admitone("doctor", "--data", str(data))
    assert doctor.returncode == 0, doctor.stdout


def bought(buyer: httpx.Client) -> list[str]:
    return sorted(order["id"] for order in buyer.get("/api/orders").json())


def kill_projector(server: Running) -> None:
    eventually(lambda: len(server.projectors()) == 1, "a projector runs")
    killed = server.projectors()
    os.kill(killed[0], signal.SIGKILL)
    eventually(lambda: server.projectors() != killed, "it is gone")


def keep_selling(server: Running, over: threading.Event, sold: list[str], failed: list[str]) -> None:
    with client(server, SELLER) as seller, client(server, BUYER) as buyer:
        while not over.is_set():
            ticket = list_ticket(seller)
            response = buyer.post("/api/orders", json={"ticketId": ticket["id"]})
            if response.status_code == 201:
                sold.append(response.json()["id"])
            else:
                failed.append(response.text)
            if len(sold) % 20 == 0 and (listed := buyer.get("/api/orders")).status_code != 200:
                failed.append(listed.text)


def test_a_hold_ends_on_time_though_the_projector_was_killed_meanwhile(data: Path) -> None:
    with (
        running(data, "--no-demo", "--hold", "5", **TOLD) as server,
        client(server, SELLER) as seller,
        client(server, BUYER) as buyer,
    ):
        ticket = list_ticket(seller)
        order = buyer.post("/api/orders", json={"ticketId": ticket["id"]}).json()
        kill_projector(server)
        path = f"/api/orders/{order['id']}"
        eventually(lambda: buyer.get(path).json()["status"] == "cancelled", "the hold ends")
        late = time.time() - datetime.fromisoformat(order["expiresAt"]).timestamp()
        assert 0 <= late < 2


@pytest.mark.parametrize("what", ["catalogue.sqlite*", "*", "."])
def test_a_read_model_that_is_deleted_is_made_again_and_no_list_breaks_meanwhile(
    data: Path, what: str
) -> None:
    with running(data, "--no-demo", **TOLD) as server, client(server, SELLER) as seller:
        tickets = [list_ticket(seller)["id"] for _ in range(3)]
        assert len(seller.get("/api/tickets").json()) == 3
        slot = data / "read-models" / "0"
        if what == ".":
            rmtree(slot)
        else:
            for path in slot.glob(what):
                path.unlink()
        answers: list[httpx.Response] = []

        def shown_again() -> bool:
            answers.append(seller.get("/api/tickets"))
            return answers[-1].status_code == 200 and len(answers[-1].json()) == 3

        assert seller.get("/api/tickets").status_code == 503
        eventually(shown_again, "the list is there again")
        assert [ticket["id"] for ticket in answers[-1].json()] == tickets
        assert {answer.status_code for answer in answers} <= {200, 503}
        eventually(lambda: is_ready(server), "readiness says yes")
        kill_projector(server)
        eventually(lambda: len(server.projectors()) == 1, "another projector runs")
        tickets.append(list_ticket(seller)["id"])
        eventually(lambda: len(seller.get("/api/tickets").json()) == 4, "it goes on")


def test_two_services_on_one_directory_keep_read_models_of_their_own(data: Path) -> None:
    with (
        running(data, "--no-demo", **TOLD) as one,
        running(data, "--no-demo", **TOLD) as two,
        client(one, SELLER) as seller,
        client(two, SELLER) as reader,
    ):
        ticket = list_ticket(seller)
        reader.cookies.update(seller.cookies)
        assert [item["id"] for item in reader.get("/api/tickets").json()] == [ticket["id"]]
    assert sorted(path.name for path in (data / "read-models").iterdir()) == ["0", "1"]
