"""The newest workflows followed: which of them change, and how many are in each state."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final

from lfr.operations.list_workflows import count_workflows, fits, list_page
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from lfr.store.stream.entries import latest_id
from lfr.store.workflows.record import count_all, read_records

SHOWN: Final = 100
"""How many of the newest are looked at."""

_MOST_READ: Final = 1000
"""How many are looked at for these, if a name or a text chooses among them."""


def follow_list(
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
            page = list_page(store, state=state, name=name, text=text, size=SHOWN, most_read=_MOST_READ)
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
    with store.link() as link:
        return latest_id(link, store.stream), count_all(link)


def _gone(store: Store, ids: list[str], state: str | None, name: str | None, text: str | None) -> list[str]:
    """Those that are deleted or do not fit any more; others have only been pushed off by newer ones."""
    if not ids:
        return []
    with store.link() as link:
        records = read_records(link, ids, for_list=True)
    chosen = None if state is None else WorkflowState(state)
    return [
        id
        for id, record in zip(ids, records, strict=True)
        if record is None
        or (chosen is not None and record.state is not chosen)
        or not fits(record.id, record.name, name, text)
    ]
