"""Workflows page by page: by state, by the flow's name, by a text in id or name."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from lfr.errors import BadInput
from lfr.operations.inspect.summary import summarize
from lfr.states import WorkflowState
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import read_last_id
from lfr.store.workflows.queries import count_all, count_states, load_names, load_page, load_records

LARGEST_PAGE = 1000

_MOST_READ = 5000
"""How many workflows are looked at for one page, if a name or a text chooses among them."""

NEWEST_FOLLOWED: Final = 100
"""How many of the newest workflows `follow_workflow_list` watches."""

_MOST_READ_TO_FOLLOW: Final = 1000
"""As `_MOST_READ`, each time that `follow_workflow_list` reads the list."""

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
    chunk = size
    with store.connect() as connection:
        while True:
            ids = load_page(connection, chosen, place, count=chunk)
            fitting = _fitting(connection, ids, name, text)
            taken = fitting[: size - len(found)]
            records = load_records(connection, [id for _, id in taken], for_list=True)
            found += [summarize(record) for record in records if record is not None]
            read += len(ids)
            if len(taken) == len(fitting) and len(ids) < chunk:
                return Page(found, None)
            place = ids[-1] if len(taken) == len(fitting) else taken[-1]
            if len(found) == size or read >= most_read:
                return Page(found, "{}_{}".format(*place))
            chunk = min(2 * chunk, LARGEST_PAGE)  # they are rare


def _fitting(
    connection: Connection, ids: list[tuple[int, str]], name: str | None, text: str | None
) -> list[tuple[int, str]]:
    """Those of these workflows, by start and id, that `fits` chooses. Reads only what it needs for that."""
    if name is None and not text:
        return ids
    asked = [id for _, id in ids if name is not None or not _is_in(text, id)]
    names = dict(zip(asked, load_names(connection, asked), strict=True))
    return [each for each in ids if fits(each[1], names.get(each[1], ""), name, text)]


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
    with store.connect() as connection:
        return {state.value: count for state, count in count_states(connection).items()}


def fits(id: str, flow_name: str, name: str | None, text: str | None) -> bool:
    """Whether the flow has this name, and id or name this text in it; None fits all."""
    if name is not None and flow_name != name:
        return False
    return not text or _is_in(text, id) or _is_in(text, flow_name)


def _is_in(text: str | None, words: str) -> bool:
    return text is not None and text.casefold() in words.casefold()


def _read_cursor(after: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise BadInput("next is not what a page has given")
    return int(found[1]), found[2]


def follow_workflow_list(
    store: Store,
    *,
    state: str | None = None,
    name: str | None = None,
    text: str | None = None,
    tick_seconds: float = 1.0,
) -> Generator[dict[str, Any] | None, None, None]:
    """Tell of the newest 100 workflows among those that are chosen (as `list_page` chooses) at once, and
    then at each change, without an end; None every `tick_seconds` where nothing has changed.

    Each time: counts, of all workflows by state; changed, as `summary` tells them, newest first: those that
    are new or have changed; gone: ids of those that were told and are deleted, or not among the chosen any
    more. While nothing happens on the stream, nothing is read. Raises BadInput for a state there is not.
    """
    known: dict[str, Any] = {}
    counts: dict[str, int] = {}
    seen: tuple[str, int] | None = None
    while True:
        now = _version(store)
        if now != seen:
            seen = now
            page = list_page(
                store, state=state, name=name, text=text, size=NEWEST_FOLLOWED, most_read=_MOST_READ_TO_FOLLOW
            )
            newest = {workflow["id"]: workflow for workflow in page.workflows}
            changed = [each for each in page.workflows if known.get(each["id"]) != each]
            gone = _gone(store, [id for id in known if id not in newest], state, name, text)
            now_counts = count_workflows(store)
            news = {"counts": now_counts, "changed": changed, "gone": gone}
            is_news = bool(changed or gone or now_counts != counts)
            known, counts = newest, now_counts
            yield news if is_news else None
        else:
            yield None
        time.sleep(tick_seconds)


def _version(store: Store) -> tuple[str, int]:
    """What changes with each transition (it appends events), each deletion and each restored archive."""
    with store.connect() as connection:
        return read_last_id(connection, store.stream), count_all(connection)


def _gone(store: Store, ids: list[str], state: str | None, name: str | None, text: str | None) -> list[str]:
    """Those that are deleted or do not fit any more; others have only been pushed off by newer ones."""
    if not ids:
        return []
    with store.connect() as connection:
        records = load_records(connection, ids, for_list=True)
    chosen = None if state is None else WorkflowState(state)
    return [
        id
        for id, record in zip(ids, records, strict=True)
        if record is None
        or (chosen is not None and record.state is not chosen)
        or not fits(record.id, record.name, name, text)
    ]
