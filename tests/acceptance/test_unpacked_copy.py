"""The one file runs no code that others than its user and root can have put where it unpacks itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lfr.cli.exit_codes import ExitCode
from tests.support.processes import built_file

pytestmark = pytest.mark.needs_file

NOBODY = 65_534


def start(root: Path, umask: int = 0o022, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `lfr --version` with this SHIV_ROOT."""
    return subprocess.run(
        [sys.executable, str(built_file()), "--version"],
        env={**os.environ, "SHIV_ROOT": str(root), **more},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with an unpacked copy that somebody has changed."""
    root = tmp_path / "home" / "shiv"
    assert start(root).returncode == 0
    (main,) = root.glob("*/site-packages/lfr/__main__.py")
    main.write_text("print('owned')\n")
    shutil.rmtree(main.with_name("__pycache__"))
    return root


def open_root(root: Path) -> None:
    root.chmod(0o777)


def open_parent(root: Path) -> None:
    root.parent.chmod(0o757)


def open_to_group(root: Path) -> None:
    root.chmod(0o775)
    os.chown(root, os.geteuid(), 1000 if not os.geteuid() else -1)


def open_copy(root: Path) -> None:
    next(root.glob("lfr_*")).chmod(0o777)


def open_packages(root: Path) -> None:
    next(root.glob("*/site-packages")).chmod(0o777)


def give_root_away(root: Path) -> None:
    os.chown(root, NOBODY, NOBODY)


def give_parent_away(root: Path) -> None:
    os.chown(root.parent, NOBODY, NOBODY)


def give_copy_away(root: Path) -> None:
    os.chown(next(root.glob("lfr_*")), NOBODY, NOBODY)


def link(root: Path) -> None:
    root.rename(root.with_name("real"))
    root.symlink_to("real")
    os.chown(root, NOBODY, NOBODY, follow_symlinks=False)


OPEN = (open_root, open_parent, open_to_group, open_copy, open_packages)
GIVEN_AWAY = (give_root_away, give_parent_away, give_copy_away, link)


@pytest.mark.parametrize("attack", [*OPEN, *GIVEN_AWAY])
def test_a_copy_that_others_can_change_is_not_run(root: Path, attack: Callable[[Path], None]) -> None:
    if attack in GIVEN_AWAY and os.geteuid():
        pytest.skip("only root can give files away")
    attack(root)
    done = start(root)
    assert (done.returncode, done.stdout) == (ExitCode.CANNOT_WRITE, "")
    reason = "belongs to another user" if attack in GIVEN_AWAY else "others can write to"
    assert done.stderr.startswith("lfr: it does not run from ") and reason in done.stderr
    assert "set SHIV_ROOT to a folder of your own" in done.stderr


@pytest.mark.parametrize(
    "more",
    [
        {"SHIV_ENTRY_POINT": "os:getpid"},
        {"SHIV_MODULE": "this"},
        {"SHIV_CONSOLE_SCRIPT": "none"},
        {"SHIV_INTERPRETER": "1"},
        {"SHIV_FORCE_EXTRACT": "1"},
        {"SHIV_EXTEND_PYTHONPATH": "no"},
        {"SHIV_COMPILE_WORKERS": "many"},
    ],
)
def test_other_variables_of_shiv_change_nothing(tmp_path: Path, more: dict[str, str]) -> None:
    root = tmp_path / "shiv"
    assert start(root).returncode == 0
    copy = next(root.glob("lfr_*"))
    before = copy.stat().st_ino, copy.stat().st_mtime_ns
    done = start(root, **more)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("lfr ")
    assert before == (copy.stat().st_ino, copy.stat().st_mtime_ns)


def test_a_folder_of_this_user_in_one_with_the_sticky_bit_is_safe(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "mine").mkdir(mode=0o700)
    assert start(shared / "mine").returncode == 0


def test_what_is_unpacked_under_any_umask_can_be_written_by_nobody_else(tmp_path: Path) -> None:
    root = tmp_path / "new" / "shiv"
    assert start(root, umask=0).returncode == 0
    paths = [root.parent, root, *root.rglob("*")]
    assert len(paths) > 100
    assert [path for path in paths if path.stat().st_mode & 0o022] == []
    assert start(root, umask=0).stdout.startswith("lfr ")


RACE = """
import os, runpy, sys

sys.path.insert(0, sys.argv[1])
start = runpy.run_path(sys.argv[1], run_name="not yet")["start"]
names, root = start.__globals__, sys.argv[2]
sys.argv = [sys.argv[1], "--version"]
look = names["refuse_unsafe"]

def look_and_lose(path):
    look(path)
    if not os.path.isdir(root):
        os.mkdir(root)
        os.chown(root, 65534, 65534)

names["refuse_unsafe"] = look_and_lose
start()
"""


def test_a_folder_that_another_user_makes_meanwhile_is_not_run_from(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    root = tmp_path / "shared" / "shiv"
    command = [sys.executable, "-c", RACE, str(built_file()), str(root)]
    environment = {**os.environ, "SHIV_ROOT": str(root)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (ExitCode.CANNOT_WRITE, "")
    assert f"{root} belongs to another user" in done.stderr
