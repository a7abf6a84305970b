"""One process holds a lease, and a dead one holds nothing."""

import subprocess
import sys
from pathlib import Path

from gateways.leases import Lease, claim_slot

HOLDER = """
import sys
from pathlib import Path
from gateways.leases import Lease
print(Lease(Path(sys.argv[1])).try_take(), flush=True)
sys.stdin.read()
"""


def test_a_lease_is_taken_by_one_and_may_be_taken_again_once_it_is_released(tmp_path: Path) -> None:
    first, second = Lease(tmp_path / "lease"), Lease(tmp_path / "lease")
    assert first.try_take()
    assert first.try_take(), "it is ours already"
    assert not second.try_take()
    first.release()
    assert (first.held, second.try_take()) == (False, True)
    second.release()


def test_a_killed_holder_loses_its_lease_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        mine = Lease(path)
        assert not mine.try_take()
        holder.kill()
        holder.wait(10)
        assert mine.try_take()
        mine.release()


def test_each_process_gets_a_slot_of_its_own_and_a_new_one_takes_over_the_first_that_is_free(
    tmp_path: Path,
) -> None:
    first, second = claim_slot(tmp_path), claim_slot(tmp_path)
    assert [slot.path.name for slot in (first, second)] == ["0", "1"]
    first.release()
    third = claim_slot(tmp_path)
    assert third.path == first.path
    for slot in (second, third):
        slot.release()
