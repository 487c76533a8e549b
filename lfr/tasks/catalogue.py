"""The built-in tasks: which there are, what they do, which role does them."""

from __future__ import annotations

from dataclasses import dataclass

RESERVED = ("lfr:", "wait:", "request:", "redis:", "resource:")
"""How the names of built-in tasks begin, also of those to come: no other worker answers them."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One built-in task: its name, the role that does it, a line of help, its parameters with theirs."""

    name: str
    role: str
    help: str
    parameters: dict[str, str]


EACH = "lfr:each"
"""What a step that is iterated asks for. The lifecycle does it: one workflow for each item."""

LOAD, STORE = "resource:load", "resource:store"
"""What a resource asks for, as a source and as a target."""

DELAY = "wait:delay"

CATALOGUE = (
    BuiltIn(
        DELAY,
        role="wait",
        help="ends after a while; its output is its input",
        parameters={"duration": "seconds: a number that is not negative"},
    ),
)


def is_reserved(task: str) -> bool:
    """Whether a task is one of ours to do, by its name."""
    return task.startswith(RESERVED)
