"""The commands of build.py that work on a checkout: tried in a copy of this one, with a git of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

NOT_COPIED = (".git", ".build", "dist", "__pycache__", ".*_cache", ".hypothesis", "vendor")

AUTHOR = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with git looking at nothing but this folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {**AUTHOR, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def git(folder: Path, *arguments: str) -> str:
    done = run(folder, "git", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def build_py(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "build.py", *arguments)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout in which everything is committed; what has been downloaded is shared."""
    if shutil.which("git") is None:
        assert os.environ.get("CI") != "true", "there is no git"
        pytest.skip("git is not installed (apt install git)")
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (folder / ".build").mkdir()
    for path in (ROOT / ".build").iterdir():
        if path.is_dir() and not path.name.startswith("tmp"):
            (folder / ".build" / path.name).symlink_to(path)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Everything")
    return folder


def load_build(folder: Path) -> ModuleType:
    """Import the build.py of a folder."""
    spec = importlib.util.spec_from_file_location("build_of_checkout", folder / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_help_has_a_line_for_each_command() -> None:
    text = build_py(ROOT, "--help").stdout
    for name in load_build(ROOT).COMMANDS:
        command = "python3 build.py" if name == "build" else f"python3 build.py {name}"
        assert re.search(rf"^{re.escape(command)} .*  \w", text, re.MULTILINE)


def test_fast_says_what_it_does_and_leaves_dist_alone(checkout: Path) -> None:
    done = build_py(checkout, "fast", "-k", "test_parameters_that_fit")
    assert re.match(r"build\.py: unit and conformance tests without a build: about \d+ s\n", done.stderr)
    assert done.returncode == 0, done.stdout
    assert not (checkout / "dist").exists()


def test_a_release_is_built_committed_and_tagged(checkout: Path) -> None:
    done = build_py(checkout, "release", "7.8.9", "--no-tests")
    assert done.returncode == 0, done.stderr
    assert git(checkout, "describe") == "v7.8.9"
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "log", "-1", "--format=%s") == "Release 7.8.9"
    assert git(checkout, "diff", "--name-only", "HEAD~1").split() == ["CHANGELOG.md", "lfr/__init__.py"]
    changelog = (checkout / "CHANGELOG.md").read_text()
    assert re.search(r"^## 7\.8\.9, \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert "not released yet" not in changelog
    file = checkout / "dist" / "lfr"
    sums = (checkout / "dist" / "SHA256SUMS").read_text()
    assert sums == f"{hashlib.sha256(file.read_bytes()).hexdigest()}  lfr\n"
    assert run(checkout, sys.executable, str(file), "--version").stdout.startswith("lfr 7.8.9")


def test_what_cannot_be_released_is_refused_and_changes_nothing(checkout: Path) -> None:
    def refusal(version: str) -> str:
        done = build_py(checkout, "release", version)
        assert done.returncode == 1
        return done.stderr

    assert "build.py release X.Y.Z" in refusal("1.2")
    assert "is not newer than" in refusal("0.0.1")
    git(checkout, "tag", "v5.0.0")
    assert "the tag v5.0.0 exists" in refusal("5.0.0")
    assert "is not newer than" in refusal("4.9.9")
    assert git(checkout, "status", "--porcelain") == ""
    changelog = checkout / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(", not released yet", ", 2026-01-01"))
    assert "not committed" in refusal("5.0.1")
    git(checkout, "commit", "--quiet", "--all", "--message", "Changelog")
    assert "top section of CHANGELOG.md" in refusal("5.0.1")
    assert git(checkout, "tag", "--list") == "v5.0.0"
    assert not (checkout / "dist").exists()


def test_tests_that_fail_stop_a_release(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_build(checkout)
    monkeypatch.setattr(module, "test", lambda _: 1)
    with pytest.raises(SystemExit, match="the tests fail"):
        module.release(["5.0.0"])
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "tag", "--list") == ""


def test_the_hook_checks_what_is_staged(checkout: Path) -> None:
    assert build_py(checkout, "hooks").returncode == 0
    path = checkout / "lfr" / "states.py"
    original = path.read_text()
    path.write_text(original + "told  = 1\n")
    git(checkout, "add", "--all")
    path.write_text(original)  # what is not staged does not count
    refused = run(checkout, "git", "commit", "--message", "Badly laid out")
    assert refused.returncode == 1
    assert "states.py" in refused.stdout + refused.stderr
    path.write_text(original + "\nMORE = 1\n")
    git(checkout, "add", "--all")
    path.write_text("this is not staged")
    git(checkout, "commit", "--message", "Well laid out")
    assert git(checkout, "log", "-1", "--format=%s") == "Well laid out"


def test_another_hook_is_left_alone(checkout: Path) -> None:
    hook = checkout / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    done = build_py(checkout, "hooks")
    assert done.returncode == 1
    assert "build.py staged" in done.stderr
    assert hook.read_text() == "#!/bin/sh\n"
    hook.unlink()
    assert [build_py(checkout, "hooks").returncode for _ in range(2)] == [0, 0]
