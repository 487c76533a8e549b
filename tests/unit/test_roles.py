"""Each role is in all the places that must name it (CONTRIBUTING.md counts them)."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from lfr.runtime.role_table import ROLES, Role
from lfr.tasks.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]

WORKER_ROLES = {"lifecycle"} | {task.role for task in CATALOGUE}
"""The roles that `lfr worker` runs in one process: a small installation needs no other."""


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_is_a_module_with_the_options_of_its_row(role: Role) -> None:
    assert role.module == f"lfr.roles.{role.name}"
    parameters = inspect.signature(import_module(role.module).run).parameters
    options = [option.flag.removeprefix("--").replace("-", "_") for option in role.options]
    assert list(parameters) == ["store", "context", *options]


def test_the_readme_lists_every_role() -> None:
    listed = re.findall(r"^    lfr (\w+) +# ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {role.name for role in ROLES} <= set(listed)


def test_worker_and_up_run_the_roles_of_every_built_in_task() -> None:
    tree = ast.parse((ROOT / "lfr" / "roles" / "worker.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {name.removeprefix("lfr.roles.") for name in modules if "lfr.roles." in name} == WORKER_ROLES
    up = (ROOT / "lfr" / "cli" / "commands" / "up.py").read_text()
    assert {name for name in WORKER_ROLES if f'["{name}"]' not in up} == set()


def test_the_console_knows_which_roles_a_worker_runs() -> None:
    text = (ROOT / "console_static" / "state" / "installation.js").read_text()
    match = re.search(r"WORKER_ROLES = \[(.*?)\]", text)
    assert match is not None
    assert set(re.findall(r'"(\w+)"', match[1])) == WORKER_ROLES
