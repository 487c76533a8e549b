"""Lists who waits: for events, latches, times, the next attempt, the end of a pause; and deadlines.

Each group of those who wait for the same has an index in Redis, so a page reads what it shows. Only with a
filter are workflows looked at that it leaves out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lfr.errors import BadInput
from lfr.operations.events import send_event
from lfr.operations.waits.page import ALL, PageReader
from lfr.operations.waits.wait_groups import WaitGroup, WaitKind, describe_group, read_groups
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.store.redis.connection import Store
from lfr.store.waits.listing import Position
from lfr.values.checks import is_unicode
from lfr.values.json import Json, decode_json, encode_json

MAX_PAGE_SIZE: Final = 500

_SCORE: Final = re.compile(r"\d{1,16}(?:\.\d{1,16})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class WaitPage:
    """A page of waits. `groups` are all groups, whatever the page is about. `next`: the cursor of the next
    page; None after the last. A page may have fewer waits than requested, or none, and still have a next one:
    it ends after it has `examined` many of which a filter left out most."""

    waits: list[dict[str, Any]]
    next: str | None
    groups: list[dict[str, Any]] = field(default_factory=list)
    examined: int = 0


def list_waits(
    store: Store,
    *,
    kind: str | None = None,
    name: str | None = None,
    filter: WorkflowFilter = ALL,
    size: int = 50,
    after: str | None = None,
) -> WaitPage:
    """Return the page of up to `size` waits behind the cursor `after` (None: the first page).

    kind    only waits of this kind; None: all but deadlines, which limit tasks that run
    name    only those for the event or the latch of this name
    filter  only those of workflows that it selects; of an item, or of the child of a call, the outermost

    They come group by group: events and latches by name, delays, retries, pauses, deadlines. In a group those
    come first that wait longest, or that the clock ends first. Keys of a wait:

    workflow, index  the step that waits; index None: the workflow as a whole has the deadline
    flow             the name of the outermost workflow's flow
    step, task       the name of the step in the flow, and its task
    kind             what ends it, see `WaitKind`
    event, match     of an event its kind, and the fields that it must have (else None)
    latch            the name of the latch (else None)
    since            when it began; None: not known
    until            when the clock ends it at the latest; None: never
    fails            whether the step then fails

    Keys of a group: kind, name, count, since (when its oldest wait began), until (when the clock ends its
    next one); one of both is None.

    Raises BadInput for a size, a kind, or a cursor that cannot be.
    """
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise BadInput(f"size is {size}, but must be from 1 to {MAX_PAGE_SIZE}")
    if kind is not None and kind not in tuple(WaitKind):
        raise BadInput(f"there is no kind of waits {kind[:40]}", hint="one of " + ", ".join(WaitKind))
    cursor = None if after is None else _parse_cursor(after)
    with store.connect() as connection:
        groups = read_groups(connection)
        selected = [each for each in groups if _is_selected(each, kind, name)]
        waits, next, examined = PageReader(connection, filter, size).read(selected, cursor)
    return WaitPage(waits, next, [describe_group(group) for group in groups], examined)


def collect_waits(
    store: Store,
    *,
    limit: int,
    kind: str | None = None,
    name: str | None = None,
    filter: WorkflowFilter = ALL,
) -> WaitPage:
    """Return up to `limit` waits of as many pages as it takes, see `list_waits`."""
    waits: list[dict[str, Any]] = []
    after: str | None = None
    examined = 0
    while True:
        size = min(limit - len(waits), MAX_PAGE_SIZE)
        page = list_waits(store, kind=kind, name=name, filter=filter, size=size, after=after)
        waits, after, examined = waits + page.waits, page.next, examined + page.examined
        if after is None or len(waits) >= limit:
            return WaitPage(waits, after, page.groups, examined)


def send_event_to_waits(
    store: Store, kind: str, data: Mapping[str, Json], filter: WorkflowFilter = ALL
) -> list[str]:
    """Send an event of this kind for each different match of the waits for it, of those workflows that the
    filter selects: with the fields of the match, and with `data` besides. Return the ids of the events.

    An event completes all waits that it matches, also those that the filter leaves out. Raises BadInput as
    `send_event`, and if `data` has another value for a field of a match: then none is sent.
    """
    page = collect_waits(store, kind=WaitKind.EVENT, name=kind, filter=filter, limit=sys.maxsize)
    matches = {encode_json(wait["match"]): wait["match"] for wait in page.waits}
    for match in matches.values():
        if other := [name for name in match.keys() & data.keys() if match[name] != data[name]]:
            raise BadInput(
                f"the field {min(other)} is given by the waits: {encode_json(match)[:200]}",
                hint="leave it out, or send one event without --each",
            )
    return [send_event(store, kind, {**match, **data}) for match in matches.values()]


def _is_selected(group: WaitGroup, kind: str | None, name: str | None) -> bool:
    if name not in (None, group.name):
        return False
    return group.kind is not WaitKind.DEADLINE if kind is None else group.kind == kind


def _parse_cursor(text: str) -> tuple[WaitGroup, Position]:
    """Return the group and the position that a cursor names. Raises BadInput."""
    try:
        parts = decode_json(text.encode())
        if isinstance(parts, list) and all(isinstance(part, str) and is_unicode(part) for part in parts):
            kind, name, score, member = parts
            if _SCORE.fullmatch(score):
                return WaitGroup(WaitKind(kind), name, ""), Position(score, member)
    except ValueError:  # no JSON, not four parts, no kind
        pass
    raise BadInput("next is not the cursor of a page")
