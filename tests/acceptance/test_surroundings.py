"""The built file in hard surroundings: closed streams, a damaged copy, a deleted folder, no token."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from lfr import Client
from tests.support.processes import built_file, environment, lfr, role
from tests.support.waiting import STALL_SECONDS, eventually


def run_in_shell(script: str, *, more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which `$LFR` is the command."""
    return subprocess.run(
        ["bash", "-c", script],
        env={**environment(None, more), "LFR": f"{sys.executable} {built_file()}"},
        capture_output=True,
        text=True,
        timeout=STALL_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("streams", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["version", "--help", "config --json", "run - --local </dev/null"])
def test_closed_streams(words: str, streams: str) -> None:
    done = run_in_shell(f"$LFR {words} {streams}")
    assert done.returncode in (0, 65) and "defect" not in done.stderr and "Traceback" not in done.stderr


def test_receipts_without_stdout(redis_url: str, tmp_path: Path) -> None:
    """The next socket would get the number of a closed stdout, and Redis would read the log as commands."""
    with role("lifecycle", url=redis_url):
        process = subprocess.Popen(
            ["bash", "-c", f"exec {sys.executable} {built_file()} receipts >&- 2>{tmp_path / 'log'}"],
            env=environment(redis_url),
        )
        try:
            client = Client(redis_url)
            client.wait(client.run("? `$.no` a"), STALL_SECONDS)
            with redis.Redis.from_url(redis_url) as server:
                eventually(lambda: server.xlen("workflows:run") == 0)
            assert process.poll() is None and (tmp_path / "log").read_text() == ""
        finally:
            process.terminate()
            process.wait(STALL_SECONDS)


def unpack(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """Unpack the built file; return the variables that make a process use the copy, and the copy."""
    more = {"SHIV_ROOT": str(tmp_path)}
    assert lfr("check", "-", input="a", more=more).returncode == 0
    (copy,) = tmp_path.glob("*/site-packages")
    return more, copy


@pytest.mark.parametrize(
    "name",
    ["lfr", "lfr/__main__.py", "lfr/cli/exit_codes.py", "lfr/cli/commands/config.py", "lfr/config"],
)
def test_a_copy_with_a_hole(tmp_path: Path, name: str) -> None:
    """Programs that tidy up /tmp delete single files."""
    more, copy = unpack(tmp_path)
    for cache in [*copy.rglob("__pycache__")]:
        shutil.rmtree(cache)
    path = copy / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = lfr("config", "--config", "/dev/null", more=more)
    assert done.returncode == 73 and done.stdout == ""
    assert done.stderr.startswith("lfr: its unpacked copy lacks ") and done.stderr.count("\n") == 1
    assert f"delete {copy.parent}" in done.stderr
    shutil.rmtree(copy.parent)
    assert lfr("config", more=more).returncode == 0


def test_a_copy_with_a_file_that_is_cut_off(tmp_path: Path) -> None:
    more, copy = unpack(tmp_path)
    (copy / "lfr/cli/commands/list.py").write_text("")
    done = lfr("list", more=more)
    assert done.returncode == 73 and "such as" in done.stderr and "list.py" in done.stderr


def test_old_copies_are_removed_when_a_new_one_is_unpacked(tmp_path: Path) -> None:
    """Those that a process runs from stay, and the newest; so do the folders of other programs."""
    for number, name in enumerate(("lfr_oldest", "lfr_old", "lfr_before", "other_program")):
        folder = tmp_path / name / "site-packages" / ("lfr" if name.startswith("lfr") else "other")
        folder.mkdir(parents=True)
        os.utime(tmp_path / name, (number, number))
    (tmp_path / "lfr_today" / "site-packages" / "lfr").mkdir(parents=True)
    (tmp_path / ".lfr_old_lock").touch()
    descriptor = os.open(tmp_path / "lfr_oldest", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        assert lfr("check", "-", input="a", more={"SHIV_ROOT": str(tmp_path)}).returncode == 0
    finally:
        os.close(descriptor)
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert {"lfr_oldest", "lfr_today", "other_program"} < names
    assert not names & {"lfr_old", "lfr_before"} and not (tmp_path / ".lfr_old_lock").exists()


HOLDS = """
import fcntl, os, lfr
folder = os.path.dirname(os.path.dirname(os.path.dirname(lfr.__file__)))
try:
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("held")
"""


def test_a_program_that_imports_from_a_copy_holds_it() -> None:
    more = {"PYTHONSAFEPATH": "1"}  # else it imports lfr from this folder
    assert lfr("python", "-c", HOLDS, more=more).stdout == "held\n"


def test_a_folder_that_is_deleted(tmp_path: Path) -> None:
    done = run_in_shell(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; $LFR graph x")
    assert (done.returncode, done.stdout) == (66, "")
    done = run_in_shell(
        f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; echo a | $LFR run -"
    )
    assert done.returncode in (71, 75) and "defect" not in done.stderr and "cannot write" not in done.stderr


@pytest.mark.parametrize("content", [b"\xff\n", b"two\nlines\n", b"", "ü".encode()])
def test_a_file_that_holds_no_token(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "api-token").write_bytes(content)
    more = {"STATE_DIRECTORY": str(tmp_path), "LFR_API_TOKEN": ""}
    done = lfr("api", ":0", "--url", "redis://127.0.0.1:1", more=more)
    assert done.returncode == 73 and "there is no token in" in done.stderr
