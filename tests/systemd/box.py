"""Runs scripts under a real systemd, in a throw-away system that has only the one file of lfr."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import built_file

BOX = Path(__file__).with_name("systemd-box")
PRELUDE = Path(__file__).with_name("prelude.sh")

CANNOT_RUN = 77


def missing() -> str:
    """Return what is missing here, with how to get it; empty if nothing is missing."""
    if os.geteuid():
        return "it needs root: sudo -E python3 build.py test tests/systemd"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed: apt install systemd"
    if shutil.which("unshare") is None:
        return "unshare is not installed: apt install util-linux"
    return ""


def in_box(script: str, tmp_path: Path, *, seconds: int = 600) -> str:
    """Run a bash script in the box and return its output. Fail with the output if the script fails.

    If the box cannot run here, skip the test, or fail it in CI (CI=true).
    """
    reason = missing()
    if not reason:
        path = tmp_path / "script.sh"
        path.write_text(PRELUDE.read_text() + script)
        done = subprocess.run(
            [str(BOX), "--with", str(built_file()), str(path)],
            env={**os.environ, "SYSTEMD_BOX_S": str(seconds)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != CANNOT_RUN:
            assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
            return done.stdout
        reason = done.stderr.strip()
    if os.environ.get("CI") == "true":
        pytest.fail(f"no systemd to test with: {reason}")
    pytest.skip(reason)
