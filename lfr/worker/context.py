"""What a running task can ask and tell."""

from __future__ import annotations

import logging
import time
from typing import Final

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.store.redis.connection import Store
from lfr.store.workflows.attempt_status import is_current, save_task_progress

LOGGER = logging.getLogger(__name__)

_ASK_EVERY_SECONDS: Final = 1.0
_TELL_EVERY_SECONDS: Final = 0.25


class Context:
    """The attempt that a function works on.

    workflow, name, index, attempt  which it is
    """

    def __init__(self, store: Store, task: events.StartTask) -> None:
        self.workflow = task.workflow
        self.name = task.name
        self.index = task.index
        self.attempt = task.attempt
        self._store = store
        self._task = task
        self._asked = 0.0
        self._told = 0.0
        self._counts = True

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the end of this any more: its workflow was terminated, it has taken too
        long, or another attempt was started. Ask now and then, and return early. Redis is asked once a
        second at most; if it cannot be, the answer is what it was.
        """
        if self._counts and time.monotonic() - self._asked >= _ASK_EVERY_SECONDS:
            self._asked = time.monotonic()
            try:
                with self._store.connect() as connection:
                    self._counts = is_current(connection, self._task)
            except (Unreachable, Refused) as error:
                LOGGER.warning("%s", error)
        return not self._counts

    def progress(self, fraction: float, text: str = "") -> None:
        """Say how far this is, from 0 to 1, with a word on it: `lfr inspect` shows it. Say it as often as you
        like: it is sent four times a second at most, and not at all while Redis is away."""
        now = time.monotonic()
        if now - self._told < _TELL_EVERY_SECONDS:
            return
        self._told = now
        try:
            with self._store.connect() as connection:
                within = max(0.0, min(1.0, float(fraction)))  # in this order: of NaN it makes 1
                save_task_progress(connection, self._task, int(time.time() * 1000), within, str(text)[:200])
        except (Unreachable, Refused) as error:
            LOGGER.warning("%s", error)
