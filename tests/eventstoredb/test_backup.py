"""``admitone backup`` and ``admitone restore`` with EventStoreDB on either side."""

import asyncio
from pathlib import Path
from uuid import uuid4

from tests.deploy.running import admitone
from tests.eventstoredb.cluster import Cluster
from tests.eventstoredb.record import New
from tests.eventstoredb.test_copying import ODD, assert_same, ours, rows, sales, written


async def said(*words: str, status: int = 0) -> str:
    """What a command prints, or its one line of failure."""
    done = await asyncio.to_thread(admitone, *words)
    assert done.returncode == status, done.stderr
    if status:
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr if status else done.stdout


async def back_up(folder: Path, uri: str, status: int = 0) -> str:
    return await said("backup", str(folder), "--store", uri, status=status)


async def test_a_log_on_eventstoredb_is_backed_up_part_by_part_and_restored_to_either_store(
    double: Cluster, tmp_path: Path
) -> None:
    known = [fact for fact in ODD if fact.originator_id != "voucher-1"]
    source = written(tmp_path / "source", sales(10))
    await said("copy", "--from", str(source), "--to", double.uri())
    assert "30 new events" in await back_up(tmp_path / "backup", double.uri())
    written(source, known)
    await said("copy", "--from", str(source), "--to", double.uri())
    assert "5 new events" in await back_up(tmp_path / "backup", double.uri())
    await said("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"))
    assert rows(tmp_path / "new") == rows(source)
    async with Cluster() as other:
        await said("restore", str(tmp_path / "backup"), "--store", other.uri())
        assert [(r.stream, r.event.id, r.event.data) for r in ours(other)] == [
            (r.stream, r.event.id, r.event.data) for r in ours(double)
        ]


async def test_a_log_from_a_data_directory_is_restored_to_eventstoredb(
    double: Cluster, tmp_path: Path
) -> None:
    facts = [*sales(10), *ODD]
    source = written(tmp_path / "source", facts)
    await said("backup", str(tmp_path / "backup"), "--data", str(source))
    await said("restore", str(tmp_path / "backup"), "--store", double.uri())
    assert_same(facts, ours(double))


async def test_eventstoredb_with_a_stream_of_ours_is_not_restored_into(
    double: Cluster, tmp_path: Path
) -> None:
    source = written(tmp_path / "source", sales(2))
    await said("backup", str(tmp_path / "backup"), "--data", str(source))
    double.log.write("invoice-1", [New(uuid4(), "InvoiceSent")])
    double.log.write("order-x", [New(uuid4(), "PurchaseRetried")])
    line = await said("restore", str(tmp_path / "backup"), "--store", double.uri(), status=1)
    assert "is not empty: order-x revision 0 is there" in line
    assert len(ours(double)) == 2


async def test_a_restore_to_eventstoredb_that_was_cut_off_goes_on_when_it_is_told_to(
    double: Cluster, tmp_path: Path
) -> None:
    facts = sales(5)
    source = written(tmp_path / "source", facts)
    await said("backup", str(tmp_path / "backup"), "--data", str(source))
    await said("restore", str(tmp_path / "backup"), "--store", double.uri(), "--until", "7")
    await said("restore", str(tmp_path / "backup"), "--store", double.uri(), status=1)
    await said("restore", str(tmp_path / "backup"), "--store", double.uri(), "--resume")
    assert_same(facts, ours(double))


async def test_a_backup_does_not_mix_the_positions_of_two_stores(double: Cluster, tmp_path: Path) -> None:
    source = written(tmp_path / "source", sales(5))
    await said("backup", str(tmp_path / "backup"), "--data", str(source))
    await said("copy", "--from", str(source), "--to", double.uri())
    line = await back_up(tmp_path / "backup", double.uri(), status=1)
    assert "begin a backup in another directory" in line


async def test_a_log_that_is_not_whole_is_not_backed_up(double: Cluster, tmp_path: Path) -> None:
    double.log.write("order-1", [New(uuid4(), "PurchaseRetried")])
    double.log.write("order-2", [New(uuid4(), "PurchaseRetried")], revision=4)
    assert "is not whole" in await back_up(tmp_path / "backup", double.uri(), status=1)
    assert "there is no backup in" in await said(
        "restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"), status=1
    )
