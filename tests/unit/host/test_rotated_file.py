"""Files that lines are appended to: they stay small, and no line is lost or split."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lfr.host.rotated_file import RotatedFile


def texts(folder: Path) -> dict[str, str]:
    """Return the files by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_large_file_is_replaced(tmp_path: Path) -> None:
    with RotatedFile(tmp_path / "log", size=10, count=3) as file:
        for number in range(8):
            file.writelines([f"{number}\n"] * 2)
            file.flush()
    assert texts(tmp_path) == {"log": "6\n6\n7\n7\n", "log.1": "4\n4\n5\n5\n", "log.2": "2\n2\n3\n3\n"}


def test_a_line_that_is_longer_than_a_file_stays_whole(tmp_path: Path) -> None:
    with RotatedFile(tmp_path / "log", size=10, count=2) as file:
        file.writelines(["a" * 100 + "\n"])
        file.writelines(["b\n"])
    assert texts(tmp_path) == {"log": "b\n", "log.1": "a" * 100 + "\n"}


def test_with_size_zero_a_file_grows(tmp_path: Path) -> None:
    with RotatedFile(tmp_path / "log", size=0, count=2) as file:
        for _ in range(3):
            file.writelines(["a" * 10 + "\n"])
    assert texts(tmp_path) == {"log": ("a" * 10 + "\n") * 3}


def test_a_file_that_another_program_moves_away(tmp_path: Path) -> None:
    with RotatedFile(tmp_path / "log", size=0, count=2) as file:
        file.writelines(["1\n"])
        (tmp_path / "log").rename(tmp_path / "moved")
        file.writelines(["2\n"])
        (tmp_path / "log").unlink()
        file.writelines(["3\n"])
    assert texts(tmp_path) == {"moved": "1\n", "log": "3\n"}


def test_half_a_line_spoils_no_other(tmp_path: Path) -> None:
    """The disk was full in the middle of it."""
    (tmp_path / "log").write_text("whole\nhal")
    with RotatedFile(tmp_path / "log", size=0, count=2) as file:
        file.writelines(["next\n"])
    assert (tmp_path / "log").read_text() == "whole\nhal\nnext\n"


def test_devices_are_not_replaced() -> None:
    with RotatedFile(Path("/dev/null"), size=1, count=2) as file:
        file.writelines(["a\n"] * 10)
        file.writelines(["a\n"] * 10)
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_raises() -> None:
    with RotatedFile(Path("/dev/full"), size=1, count=2) as file, pytest.raises(OSError, match="No space"):
        file.writelines(["a\n"])


WRITER = """
import sys
from pathlib import Path
from lfr.host.rotated_file import RotatedFile
with RotatedFile(Path(sys.argv[1]), size=20_000, count=1000) as file:
    for number in range(2000):
        file.writelines([f"{sys.argv[2]} {number} " + "x" * 50 + "\\n"] * 2)
"""


def test_processes_that_write_to_one_file_lose_and_mix_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "log")]
    writers = [subprocess.Popen([*command, name], env=os.environ) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = sorted(line for text in texts(tmp_path).values() for line in text.splitlines())
    expected = [f"{name} {number} " + "x" * 50 for name in "abc" for number in range(2000)] * 2
    assert lines == sorted(expected)
    assert all(len(text) < 25_000 for text in texts(tmp_path).values())
