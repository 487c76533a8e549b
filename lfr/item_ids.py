"""The ids of items, the child workflows of an iterated step: `PARENT/INDEX.NUMBER`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = re.compile(r"(.+)/(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ItemId:
    """The parsed id of an item.

    parent  the id of the workflow whose step is iterated; it may be an item itself
    index   the index of that step
    number  the number of the item, from 0
    round   the attempt of the step that began the items; above 1 only in a loop
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


def is_item(id: str) -> bool:
    """Return whether a workflow's id, which must be valid, is that of an item."""
    return "/" in id


def root_workflow(id: str) -> str:
    """Return the id of the outermost workflow that an item belongs to; of any other workflow, its own id."""
    return id.partition("/")[0]
