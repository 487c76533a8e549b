"""Which names stand for built-in tasks."""

from __future__ import annotations

import pytest

from lfr.runtime.role_table import ROLES
from lfr.tasks.catalogue import CATALOGUE, find_built_in, is_reserved


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("wait:delay", "wait:delay"),
        ("redis:get", "redis:COMMAND"),
        ("redis:JSON.SET", "redis:COMMAND"),
        ("redis:", None),
        ("wait:nothing", None),
        ("delay", None),
    ],
)
def test_a_task_is_found_by_its_name(task: str, name: str | None) -> None:
    built_in = find_built_in(task)
    assert (built_in and built_in.name) == name


def test_every_built_in_task_has_a_reserved_name_and_a_role() -> None:
    roles = {role.name for role in ROLES}
    for task in CATALOGUE:
        assert is_reserved(task.name)
        assert task.role in roles
        assert len({parameter.name for parameter in task.parameters}) == len(task.parameters)
