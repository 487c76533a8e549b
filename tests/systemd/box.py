"""Scripts under a real systemd, in a throw-away system that has lfr's one file and nothing else of it."""

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
    """What the box lacks here, with how to get it; empty if it lacks nothing."""
    if os.geteuid():
        return "it needs root: sudo -E python3 build.py test tests/systemd"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed: apt install systemd"
    if shutil.which("unshare") is None:
        return "unshare is not installed: apt install util-linux"
    return ""


def in_box(script: str, tmp_path: Path, *, seconds: int = 600) -> str:
    """Run a script of bash inside; what it has printed. Fails with that if a command of it fails.

    Where there can be no box the test is left out, and says why; under CI=true it fails.
    """
    lacking = missing()
    if not lacking:
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
        lacking = done.stderr.strip()
    if os.environ.get("CI") == "true":
        pytest.fail(f"no systemd to test with: {lacking}")
    pytest.skip(lacking)
