"""Files that are written atomically."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lfr.errors import CannotWrite
from lfr.host.files import hold_lock, make_folder, write_atomically

NOBODY = 65_534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


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


class Swapped(str):
    """A text at whose writing somebody puts a link in place of the file that it is written to."""

    __slots__ = ("folder", "victim")

    def encode(self, *_: object) -> bytes:
        (new,) = self.folder.glob(".*.new")
        new.unlink()
        new.symlink_to(self.victim)
        return b"text"


def test_the_mode_of_a_file_is_not_given_to_another_one(tmp_path: Path) -> None:
    """Who may write to the folder could take or give rights at any file of root."""
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    victim.touch(0o640)
    folder.mkdir()
    text = Swapped()
    text.folder, text.victim = folder, victim
    write_atomically(folder / "file", text, 0o755)
    assert victim.stat().st_mode & 0o777 == 0o640


def test_a_file_does_not_become_one_that_runs_as_its_writer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o6755)
    write_atomically(tmp_path / "file", "text")
    assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o755


@needs_root
@pytest.mark.parametrize("name", ["link", "inner/link", "link-to-link", "links/file"])
def test_a_link_of_another_user_is_not_followed(tmp_path: Path, name: str) -> None:
    """In a folder that all may write to, he would choose the file of this user that is written."""
    home, shared = tmp_path / "home", tmp_path / "shared"
    home.mkdir()
    (home / "file").write_text("as it was")
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "link").symlink_to(home / "file")
    (shared / "inner").symlink_to(".")
    (shared / "links").symlink_to("../home")
    for link in ("link", "links"):
        os.chown(shared / link, NOBODY, NOBODY, follow_symlinks=False)
    (shared / "link-to-link").symlink_to("link")
    with pytest.raises(CannotWrite, match="is a link of another user"):
        write_atomically(shared / name, "text")
    assert (home / "file").read_text() == "as it was"


def test_links_lead_on_to_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").symlink_to("a/b")
    (tmp_path / "a" / "d").symlink_to(tmp_path / "c" / ".." / ".." / "file")
    monkeypatch.chdir(tmp_path / "a")
    write_atomically(Path("../c/../d"), "text")
    assert (tmp_path / "file").read_text() == "text"
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(CannotWrite, match="a link to itself"):
        write_atomically(tmp_path / "round", "text")


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_a_lock_is_no_link_and_no_pipe(tmp_path: Path, what: str) -> None:
    """The id of this process would be written over the file that the link leads to."""
    victim, lock = tmp_path / "victim", tmp_path / "lock"
    victim.write_text("as it was")
    lock.symlink_to(victim) if what == "link" else os.mkfifo(lock)
    with pytest.raises(OSError), hold_lock(lock):
        pass
    assert victim.read_text() == "as it was"


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
