"""A start that is refused leaves the data directory as it was: nothing new, nothing gone, no byte altered."""

import asyncio
import itertools
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.places import Places
from deploy.undoing import directory, leased
from gateways.card_ledger import CardLedger
from gateways.embedded_raw import EmbeddedRawLog
from gateways.identity import Accounts
from gateways.leases import Lease
from tests.analysis.season import lay, season
from tests.backup.shelves import facts, tree
from tests.deploy.running import admitone, running


def refused(data: Path, *options: str) -> str:
    """The last line that a start ends with."""
    done = admitone("serve", "--port", "0", "--data", str(data), *options)
    assert done.returncode != 0
    assert done.stdout == ""
    return done.stderr.splitlines()[-1]


@pytest.fixture
def damage(tmp_path: Path) -> Path:
    """A card ledger that is none: the last thing that a start looks at, when all else was made."""
    place = tmp_path / "cards.sqlite"
    place.write_bytes(b"no ledger" * 100)
    return place


def start_refused(data: Path, damage: Path) -> None:
    done = admitone("serve", "--port", "0", "--data", str(data), variables={"cards": str(damage)})
    assert (done.returncode, done.stdout) == (3, "")
    assert "The card ledger" in done.stderr.splitlines()[-1]


# ── As it is started ──────────────────────────────────────────────────────────────────────────────


def test_a_start_that_is_refused_makes_no_directory(tmp_path: Path, damage: Path) -> None:
    start_refused(tmp_path / "deep" / "er" / "var", damage)
    assert [path.name for path in tmp_path.iterdir()] == [damage.name]


def test_an_empty_directory_stays_and_stays_empty(tmp_path: Path, damage: Path) -> None:
    data = tmp_path / "around" / "var"
    data.mkdir(parents=True)
    start_refused(data, damage)
    assert list(data.iterdir()) == []


def test_what_others_have_in_the_directory_stays_as_it_is(tmp_path: Path, damage: Path) -> None:
    data = tmp_path / "var"
    (data / "read-models-of-old").mkdir(parents=True)
    (data / "notes.txt").write_text("mine")
    (data / "log.sqlite.old").write_text("mine")
    before = tree(data)
    start_refused(data, damage)
    assert tree(data) == before


async def _sign_up(path: Path) -> None:
    accounts = await Accounts.open(path)
    await accounts.sign_up("somebody@example.com", "correct horse")
    await accounts.close()


def test_no_byte_of_a_shop_that_was_served_before_is_altered(tmp_path: Path, damage: Path) -> None:
    data = lay(tmp_path / "var", season())
    with running(data):
        pass
    asyncio.run(_sign_up(data / "accounts.sqlite"))
    CardLedger(data / "cards.sqlite").close()
    before = tree(data)
    start_refused(data, damage)
    assert tree(data) == before


LEFT = (
    "log.sqlite",
    "log.sqlite.head",
    "accounts.sqlite",
    "jwt.key",
    "receipts.key",
    "read-models",
    "services",
)


@pytest.mark.parametrize("kept", LEFT)
def test_whatever_was_there_is_kept_and_only_the_rest_goes(tmp_path: Path, damage: Path, kept: str) -> None:
    """A directory that holds a part of a shop, such as accounts alone: each part is kept by itself."""
    whole, data = tmp_path / "whole", tmp_path / "var"
    with running(whole, "--no-demo"):
        pass
    data.mkdir()
    (shutil.copytree if (whole / kept).is_dir() else shutil.copy2)(whole / kept, data / kept)
    before = tree(data)
    done = admitone("serve", "--port", "0", "--data", str(data), variables={"cards": str(damage)})
    assert done.returncode != 0
    assert tree(data) == before


async def _copied_before_it_is_closed(data: Path, killed: Path) -> None:
    log = EmbeddedRawLog(data / "log.sqlite")
    await log.append(facts(30))
    shutil.copytree(data, killed)
    await log.close()


def test_what_is_not_in_the_file_yet_is_not_taken_from_it(tmp_path: Path, damage: Path) -> None:
    """A shop that was killed has facts in what SQLite keeps beside its log."""
    data, killed = lay(tmp_path / "var", season()), tmp_path / "killed"
    asyncio.run(_copied_before_it_is_closed(data, killed))
    assert (killed / "log.sqlite-wal").stat().st_size > 0
    told = admitone("events", "--data", str(data)).stdout
    assert told.count("PurchaseRetried") == 30
    start_refused(killed, damage)
    assert admitone("events", "--data", str(killed)).stdout == told
    assert {path.name for path in killed.iterdir()} <= {
        f"log.sqlite{suffix}" for suffix in ("", ".head", "-wal", "-shm")
    }


def test_a_start_that_is_refused_takes_nothing_from_a_service_that_runs(tmp_path: Path, damage: Path) -> None:
    data = tmp_path / "var"
    with running(data, cards=str(tmp_path / "ledger.sqlite")):
        before = set(tree(data))
        assert "already" in refused(data)
        assert set(tree(data)) == before


# ── The parts of it ───────────────────────────────────────────────────────────────────────────────


def test_a_directory_that_was_made_goes_again_only_if_nothing_is_in_it(tmp_path: Path) -> None:
    for inside, fails in itertools.product((False, True), (False, True)):
        place = tmp_path / f"{inside}-{fails}" / "place"
        with suppress(KeyError), directory(place):
            if inside:
                (place / "file").touch()
            if fails:
                raise KeyError
        assert place.parent.exists() is inside


def test_what_fails_is_undone_and_what_does_not_is_not(tmp_path: Path) -> None:
    undone = list[str]()
    with directory(tmp_path / "a", lambda: undone.append("a")):
        pass
    with pytest.raises(KeyboardInterrupt), directory(tmp_path / "b", lambda: undone.append("b")):
        raise KeyboardInterrupt
    assert undone == ["b"]


def test_a_lease_that_was_made_for_a_command_goes_with_it_and_one_that_was_there_stays(
    tmp_path: Path,
) -> None:
    with leased(tmp_path / "lease", "taken"):
        assert not Lease(tmp_path / "lease").try_take()
    assert not (tmp_path / "lease").exists()
    (tmp_path / "lease").touch()
    with leased(tmp_path / "lease", "taken"):
        pass
    assert (tmp_path / "lease").exists()


def test_clearing_takes_what_is_of_the_shop_and_nothing_else(tmp_path: Path) -> None:
    places, ledger = Places(tmp_path), tmp_path / "cards.sqlite"
    wal = tmp_path / "accounts.sqlite-wal"  # made since, perhaps with what somebody else has just written
    for path in (places.log, places.accounts, wal, places.key, ledger, tmp_path / "notes.txt"):
        path.touch()
    places.read_models.mkdir()
    (places.read_models / "0").mkdir()
    places.clear(ledger, but=frozenset({places.accounts, places.read_models}))
    assert tree(tmp_path).keys() == {"accounts.sqlite", wal.name, "notes.txt", "read-models"}
