"""The pure parts of the console, tested by node: `model/*.test.mjs`, on the modules of the built file."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support.processes import built_file
from tests.support.waiting import STALL_SECONDS

TESTS = sorted((Path(__file__).parent / "model").glob("*.test.mjs"))
STATIC = "site-packages/lfr/console_static/"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console's files, as modules of node."""
    folder = tmp_path_factory.mktemp("console")
    with zipfile.ZipFile(built_file()) as archive:
        for name in archive.namelist():
            if name.startswith(STATIC) and name.endswith(".js"):
                target = folder / name.removeprefix(STATIC)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_model(path: Path, console: Path) -> None:
    if shutil.which("node") is None and os.environ.get("CI") != "true":
        pytest.skip("node is not installed")
    done = subprocess.run(
        ["node", "--test", str(path)],
        env={**os.environ, "LFR_CONSOLE": console.as_uri()},
        capture_output=True,
        text=True,
        timeout=5 * STALL_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_tests() -> None:
    assert len(TESTS) >= 4
