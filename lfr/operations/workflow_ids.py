"""Parses the ids of workflows as people write them, and generates new ids."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

from lfr.errors import BadInput
from lfr.events import WORKFLOW_ID
from lfr.item_ids import is_item
from lfr.store import key_patterns

PREFIX = "workflow:"

_KEY_SUFFIX = re.compile(key_patterns.OWN_SUFFIX.pattern + "$")
"""The ends of the keys of a workflow: an id with such an end would be a key of another workflow."""

_INVALID_CHARACTER = re.compile(r"[^\w.:-]")


def parse_new_workflow_id(text: str) -> str:
    """Return the id for a new workflow, as `parse_workflow_id` does. Raises BadInput for an item, too."""
    id = parse_workflow_id(text)
    if is_item(id):
        raise BadInput(f"{text[:60]!r} is the id of an item", hint="a workflow's own id has no slash")
    return id


def parse_workflow_id(text: str) -> str:
    """Return the id of a workflow or an item with `workflow:`, which `text` may omit. Raises BadInput for a
    text that cannot be an id; whether the workflow exists is not checked."""
    id = text if text.startswith(PREFIX) else PREFIX + text
    if not WORKFLOW_ID.fullmatch(id) or _KEY_SUFFIX.search(id):
        raise BadInput(
            f"{text[:60]!r} cannot be a workflow's id",
            hint="letters, digits and . _ : - only, up to 240 of them",
        )
    return id


def generate_workflow_id(name: str, uuid: UUID) -> str:
    """Return a new id: `workflow:NAME-UUID` with the name of a flow, or `workflow:UUID` if that is empty.

    `parse_new_workflow_id` accepts it, whatever the name is: with a name as `latch:x` its colons become
    hyphens, because the id would be the key of a latch.
    """
    name = _INVALID_CHARACTER.sub("-", name)[:180]
    id = f"{PREFIX}{name}-{uuid}" if name else f"{PREFIX}{uuid}"
    return id if WORKFLOW_ID.fullmatch(id) else f"{PREFIX}{name.replace(':', '-')}-{uuid}"


def generate_run() -> str:
    """Return what identifies a new run of an id, see Record: eight hexadecimal digits by chance, because a
    clock may show the same time twice."""
    return uuid4().hex[:8]
