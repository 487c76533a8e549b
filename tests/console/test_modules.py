"""The modules of the console that need no browser, tested by node: `modules/*.test.mjs`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted((Path(__file__).parent / "modules").glob("*.test.mjs"))
BROWSER_ONLY = {"graph/layout-worker.js"}
"""A module that acts when it is loaded: the tests of pages cover it."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console's files and vendored packages, as modules of node."""
    folder = tmp_path_factory.mktemp("console")
    spec = importlib.util.spec_from_file_location("build_script", ROOT / "build.py")
    assert spec is not None and spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    shutil.copytree(build.CONSOLE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("package*"))
    build._copy_vendored(folder / "vendor")
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_module(path: Path, console: Path) -> None:
    _require_node()
    process = subprocess.run(
        ["node", "--test", str(path)],
        env={**os.environ, "LFR_CONSOLE": console.as_uri()},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stdout + process.stderr


def test_every_module_without_view_has_a_test() -> None:
    """A module without view is one that imports no preact, itself or by other modules."""
    static = ROOT / "console_static"
    imports = {
        path: {
            (path.parent / name).resolve()
            for name in re.findall(r'from "(\.[^"]+)"', path.read_text("utf-8"))
        }
        for path in static.rglob("*.js")
        if "vendor" not in path.parts
    }
    tested = _closure(set().union(*(_imported_by_test(static, path) for path in TESTS)), imports)
    missing = {
        module.relative_to(static).as_posix()
        for module, imported in imports.items()
        if module not in tested and not any("preact" in path.name for path in _closure(imported, imports))
    }
    assert missing == BROWSER_ONLY


def test_the_console_names_the_roles_of_a_worker() -> None:
    text = (ROOT / "console_static" / "state" / "installation.js").read_text("utf-8")
    roles = re.search(r"WORKER_ROLES = \[(.*?)\]", text)
    assert roles is not None
    worker = (ROOT / "lfr" / "roles" / "worker.py").read_text("utf-8")
    assert sorted(re.findall(r'"(\w+)"', roles[1])) == sorted(
        re.findall(r"from lfr\.roles\.(\w+) import", worker)
    )


def _imported_by_test(static: Path, test: Path) -> set[Path]:
    return {(static / name).resolve() for name in re.findall(r"\}/([\w/-]+\.js)`", test.read_text("utf-8"))}


def _closure(paths: set[Path], imports: dict[Path, set[Path]]) -> set[Path]:
    closure: set[Path] = set()
    stack = [*paths]
    while stack:
        path = stack.pop()
        if path not in closure:
            closure.add(path)
            stack += imports.get(path, ())
    return closure


def _require_node() -> None:
    if shutil.which("node") is None and os.environ.get("CI") != "true":
        pytest.skip("node is not installed")
