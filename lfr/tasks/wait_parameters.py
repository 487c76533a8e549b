"""The parameters of a `wait:` task: by the catalogue's table, with templates filled."""

from __future__ import annotations

from typing import Any

from lfr.tasks.catalogue import find_built_in
from lfr.tasks.parameters import fill_parameters, parse_parameters
from lfr.values.json import Json


def wait_parameters(task: str, input: Json, parameters: Json) -> dict[str, Any]:
    """The value of every parameter of a built-in task. Raises BadParameter."""
    entry = find_built_in(task)
    assert entry, f"{task} is in the catalogue"
    given = parse_parameters(task, entry.parameters, parameters)
    return fill_parameters(task, given, {"input": input, "parameters": parameters})
