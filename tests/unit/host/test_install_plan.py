"""The actions of lfr install and uninstall, and the files that they install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lfr.cli.commands import install
from lfr.cli.exit_codes import PERMANENT_FAILURES, ExitCode
from lfr.cli.main import main
from lfr.errors import CannotWrite, Conflict, NotFound
from lfr.host.install_actions import Remove, Run, Write
from lfr.host.install_plan import (
    FILES,
    InstallOptions,
    Program,
    check_prefix,
    file_actions,
    find_changed_units,
    find_closed_folder,
    load_unit_file,
    old_build_removals,
    relocate_unit_file,
    start_actions,
    uninstall_actions,
)

UNITS = Path(__file__).parents[3] / "units"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A file in place of lfr, and a server."""
    with zipfile.ZipFile(tmp_path / "new-lfr", "w") as file:
        file.writestr("__main__.py", "")
    (tmp_path / "server").write_bytes(b"server")
    return Program(tmp_path / "new-lfr", tmp_path / "server")


def test_all_files_are_in_the_table_and_no_other() -> None:
    assert {path.name for path in UNITS.iterdir()} == {file.name for file in FILES}
    with pytest.raises(NotFound):
        load_unit_file("lfr.socket")


def test_units_do_not_restart_after_permanent_failures() -> None:
    match = re.search(r"^RestartPreventExitStatus=(.*)$", load_unit_file("lfr@.service"), re.MULTILINE)
    assert match and tuple(map(int, match[1].split())) == PERMANENT_FAILURES


def test_the_units_name_the_prefix_and_nothing_but_it() -> None:
    text = relocate_unit_file(load_unit_file("lfr@.service"), Path("/opt/x"), "/usr/bin/python3.12")
    assert "ExecStart=/usr/bin/python3.12 -sE /opt/x/bin/lfr %i $LFR_OPTIONS\n" in text
    assert "Environment=SHIV_ROOT=/opt/x/lib/lfr\n" in text
    assert "/usr/local" not in text
    text = relocate_unit_file(load_unit_file("lfr-valkey.service"), Path("/opt/x"), "/usr/bin/python3.12")
    assert "ExecStart=/opt/x/lib/lfr/valkey-server /etc/lfr/valkey.conf --unixsocket /run" in text


def test_the_program_comes_first_and_the_configuration_is_kept(program: Program) -> None:
    actions = list(file_actions(program, InstallOptions(prefix=Path("/opt/x"))))
    assert [str(action) for action in actions[:3]] == [
        "write /opt/x/bin/lfr",
        "SHIV_ROOT=/opt/x/lib/lfr /opt/x/bin/lfr version",
        "write /opt/x/lib/lfr/valkey-server",
    ]
    assert [action.target.name for action in actions if isinstance(action, Write) and action.is_kept] == [
        "lfr.yaml",
        "valkey.conf",
    ]


def test_systemd_knows_the_units_before_they_start_and_valkey_is_not_restarted() -> None:
    options = InstallOptions(roles=["wait", "lifecycle.2"], valkey=True, now=True)
    assert [str(action) for action in start_actions(options)] == [
        "systemctl daemon-reload",
        "systemctl enable lfr.target lfr-valkey.service lfr@wait.service lfr@lifecycle.2.service",
        "systemctl start lfr-valkey.service",
        "systemctl try-restart lfr@*.service",
        "systemctl start lfr.target lfr-valkey.service lfr@wait.service lfr@lifecycle.2.service",
    ]
    assert [str(action) for action in start_actions(InstallOptions(roles=["wait"], is_booted=False))] == [
        "systemctl enable lfr.target lfr@wait.service"
    ]


def test_an_existing_file_is_replaced_unless_it_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "etc" / "lfr.yaml"
    Write(target, b"first", 0o640).perform()
    assert target.stat().st_mode & 0o777 == 0o640
    Write(target, b"second", is_kept=True).perform()
    assert target.read_bytes() == b"first"
    with target.open("rb") as open_before:
        Write(target, b"second").perform()
        assert (target.read_bytes(), open_before.read()) == (b"second", b"first")
    assert [path.name for path in target.parent.iterdir()] == ["lfr.yaml"]
    with pytest.raises(CannotWrite):
        Write(target / "below", b"").perform()


def test_a_missing_file_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    for name in ("link", "tree", "tree"):
        Remove(tmp_path / name).perform()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_command_is_reported_with_its_last_line() -> None:
    with pytest.raises(Conflict, match="has failed: no such unit"):
        Run(["sh", "-c", "echo 'no such unit' >&2; exit 5"]).perform()
    with pytest.raises(Conflict, match="cannot be run"):
        Run(["/there/is/none"]).perform()
    Run(["sh", "-c", "exit 5"], may_fail=True).perform()


def unpacked(tree: Path, *names: str) -> None:
    """Make unpacked builds, the oldest first."""
    for number, name in enumerate(names):
        (tree / name / "site-packages" / "lfr").mkdir(parents=True)
        os.utime(tree / name, (number, number))


def removed(tree: Path, installed: str) -> set[str]:
    """Return the names of what the removal of old builds removes."""
    return {
        action.target.name for action in old_build_removals(tree, installed) if isinstance(action, Remove)
    }


def test_the_build_before_stays(tmp_path: Path) -> None:
    unpacked(tmp_path, "lfr_older", "lfr_old", "lfr_before", "lfr_new")
    (tmp_path / "valkey-server").touch()
    (tmp_path / "lfr_foreign").mkdir()
    assert removed(tmp_path, "new") == {"lfr_older", ".lfr_older_lock", "lfr_old", ".lfr_old_lock"}


def test_an_older_build_that_is_installed_again_stays(tmp_path: Path) -> None:
    unpacked(tmp_path, "lfr_old", "lfr_before", "lfr_new")
    assert removed(tmp_path, "old") == {"lfr_before", ".lfr_before_lock"}


def test_a_build_that_a_process_runs_from_stays(tmp_path: Path) -> None:
    """Two newer ones have been installed, and the roles have not been restarted."""
    unpacked(tmp_path, "lfr_running", "lfr_before", "lfr_new")
    script = """
import sys
from lfr.host.zipapp_main import hold
hold(sys.argv[1])
print("held", flush=True)
input()
"""
    command = [sys.executable, "-c", script, str(tmp_path / "lfr_running")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        assert removed(tmp_path, "new") == set()
        process.communicate(b"\n")
    assert removed(tmp_path, "new") == {"lfr_running", ".lfr_running_lock"}


def test_a_folder_that_roles_may_not_enter_is_found(tmp_path: Path) -> None:
    tree = tmp_path / "lib" / "lfr"
    tree.mkdir(parents=True, mode=0o755)
    tmp_path.chmod(0o750)
    assert find_closed_folder(tree) == tmp_path


def test_changes_of_units_are_found(tmp_path: Path) -> None:
    for name in ("lfr@wait.service.d", "lfr@.service.d", "lfr-valkey.service.d", "other.service.d"):
        (tmp_path / name).mkdir()
    (tmp_path / "lfr@api.service").symlink_to("/dev/null")
    assert [path.name for path in find_changed_units([tmp_path])] == [
        "lfr-valkey.service.d",
        "lfr@.service.d",
        "lfr@api.service",
        "lfr@wait.service.d",
    ]


def test_only_a_purge_removes_data() -> None:
    default = {
        str(action) for action in uninstall_actions(Path("/usr/local"), [], purge=False, is_booted=True)
    }
    changed = [Path("/etc/systemd/system/lfr@wait.service.d")]
    purge = {
        str(action)
        for action in uninstall_actions(
            Path("/usr/local"), [], purge=True, is_booted=True, changed_units=changed
        )
    }
    assert "remove /usr/local/bin/lfr" in default
    assert purge - default == {
        "remove /etc/lfr",
        "remove /etc/systemd/system/lfr@wait.service.d",
        "remove /var/lib/lfr",
        "remove /var/lib/lfr-valkey",
        "remove /var/log/lfr",
        "userdel lfr",
        "userdel lfr-valkey",
    }


def test_a_dry_run_prints_the_actions_and_performs_none(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [str(program.file)])
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(install, "_needs_valkey", lambda: True)
    words = ["install", "--enable", "wait", "--now", "--dry-run", "--prefix", str(tmp_path / "usr")]
    assert main(words) == ExitCode.OK
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"write {tmp_path}/usr/bin/lfr"
    assert printed[-1] == "systemctl start lfr.target lfr-valkey.service lfr@wait.service"
    assert not (tmp_path / "usr").exists()


@pytest.mark.parametrize(
    "words",
    [["--enable", "waits"], ["--enable", "wait.x"], ["--prefix", "/a b"], ["--prefix", "/a%i"]],
)
def test_names_that_no_unit_can_have_are_refused(words: list[str]) -> None:
    assert main(["install", "--dry-run", *words]) == ExitCode.USAGE


def test_only_the_one_file_can_be_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["lfr"])
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert main(["install", "--dry-run"]) == ExitCode.CONFLICT
    assert "only the one file" in capsys.readouterr().err


def test_units_are_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["units"]) == ExitCode.OK
    output = capsys.readouterr().out
    assert all(file.name in output and file.target in output for file in FILES)
    assert main(["units", "lfr.yaml"]) == ExitCode.OK
    assert capsys.readouterr().out == (UNITS / "lfr.yaml").read_text()
    assert main(["units", "lfr.socket"]) == ExitCode.NOT_FOUND


def test_the_configuration_that_is_installed_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is, and with each of its settings taken out of its comment."""
    text = (UNITS / "lfr.yaml").read_text()
    setting = re.compile(r"^# ((?: {2})*[a-z]+:(?: .*)?|(?: {2})+- .*)$", re.MULTILINE)
    for name, content in (("as-it-is", text), ("all", setting.sub(r"\1", text))):
        (tmp_path / name).write_text(content)
        assert main(["config", "--config", str(tmp_path / name)]) == ExitCode.OK, capsys.readouterr().err
    assert "rediss://" in capsys.readouterr().out


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let everybody write to what this process makes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_nothing_that_is_installed_can_be_written_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    replace = Path.replace

    def observed(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode)
        return replace(self, target)

    fdopen = os.fdopen

    def observed_descriptor(descriptor: int, mode: str) -> Any:
        modes.append(os.fstat(descriptor).st_mode)
        return fdopen(descriptor, mode)

    monkeypatch.setattr(Path, "replace", observed)
    monkeypatch.setattr(os, "fdopen", observed_descriptor)
    Write(tmp_path / "opt" / "x" / "bin" / "lfr", b"program", 0o755).perform()
    Write(tmp_path / "etc" / "lfr" / "lfr.yaml", b"settings").perform()
    modes += [path.stat().st_mode for path in tmp_path.rglob("*")]
    assert len(modes) == 11
    assert not any(mode & 0o022 for mode in modes)


@pytest.mark.parametrize("mode", [0o777, 0o757])
@pytest.mark.parametrize("name", ["opt", "opt/x", "opt/x/lib/lfr", "opt/x/bin"])
def test_a_prefix_that_others_can_change_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    tree = tmp_path / "opt" / "x" / "lib" / "lfr"
    tree.mkdir(parents=True)
    (tmp_path / "opt" / "x" / "bin").mkdir()
    check_prefix(tree)
    (tmp_path / name).chmod(mode)
    with pytest.raises(Conflict, match="others can write to"):
        check_prefix(tree)
