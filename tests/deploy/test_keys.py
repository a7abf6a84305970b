"""A signing key is made once, for nobody else's eyes, whoever starts first."""

import multiprocessing
from pathlib import Path

import pytest

from deploy.keys import kept_key


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "jwt.key"
    key = kept_key(path)
    assert len(key) >= 32
    assert kept_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["jwt.key"]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "jwt.key"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        keys = pool.map(kept_key, [path] * 16, chunksize=1)
    assert set(keys) == {path.read_bytes()}


def test_a_damaged_key_file_is_not_taken_for_a_key(tmp_path: Path) -> None:
    path = tmp_path / "jwt.key"
    path.write_text("")
    with pytest.raises(ValueError, match="holds no key"):
        kept_key(path)
