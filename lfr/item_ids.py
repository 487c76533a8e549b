"""Ids of the workflows that run for the items of an iterated step: `PARENT/INDEX.NUMBER`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = re.compile(r"(.+)/(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ItemId:
    """What the id of an item says.

    parent  the workflow whose step is iterated; it may be an item itself
    index   that step
    number  which of the items it is, from 0
    round   which attempt of the step began with the items: more than 1 only where a loop comes back
    """

    parent: str
    index: int
    number: int
    round: int = 1

    def __str__(self) -> str:
        behind = f".{self.round}" if self.round > 1 else ""
        return f"{self.parent}/{self.index}.{self.number}{behind}"


def read_item_id(id: str) -> ItemId | None:
    """What an id says, if it is that of an item."""
    found = _ITEM.fullmatch(id)
    if found is None:
        return None
    parent, index, number, round = found.groups()
    return ItemId(parent, int(index), int(number), int(round or 1))


def is_item(id: str) -> bool:
    """Whether a workflow's id is that of an item."""
    return "/" in id


def root_workflow(id: str) -> str:
    """Return the workflow that an item, or an item of an item, belongs to; itself, if it is no item."""
    return id.partition("/")[0]
