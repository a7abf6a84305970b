"""A small drill; ``make drill`` is the larger one."""

from pathlib import Path

import pytest

from tests.backup.drill import drill


@pytest.mark.timeout(240)
async def test_a_shop_that_is_destroyed_under_load_comes_back_with_all_that_was_backed_up(
    tmp_path: Path,
) -> None:
    report = await drill(tmp_path, backups=2, waves=2)
    assert not report.wrong, report.wrong
    assert report.answered > 40
    assert 0 < report.lost < report.events
