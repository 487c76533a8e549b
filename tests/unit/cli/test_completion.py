"""The completion of command lines."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lfr.cli.command_table import COMMANDS
from lfr.cli.ui.completion import make_completion

pytestmark = pytest.mark.slow


def complete(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of these words, in a folder."""
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"{make_completion('bash')}COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _lfr"
    script += '; [ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_values_and_files(tmp_path: Path) -> None:
    for name in ("build.flow", "big one.flow", "other.flow"):
        (tmp_path / name).touch()
    assert set(complete(tmp_path, "lfr", "")) == set(COMMANDS)
    assert set(complete(tmp_path, "lfr", "re")) == {name for name in COMMANDS if name.startswith("re")}
    assert complete(tmp_path, "lfr", "run", "--wa") == ["--wait"]
    assert set(complete(tmp_path, "lfr", "run", "b")) == {"build.flow", "big one.flow"}
    assert complete(tmp_path, "lfr", "run", "build.flow", "--input", "ot") == ["other.flow"]
    assert complete(tmp_path, "lfr", "graph", "--format", "s") == ["svg"]
    assert complete(tmp_path, "lfr", "run", "--timeout", "") == []
    assert complete(tmp_path, "lfr", "completion", "z") == ["zsh"]
    assert complete(tmp_path, "lfr", "inspect", "b") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_reads_its_script(shell: str) -> None:
    script = make_completion(shell)
    for command in COMMANDS:
        assert command in script
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
