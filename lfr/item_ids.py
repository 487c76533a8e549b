"""The ids of child workflows: `PARENT/INDEX.NUMBER`.

The children of an iterated step are its items. The child of a call has the number 0, and the round is the
attempt of the step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = re.compile(r"(.+)/(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ItemId:
    """The parsed id of an item, or of the child of a call.

    parent  the id of the workflow whose step is iterated, or a call; it may be a child itself
    index   the index of that step
    number  the number of the item, from 0
    round   the attempt of the step that began the items; of an iterated step, above 1 only in a loop
    """

    parent: str
    index: int
    number: int
    round: int = 1

    def __str__(self) -> str:
        suffix = f".{self.round}" if self.round > 1 else ""
        return f"{self.parent}/{self.index}.{self.number}{suffix}"


def parse_item_id(id: str) -> ItemId | None:
    """Parse the id of a workflow; return None if it is not that of an item."""
    match = _ITEM.fullmatch(id)
    if match is None:
        return None
    parent, index, number, round = match.groups()
    return ItemId(parent, int(index), int(number), int(round or 1))


def nesting_depth(id: str) -> int:
    """Return in how many workflows, one within the other, a workflow runs: 0 for one that is no child."""
    return id.count("/")


def is_item(id: str) -> bool:
    """Return whether a workflow's id, which must be valid, is that of an item or of the child of a call."""
    return "/" in id


def root_workflow(id: str) -> str:
    """Return the id of the outermost workflow that a child belongs to; of any other workflow, its own id."""
    return id.partition("/")[0]
