"""Files and folders that somebody else gives to a command: what they lead to is not read, nor without end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr.cli.exit_codes import ExitCode
from lfr.cli.main import main
from lfr.cli.ui import options

NOWHERE = "redis://127.0.0.1:1"


def apply(path: Path) -> int:
    return main(["apply", str(path), "--dry-run", "--url", NOWHERE])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "good.flow").write_text("@flow good\na")
    yield tmp_path / "given"
    subprocess.run(["rm", "-r", str(tmp_path / "given")], check=True)  # it may be too deep for shutil.rmtree


@pytest.mark.parametrize("aim", ["{}/secret", "../secret", "of-mine/secret"])
def test_a_link_out_of_a_folder_shows_nothing_of_a_file(
    folder: Path, aim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error of a text that does not compile has the line, and a token compiles."""
    (folder.parent / "secret").write_text("hunter2 !!")
    (folder / "of-mine").symlink_to("..")
    (folder / "x.flow").symlink_to(aim.format(folder.parent))
    assert apply(folder) == ExitCode.REFUSED
    err = capsys.readouterr().err
    assert "hunter2" not in err and "leads out of the folder" in err


def test_links_within_a_folder_are_read(folder: Path) -> None:
    (folder / "..data").mkdir()
    (folder / "..data" / "y.txt").write_text("@flow y\na")
    (folder / "y.flow").symlink_to("..data/y.txt")
    assert apply(folder) == ExitCode.UNREACHABLE  # it goes on to Redis


def test_pipes_devices_loops_and_many_levels_of_a_folder(folder: Path) -> None:
    os.mkfifo(folder / "pipe.flow")
    (folder / "zero.flow").symlink_to("/dev/zero")
    (folder / "loop.flow").symlink_to("loop.flow")
    (folder / "up").symlink_to("..")
    here = Path.cwd()
    try:
        os.chdir(folder)
        for _ in range(1500):  # each path that a call takes is short
            os.mkdir("d")
            os.chdir("d")
        Path("deep.flow").write_text("@flow deep !!")
    finally:
        os.chdir(here)
    assert apply(folder) == ExitCode.BAD_INPUT
    (folder / "d").rename(folder / ".hidden")
    assert apply(folder) == ExitCode.UNREACHABLE


@pytest.mark.parametrize("words", [["check"], ["fmt"], ["graph"], ["restore"], ["apply"], ["run", "--local"]])
def test_a_file_without_an_end(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(options, "_MAX_FILE_BYTES", 3 * options._PIECE_BYTES)
    assert main([*words, "/dev/zero"]) == ExitCode.BAD_INPUT
    assert "more than 1 GiB" in capsys.readouterr().err
