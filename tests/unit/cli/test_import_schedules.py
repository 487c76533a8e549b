"""`lfr schedule import` writes flow texts that `lfr check` accepts, and names what it leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lfr.cli.exit_codes import ExitCode
from lfr.cli.main import main
from lfr.language import compile_flow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tab").write_text("MAILTO=me\n0 3 * * * /bin/backup --all\n")
    (tmp_path / "sync.timer").write_text("[Timer]\nOnCalendar=hourly\n")
    (tmp_path / "sync.service").write_text("[Service]\nExecStart=/bin/sync it\n")
    return tmp_path


def run(folder: Path, *words: str) -> int:
    return main(["schedule", "import", *words, "--output", str(folder / "flows"), "--timezone", "Asia/Tokyo"])


def test_flow_texts_are_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / "tab"), str(folder / "sync.timer")]
    assert run(folder, *files) == ExitCode.OK
    out, err = capsys.readouterr()
    assert f"{folder}/flows/backup.flow: task cron:backup, from {folder}/tab:2\n  MAILTO=me" in out
    assert "lfr apply" in err and "needs a worker" in err
    for name, command in (("backup", "/bin/backup --all"), ("sync", "/bin/sync it")):
        flow = compile_flow((folder / "flows" / f"{name}.flow").read_text())
        assert flow.steps[1].parameters == {"command": command}
        assert flow.parameters["schedule"]["timezone"] == "Asia/Tokyo"
    assert run(folder, *files, "--json") == ExitCode.OK  # again: the same texts
    assert json.loads(capsys.readouterr().out)["refused"] == []


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "flows").mkdir()
    (folder / "flows" / "backup.flow").write_text("mine")
    assert run(folder, str(folder / "tab")) == ExitCode.CONFLICT
    assert "exists, with another content" in capsys.readouterr().err
    assert (folder / "flows" / "backup.flow").read_text() == "mine"


def test_what_cannot_be_carried_over_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tab").write_text("@reboot /bin/warm\n")
    assert run(folder, str(folder / "tab")) == ExitCode.CONFLICT
    out, err = capsys.readouterr()
    assert out == "" and "tab:1: @reboot cannot be carried over" in err


def test_what_does_not_go_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "import"]) == ExitCode.USAGE
    assert main(["schedule", "pause", "x", "--cron", "@daily"]) == ExitCode.USAGE
    assert "--cron does not go with pause" in capsys.readouterr().err
    assert main(["schedule", "backfill", "x", "2026-01-01"]) == ExitCode.USAGE
    assert run(folder, str(folder / "nothing")) == ExitCode.NOT_FOUND
    (folder / "flows").write_text("a file")
    assert run(folder, str(folder / "tab")) == ExitCode.CANNOT_WRITE


def test_no_link_is_followed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "flows").mkdir()
    (folder / "flows" / "backup.flow").symlink_to(folder / "elsewhere")
    assert run(folder, str(folder / "tab")) == ExitCode.CONFLICT
    assert not (folder / "elsewhere").exists()


@pytest.mark.parametrize("unit", ["../sync.service", "/etc/x.service", "a" * 5000])
def test_the_service_of_a_timer_stands_beside_it(folder: Path, unit: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.timer").write_text(f"[Timer]\nOnCalendar=hourly\nUnit={unit}\n")
    assert run(folder, str(folder / "sub" / "a.timer")) == ExitCode.OK
    assert compile_flow((folder / "flows" / "a.flow").read_text()).steps[1].parameters == {"command": ""}
