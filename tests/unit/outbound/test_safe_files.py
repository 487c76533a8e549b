"""Files that flows name: whole or not at all, and never through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lfr.outbound.safe_files import read_file, real_path, replace_file


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_file(str(file), 5) == (b"12345", False)
    assert read_file(str(file), 4) == (b"1234", True)


def test_links_are_followed_by_real_path_alone(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"there")
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "folder" / "b").symlink_to("a")
    assert real_path(str(tmp_path / "link" / "b")) == str(tmp_path / "folder" / "a")
    for by_link in (tmp_path / "link" / "a", tmp_path / "folder" / "b"):
        with pytest.raises(OSError):
            read_file(str(by_link), 9)
        with pytest.raises(OSError):
            replace_file(str(by_link), b"new")
    assert (tmp_path / "folder" / "a").read_bytes() == b"there"


@pytest.mark.parametrize("what", ["folder", "pipe", "missing", "nowhere/missing", "file/inside"])
def test_what_is_no_file_is_not_read(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError):
        read_file(str(tmp_path / what), 9)


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a"
    replace_file(str(file), b"one")
    file.chmod(0o604)
    with file.open("rb") as reader:
        replace_file(str(file), b"two")
        assert reader.read() == b"one"
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o604
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("what", ["folder", "pipe", "nowhere/missing", "file/inside"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OSError):
        replace_file(str(tmp_path / what), b"new")
    assert sorted(os.listdir(tmp_path)) == before


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lfr.outbound.safe_files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(str(file), b"after")
    assert file.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a"]


def test_no_file_stays_open(tmp_path: Path) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    file = tmp_path / "a"
    before = opened()
    replace_file(str(file), b"x")
    read_file(str(file), 9)
    for wrong in (tmp_path, tmp_path / "b", tmp_path / "a" / "b", Path("/")):
        with pytest.raises(OSError):
            read_file(str(wrong), 9)
    assert opened() == before
