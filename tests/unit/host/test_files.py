"""Files that are written atomically."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lfr.errors import CannotWrite
from lfr.host.files import make_folder, write_atomically


def test_a_link_leads_to_the_file_that_is_written_and_its_mode_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch()
    target.chmod(0o604)
    link.symlink_to(target)
    write_atomically(link, "é")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == ("é".encode(), 0o604)
    assert link.is_symlink()


def test_no_link_of_another_user_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, target = tmp_path / "victim", tmp_path / "target"
    victim.write_text("as it was")
    (tmp_path / f".target.{os.getpid()}.new").symlink_to(victim)
    write_atomically(target, "new")
    assert (victim.read_text(), target.read_text(), target.is_symlink()) == ("as it was", "new", False)
    monkeypatch.setattr("lfr.host.files.secrets.token_hex", lambda size: "guess")
    (tmp_path / ".target.guess.new").symlink_to(victim)
    with pytest.raises(CannotWrite, match="File exists"):
        write_atomically(target, "newer")
    assert (victim.read_text(), target.read_text()) == ("as it was", "new")


def test_with_a_mode_a_link_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, b"new", 0o600)
    assert (target.read_text(), link.read_text()) == ("old", "new")
    assert link.stat().st_mode & 0o777 == 0o600


def test_a_failure_names_the_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "none" / "file"):
        with pytest.raises(CannotWrite, match=f"cannot write {path}: "):
            write_atomically(path, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("mode", [None, 0o600])
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path, mode: int | None) -> None:
    """As root, a device such as /dev/null would be replaced for all of the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, "text", mode)
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_folder_can_be_written_to_by_nobody_else(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(umask)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c")]
    assert modes == [0o755, 0o755, 0o700]
    tmp_path.chmod(0o750)
    make_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o750
