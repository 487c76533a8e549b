"""Archives workflows in a thread of its own, before retention deletes them.

A folder waits for its disk, and S3 for its network: in the loop of a lifecycle either would hold up all
workflows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from lfr.errors import CannotWrite, Conflict, NotFound, Refused, Unreachable
from lfr.operations.intervene import Condition
from lfr.operations.prune import WriteArchive, archive_before
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.store.redis.connection import Store

LOGGER = logging.getLogger(__name__)

_SHARE: Final = 0.1
"""The share of its time in which the thread computes: the rest is for the workflows that run."""


class Archived(NamedTuple):
    """A workflow whose archive is written. It may be deleted if it fulfils the condition; None: it may not be
    deleted, because of the problem (empty: it has changed)."""

    id: str
    condition: Condition | None
    problem: str = ""


class PageArchiver:
    """Archives the workflows of a page, one after the other, as long as they fulfil the filter."""

    def __init__(
        self, store: Store, filter: WorkflowFilter, ids: Sequence[str], write_archive: WriteArchive
    ) -> None:
        self._store = store
        self._filter = filter
        self._ids = tuple(ids)
        self._write = write_archive
        self._results: SimpleQueue[Archived | CannotWrite | Unreachable | Refused] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="lfr-archiver", daemon=True)
        self._thread.start()

    def collect(self) -> tuple[list[Archived], bool]:
        """Return what has been archived since the last call, and whether that was all. Raises CannotWrite,
        Unreachable and Refused, with which it ends."""
        is_over = not self._thread.is_alive()
        archived: list[Archived] = []
        while True:
            try:
                result = self._results.get_nowait()
            except Empty:
                return archived, is_over
            if not isinstance(result, Archived):
                raise result
            archived.append(result)

    def _run(self) -> None:
        for id in self._ids:
            began = time.thread_time()
            try:
                self._results.put(self._archive(id))
            except (CannotWrite, Unreachable, Refused) as error:
                self._results.put(error)
                return
            time.sleep((time.thread_time() - began) * (1 / _SHARE - 1))

    def _archive(self, id: str) -> Archived:
        try:
            return Archived(id, archive_before(self._store, self._filter, id, self._write))
        except (CannotWrite, Unreachable, Refused):
            raise
        except (NotFound, Conflict) as error:  # half lost, or a key of another type: a person must look at it
            return Archived(id, None, str(error))
        except Exception:  # a defect that one workflow meets must not stop the others
            LOGGER.exception("retention: a defect in lfr keeps %s", id)
            return Archived(id, None)
