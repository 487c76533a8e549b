"""Prunes what the settings `retention.*` let go, in small slices between the passes of a lifecycle."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from lfr.config.settings import Settings
from lfr.errors import CannotWrite, Refused, Unreachable
from lfr.host.archive_folder import write_archive
from lfr.operations.prune import prune_workflow
from lfr.operations.select_workflows import RECORD_COST, Position, select_workflows
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.states import WorkflowState
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.workflows.flow_cache import FlowCache

LOGGER = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 0.05
"""How often a slice is done while something remains to be pruned."""

_SHARE: Final = 0.06
_LONGEST_SECONDS: Final = 0.05
"""After this share of the time since the slice before, or this time, a slice begins no further workflow. So a
busy lifecycle, whose passes are long, deletes as many as an idle one."""

_RESCAN_SECONDS: Final = 60.0
"""How often to look for workflows that have become old enough."""

_PAGE: Final = 50
"""How many workflows a slice finds; it reads as many records, at most."""

_MAX_REPORTED: Final = 1000
"""For how many workflows it is remembered that the log says why they stay."""


def retention_rules(settings: Settings) -> list[tuple[WorkflowState, float]]:
    """Return the states in which workflows are pruned, and after how many seconds."""
    rules = (
        (WorkflowState.FINISHED, settings.retention_finished_seconds),
        (WorkflowState.FAILED, settings.retention_failed_seconds),
        (WorkflowState.TERMINATED, settings.retention_terminated_seconds),
    )
    return [(state, seconds) for state, seconds in rules if seconds]


class Retention:
    """Looks through the workflows of each state in `rules`, the oldest first, and prunes those that ended
    long enough ago. It keeps its place in memory: who takes over begins again."""

    def __init__(self, store: Store, rules: Sequence[tuple[WorkflowState, float]]) -> None:
        folder = store.settings.retention_archive
        self._store = store
        self._rules = rules
        self._write = partial(write_archive, Path(folder)) if folder else None
        self._flows = FlowCache()
        self._due_at = 0.0
        self._began_at = 0.0
        self._remaining_rules: deque[tuple[WorkflowState, float]] = deque()
        self._after: Position | None = None
        self._filter: WorkflowFilter | None = None
        self._is_last_page = False
        self._ids: deque[str] = deque()
        self._reported: set[str] = set()

    @property
    def due_seconds(self) -> float:
        """In how many seconds the next slice is due."""
        return self._due_at - time.monotonic()

    def run(self, connection: Connection) -> None:
        """Do a slice if it is due: read a page of workflows, or prune some, one at least."""
        started = time.monotonic()
        if started < self._due_at:
            return
        self._due_at = started + _EVERY_SECONDS
        longest_seconds = min(_SHARE * (started - self._began_at), _LONGEST_SECONDS)
        self._began_at = started
        if not self._ids:
            self._read_page(connection)
            return
        while self._ids and self._filter is not None:
            self._prune(self._filter, self._ids.popleft())
            if time.monotonic() - started >= longest_seconds:
                return

    def _read_page(self, connection: Connection) -> None:
        if self._is_last_page:
            self._end_rule()
            return
        if self._filter is None:
            if not self._remaining_rules:
                self._remaining_rules.extend(self._rules)
            state, seconds = self._remaining_rules.popleft()
            ended_by_ms = read_time_ms(connection) - round(1000 * seconds)
            self._filter = WorkflowFilter((state,), ended_by_ms=ended_by_ms)
            self._after = None
        selection = select_workflows(
            connection,
            self._filter,
            self._after,
            count=_PAGE,
            newest_first=False,
            max_cost=_PAGE * RECORD_COST,
        )
        self._ids.extend(record.id for record in selection.records)
        self._after = selection.next
        self._is_last_page = selection.next is None

    def _end_rule(self) -> None:
        self._filter, self._is_last_page = None, False
        if not self._remaining_rules:
            self._due_at = time.monotonic() + _RESCAN_SECONDS

    def _prune(self, filter: WorkflowFilter, id: str) -> None:
        try:
            problem = prune_workflow(self._store, self._flows, filter, id, self._write).problem
        except (Unreachable, Refused):
            raise
        except CannotWrite as error:
            LOGGER.warning("retention deletes nothing, because %s; it tries again in a minute", error)
            self._ids.clear()
            self._remaining_rules.clear()
            self._end_rule()
            return
        except Exception:  # a defect that one workflow meets must stop neither the others nor this process
            LOGGER.exception("retention: a defect in lfr keeps %s", id)
            return
        if problem and id not in self._reported and len(self._reported) < _MAX_REPORTED:
            self._reported.add(id)
            LOGGER.warning("retention: %s stays: %s", id, problem)
