"""Workflows page by page: by state, by the flow's name, by a text in id or name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lfr.errors import BadInput
from lfr.operations.summary import summary
from lfr.states import WorkflowState
from lfr.store.connection import Store
from lfr.store.workflows import count_states, newest_after, read_records

LARGEST_PAGE = 1000

_MOST_READ = 5000
"""How many records are looked at for one page, if a name or a text chooses among them."""

_CURSOR = re.compile(r"(\d{1,16})_(workflow:.{1,300})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of workflows, newest first, and where the next begins: None behind the last.

    A page may be short, or empty, and yet have a next: where a text is looked for among very many.
    """

    workflows: list[dict[str, Any]]
    next: str | None


def list_page(
    store: Store,
    *,
    state: str | None = None,
    name: str | None = None,
    text: str | None = None,
    size: int = 50,
    after: str | None = None,
    most_read: int = _MOST_READ,
) -> Page:
    """Up to `size` workflows behind the place `after`, which an earlier page has given. New workflows do
    not shift it. No more than about `most_read` are looked at. Raises BadInput for a state or a place that
    there is not.
    """
    if state is not None and state not in tuple(WorkflowState):
        raise BadInput(f"there is no state {state[:40]}", hint="one of " + ", ".join(WorkflowState))
    if not 1 <= size <= LARGEST_PAGE:
        raise BadInput(f"size is {size}, but must be from 1 to {LARGEST_PAGE}")
    chosen = None if state is None else WorkflowState(state)
    place = None if after is None else _read_cursor(after)
    found: list[dict[str, Any]] = []
    read = 0
    with store.link() as link:
        while True:
            ids = newest_after(link, chosen, place, count=size)
            records = read_records(link, [id for _, id in ids], for_list=True)
            for (started_ms, id), record in zip(ids, records, strict=True):
                place = (started_ms, id)
                if record is not None and fits(told := summary(record), name, text):
                    found.append(told)
                    if len(found) == size:
                        break
            read += len(ids)
            if len(ids) < size:
                return Page(found, None)
            if len(found) == size or read >= most_read:
                return Page(found, None if place is None else "{}_{}".format(*place))


def list_workflows(
    store: Store, *, state: str | None = None, name: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The newest workflows, up to `limit`, as `summary` tells each; of this state, and of the flow of this
    name. Raises BadInput for a state that there is not."""
    found: list[dict[str, Any]] = []
    page = Page([], "")
    while len(found) < limit and page.next is not None:
        size = min(limit - len(found), LARGEST_PAGE)
        page = list_page(store, state=state, name=name, size=size, after=page.next or None)
        found += page.workflows
    return found


def count_workflows(store: Store) -> dict[str, int]:
    """How many workflows are in each state."""
    with store.link() as link:
        return {state.value: count for state, count in count_states(link).items()}


def fits(workflow: Mapping[str, Any], name: str | None, text: str | None) -> bool:
    """Whether the flow has this name, and id or name this text in it; None fits all."""
    if name is not None and workflow["name"] != name:
        return False
    if not text:
        return True
    wanted = text.casefold()
    return wanted in workflow["id"].casefold() or wanted in workflow["name"].casefold()


def _read_cursor(after: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise BadInput("next is not what a page has given")
    return int(found[1]), found[2]
