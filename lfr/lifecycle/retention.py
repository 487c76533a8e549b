"""Prunes what the settings `retention.*` let go, in small slices between the passes of a lifecycle."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from lfr.config.settings import Settings
from lfr.errors import BadInput, BadSettings, CannotWrite, Refused, Unreachable
from lfr.lifecycle.archiver import PageArchiver
from lfr.operations.delete_ended import MAX_TOGETHER, delete_ended_workflows
from lfr.operations.intervene import Condition
from lfr.operations.prune import WriteArchive, delete_pruned
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

_PAGE: Final = 100
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
        self._store = store
        self._rules = rules
        self._write = _archive_writer(store.settings)
        self._flows = FlowCache()
        self._due_at = 0.0
        self._began_at = 0.0
        self._remaining_rules: deque[tuple[WorkflowState, float]] = deque()
        self._after: Position | None = None
        self._filter: WorkflowFilter | None = None
        self._is_last_page = False
        self._archiver: PageArchiver | None = None
        self._doomed: deque[tuple[str, Condition]] = deque()
        self._single: deque[tuple[str, Condition]] = deque()
        self._reported: set[str] = set()

    @property
    def due_seconds(self) -> float:
        """In how many seconds the next slice is due."""
        return self._due_at - time.monotonic()

    def run(self, connection: Connection) -> None:
        """Do a slice if it is due: read a page of workflows, or prune some, a transaction at least."""
        started = time.monotonic()
        if started < self._due_at:
            return
        self._due_at = started + _EVERY_SECONDS
        longest_seconds = min(_SHARE * (started - self._began_at), _LONGEST_SECONDS)
        self._began_at = started
        if self._archiver is not None:
            self._collect(self._archiver)
        elif not self._doomed and not self._single:
            self._read_page(connection)
            return
        while self._doomed or self._single:
            if self._single:
                self._delete_single(*self._single.popleft())
            else:
                self._delete_together(connection)
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
        ids = [record.id for record in selection.records]
        if self._write is None:
            self._doomed.extend((id, self._filter.matches) for id in ids)
        elif ids:
            self._archiver = PageArchiver(self._store, self._filter, ids, self._write)
        self._after = selection.next
        self._is_last_page = selection.next is None

    def _end_rule(self) -> None:
        self._filter, self._is_last_page = None, False
        if not self._remaining_rules:
            self._due_at = time.monotonic() + _RESCAN_SECONDS

    def _collect(self, archiver: PageArchiver) -> None:
        """Take over what was archived, to be deleted."""
        try:
            page, is_over = archiver.collect()
        except CannotWrite as error:
            LOGGER.warning("retention deletes nothing, because %s; it tries again in a minute", error)
            self._archiver = None
            self._remaining_rules.clear()
            self._end_rule()
            return
        except (Unreachable, Refused):
            self._archiver = None
            raise
        if is_over:
            self._archiver = None
        for id, condition, problem in page:
            if condition is not None:
                self._doomed.append((id, condition))
            elif problem:
                self._report(id, problem)

    def _delete_together(self, connection: Connection) -> None:
        conditions = dict(self._doomed.popleft() for _ in range(min(MAX_TOGETHER, len(self._doomed))))
        try:
            remaining = delete_ended_workflows(self._store, connection, self._flows, conditions).remaining
        except (Unreachable, Refused):
            raise
        except Exception:  # a defect that one of them meets: that one is named when they are deleted singly
            if connection.is_watching:
                connection.unwatch()
            remaining = list(conditions)
        self._single.extend((id, conditions[id]) for id in remaining)

    def _delete_single(self, id: str, condition: Condition) -> None:
        try:
            problem = delete_pruned(self._store, self._flows, id, condition).problem
        except (Unreachable, Refused):
            raise
        except Exception:  # a defect that one workflow meets must stop neither the others nor this process
            LOGGER.exception("retention: a defect in lfr keeps %s", id)
            return
        if problem:
            self._report(id, problem)

    def _report(self, id: str, problem: str) -> None:
        if id not in self._reported and len(self._reported) < _MAX_REPORTED:
            self._reported.add(id)
            LOGGER.warning("retention: %s stays: %s", id, problem)


def _archive_writer(settings: Settings) -> WriteArchive | None:
    """Return what writes archives before workflows are deleted; None: nothing does. Raises BadSettings."""
    folder = settings.retention_archive
    if not folder:
        return None
    from lfr.outbound.archive_objects import archive_writer, is_in_buckets  # imports urllib3

    try:
        if not is_in_buckets(folder, settings.archive_buckets):
            raise BadSettings(
                f"{folder} is in no bucket of archive.buckets, which lists those that may be used",
                place="retention.archive",
            )
        return archive_writer(settings, folder)
    except BadInput as error:
        raise BadSettings(str(error), place="retention.archive") from None
