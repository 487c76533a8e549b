"""What a running task function can ask lfr, and report to it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.store.redis.connection import Store
from lfr.store.workflows.attempt_status import drop_progress_command, is_current, save_task_progress

LOGGER = logging.getLogger(__name__)

_CHECK_INTERVAL_SECONDS: Final = 1.0
_PROGRESS_INTERVAL_SECONDS: Final = 0.25


def run_at_once(call: Callable[[], None]) -> None:
    """Run a call in the thread of the caller."""
    call()


class Fatal(Exception):
    """A task raises this when another attempt would fail as well: it fails without a retry, whatever the
    options of its step say. The text is the reason."""


class Context:
    """The attempt that a function works on.

    workflow, name, index, attempt  identify it; another process that takes it over has the same
    tries                           its number since the step last ended, from 1: in a loop, of this turn
    delivery                        how often it was handed out: 1, or 2 if the first process has died with it
    traceparent                     under which its own spans belong to the trace of the workflow (W3C Trace
                                    Context); empty: the workflow is not traced

    `run` runs what waits for Redis: at once, or in another thread for an async function, which must not hold
    up its event loop.
    """

    def __init__(
        self,
        store: Store,
        task: events.StartTask,
        run: Callable[[Callable[[], None]], None] = run_at_once,
    ) -> None:
        self.workflow = task.workflow
        self.name = task.name
        self.index = task.index
        self.attempt = task.attempt
        self.tries = task.tries
        self.delivery = task.delivery
        self.traceparent = task.traceparent
        self._store = store
        self._task = task
        self._run = run
        self._checked_at = 0.0  # infinite while a check runs, so that no other one begins
        self._progress_sent_at = 0.0  # likewise
        self._is_current = True
        self._has_reported = False
        self._has_ended = False

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the end of this attempt any more: its workflow was terminated, it has
        taken too long, or another attempt was started. Check it now and then, and return early. It asks Redis
        once a second at most; while Redis is unreachable, it returns the latest answer. In an async function
        it always returns the latest answer, and asks meanwhile.
        """
        if self._is_current and time.monotonic() - self._checked_at >= _CHECK_INTERVAL_SECONDS:
            self._checked_at = math.inf
            self._run(self._check)
        return not self._is_current

    def progress(self, fraction: float, text: str = "") -> None:
        """Report how far this attempt is, from 0 to 1, with a short text: `lfr inspect` shows it. Report as
        often as you like: it is sent four times a second at most, and never while Redis is unreachable."""
        if time.monotonic() - self._progress_sent_at < _PROGRESS_INTERVAL_SECONDS:
            return
        within = max(0.0, min(1.0, float(fraction)))  # in this order: it turns NaN into 1
        send = partial(self._send_progress, int(time.time() * 1000), within, str(text)[:200])
        self._progress_sent_at = math.inf
        self._has_reported = True
        self._run(send)

    def end(self) -> bool:
        """Note that the function has ended. Return whether there may be a progress report to delete."""
        self._has_ended = True
        return self._has_reported

    def _check(self) -> None:
        try:
            with self._store.connect() as connection:
                self._is_current = is_current(connection, self._task)
        except (Unreachable, Refused) as error:
            LOGGER.warning("%s", error)
        finally:
            self._checked_at = time.monotonic()

    def _send_progress(self, at_ms: int, fraction: float, text: str) -> None:
        if self._has_ended:
            return
        try:
            with self._store.connect() as connection:
                save_task_progress(connection, self._task, at_ms, fraction, text)
                if self._has_ended:  # meanwhile: the report may have come after its deletion
                    connection.execute([drop_progress_command(self._task)])
        except (Unreachable, Refused) as error:
            LOGGER.warning("%s", error)
        finally:
            self._progress_sent_at = time.monotonic()
