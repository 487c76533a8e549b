"""Where a step runs, as the ids of workflows and items tell it."""

from __future__ import annotations

from typing import Any

from tests.faults.oracle import Path, Place


def root(id: str) -> str:
    """Return the id of the workflow that an item belongs to."""
    return id.partition("/")[0]


def path_of(id: str) -> Path:
    """Return the path to an item, or to the workflow itself."""
    items = [part.split(".") for part in id.split("/")[1:]]
    return tuple((int(each[0]), int(each[1])) for each in items)


def place_of(line: dict[str, Any]) -> Place:
    """Return the place of an execution that a worker has logged."""
    return path_of(line["workflow"]), line["index"]
