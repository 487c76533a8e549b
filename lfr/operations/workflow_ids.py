"""Ids of workflows: as people write them, and new ones."""

from __future__ import annotations

import re
from uuid import UUID

from lfr.errors import BadInput
from lfr.events import WORKFLOW_ID
from lfr.flow import Flow
from lfr.item_ids import is_item

PREFIX = "workflow:"

_KEY_OF_ANOTHER = re.compile(
    r":(steps|outputs|history|items:\d+|progress:\d+|output:\d+|start:\d+\.\d+|wait:\d+\.\d+|latched)$"
)
"""How the keys end that belong to a workflow: an id must not be one of them."""

_NOT_IN_AN_ID = re.compile(r"[^\w.:-]")


def parse_new_workflow_id(text: str) -> str:
    """The id that somebody chose for a new workflow, with or without `workflow:`. Raises BadInput."""
    id = parse_workflow_id(text)
    if is_item(id):
        raise BadInput(f"{text[:60]!r} is the id of an item", hint="a workflow's own id has no slash")
    return id


def parse_workflow_id(text: str) -> str:
    """The id of a workflow or an item, given with or without `workflow:`. Raises BadInput."""
    id = text if text.startswith(PREFIX) else PREFIX + text
    if not WORKFLOW_ID.fullmatch(id) or _KEY_OF_ANOTHER.search(id):
        raise BadInput(
            f"{text[:60]!r} cannot be a workflow's id",
            hint="letters, digits and . _ : - only, up to 240 of them",
        )
    return id


def generate_workflow_id(flow: Flow, uuid: UUID) -> str:
    """An id for a workflow that runs `flow`: `workflow:NAME-UUID`, or `workflow:UUID` without a name."""
    name = _NOT_IN_AN_ID.sub("-", flow.name)[:180]
    return f"{PREFIX}{name}-{uuid}" if name else f"{PREFIX}{uuid}"
