"""Finds the stored flow, and the version of it, that a reference names: `NAME` or `NAME@VERSION`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from lfr.errors import BadInput, LfrError, NotFound
from lfr.flow import Flow, gc_paused
from lfr.store.redis.connection import Connection
from lfr.store.workflows.flow_versions import (
    FlowVersion,
    load_flow_and_text,
    load_stored_flows,
    load_stored_names,
    load_version,
)
from lfr.values.checks import suggestion

_REFERENCE: Final = re.compile(r"([A-Za-z_][\w:-]*)(?:@([1-9]\d{0,8}))?")


class StoredFlow(NamedTuple):
    """A version of a stored flow, with the flow and its text."""

    version: FlowVersion
    flow: Flow
    text: str


def load_stored_flow(connection: Connection, reference: str) -> StoredFlow:
    """Return `NAME` (its latest version) or `NAME@VERSION`. Raises BadInput and NotFound."""
    name, number = parse_flow_reference(reference)
    version = require_version(connection, name, number)
    data, text = load_flow_and_text(connection, version)
    if data is None:
        raise NotFound(
            f"the flow of {name}@{version.number} has just been removed", hint="lfr flows lists them"
        )
    return StoredFlow(version, parse_flow_data(data), text)


def parse_flow_reference(text: str) -> tuple[str, int | None]:
    """Return the name and the number in `NAME` or `NAME@VERSION`. Raises BadInput."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        hint = "NAME or NAME@VERSION, as order or order@3; lfr flows lists them"
        raise BadInput(f"{text[:60]!r} cannot be the name of a stored flow", hint=hint)
    return match[1], int(match[2]) if match[2] else None


def find_missing_flows(connection: Connection, references: Iterable[str]) -> dict[str, LfrError]:
    """Return, for each of these names, `NAME` or `NAME@VERSION`, that no stored flow has, the error that says
    so."""
    missing: dict[str, LfrError] = {}
    for reference in references:
        try:
            require_version(connection, *parse_flow_reference(reference))
        except (BadInput, NotFound) as error:
            missing[reference] = error
    return missing


def require_version(connection: Connection, name: str, number: int | None) -> FlowVersion:
    """Return a version of a stored flow; `number` None: the latest. Raises NotFound; it has the nearest
    name."""
    version = load_version(connection, name, number)
    if version is not None:
        return version
    versions = load_stored_flows(connection, [name]).versions.get(name)
    if versions:
        numbers = ", ".join(str(each.number) for each in versions[-5:])
        raise NotFound(f"the stored flow {name} has no version {number}", hint=f"the latest are {numbers}")
    hint = (
        suggestion(name, load_stored_names(connection)) or "lfr flows lists them; lfr apply FILE stores one"
    )
    raise NotFound(f"no flow is stored under the name {name}", hint=hint)


@lru_cache(maxsize=64)
def parse_flow_data(data: bytes) -> Flow:
    """Parse the canonical JSON of a flow. Cached: programs start the same flow many times."""
    with gc_paused():
        return Flow.from_dict(json.loads(data))
