"""What a running task function can ask lfr, and report to it."""

from __future__ import annotations

import logging
import time
from typing import Final

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.store.redis.connection import Store
from lfr.store.workflows.attempt_status import is_current, save_task_progress

LOGGER = logging.getLogger(__name__)

_CHECK_INTERVAL_SECONDS: Final = 1.0
_PROGRESS_INTERVAL_SECONDS: Final = 0.25


class Context:
    """The attempt that a function works on.

    workflow, name, index, attempt  identify it
    """

    def __init__(self, store: Store, task: events.StartTask) -> None:
        self.workflow = task.workflow
        self.name = task.name
        self.index = task.index
        self.attempt = task.attempt
        self._store = store
        self._task = task
        self._checked_at = 0.0
        self._progress_sent_at = 0.0
        self._is_current = True

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the end of this attempt any more: its workflow was terminated, it has
        taken too long, or another attempt was started. Check it now and then, and return early. It asks Redis
        once a second at most; while Redis is unreachable, it returns the latest answer.
        """
        if self._is_current and time.monotonic() - self._checked_at >= _CHECK_INTERVAL_SECONDS:
            self._checked_at = time.monotonic()
            try:
                with self._store.connect() as connection:
                    self._is_current = is_current(connection, self._task)
            except (Unreachable, Refused) as error:
                LOGGER.warning("%s", error)
        return not self._is_current

    def progress(self, fraction: float, text: str = "") -> None:
        """Report how far this attempt is, from 0 to 1, with a short text: `lfr inspect` shows it. Report as
        often as you like: it is sent four times a second at most, and never while Redis is unreachable."""
        now = time.monotonic()
        if now - self._progress_sent_at < _PROGRESS_INTERVAL_SECONDS:
            return
        self._progress_sent_at = now
        try:
            with self._store.connect() as connection:
                within = max(0.0, min(1.0, float(fraction)))  # in this order: it turns NaN into 1
                save_task_progress(connection, self._task, int(time.time() * 1000), within, str(text)[:200])
        except (Unreachable, Refused) as error:
            LOGGER.warning("%s", error)
