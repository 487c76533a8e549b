"""`lfr fmt`: in place, stdin, --check."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lfr.cli.main import main


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.flow"
    path.write_bytes("a→b".encode())
    path.chmod(0o640)
    return path


def test_in_place(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", str(file)]) == 0
    assert file.read_bytes() == b"a -> b\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert capsys.readouterr().err == f"{file} has been changed\n"
    assert main(["fmt", str(file)]) == 0
    assert capsys.readouterr() == ("", "")
    assert [path.name for path in file.parent.iterdir()] == ["some.flow"]


def test_check(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--check", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}\n"
    assert file.read_bytes() == "a→b".encode()


def test_a_link_stays_a_link(file: Path) -> None:
    link = file.with_name("link.flow")
    link.symlink_to(file)
    assert main(["fmt", str(link)]) == 0
    assert link.is_symlink() and file.read_bytes() == b"a -> b\n"


def test_a_missing_file_is_named_in_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "no\x1b.flow"]) == 66
    assert capsys.readouterr().err == "lfr: no\\x1b.flow: there is no such file\n"


def test_a_file_with_errors_is_left_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = file.with_name("wrong.flow")
    wrong.write_text("a -> -> b")
    assert main(["fmt", str(wrong), str(file), str(file.with_name("none"))]) == 65
    assert wrong.read_text() == "a -> -> b"
    assert file.read_bytes() == b"a -> b\n"
    assert f"{wrong}:1:6: " in capsys.readouterr().err


def test_a_byte_order_mark_is_removed(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfa -> b\n")
    assert main(["fmt", "--check", str(file)]) == 1
    assert main(["fmt", str(file)]) == 0
    assert file.read_bytes() == b"a -> b\n"


def test_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("a→b".encode())))
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr() == ("a -> b\n", "")
