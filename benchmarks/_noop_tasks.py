"""A file for `lfr tasks` with one task that does nothing."""

from __future__ import annotations

from typing import Any

from lfr import task


@task("task")
def return_input(input: Any) -> Any:
    """Return the input."""
    return input
