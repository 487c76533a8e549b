"""Sends once a second what running tasks have written. What a short task has written goes with its end."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from lfr.errors import Refused, Unreachable
from lfr.store.redis.connection import Store
from lfr.worker.attempt_log import AttemptLog

LOGGER = logging.getLogger(__name__)

_SEND_SECONDS: Final = 1.0


class LogSender:
    """Sends the lines of the attempts of this process that run, in a thread of its own, which starts with the
    first line. While Redis is unreachable the lines wait, and the bounds of each log hold."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._logs: set[AttemptLog] = set()
        self._has_logs = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, log: AttemptLog) -> None:
        """Send the lines of this log at the next occasion."""
        with self._lock:
            self._logs.add(log)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="task logs", daemon=True)
                self._thread.start()
        if not self._has_logs.is_set():
            self._has_logs.set()

    def drop(self, log: AttemptLog) -> None:
        """Send nothing more of a log: its attempt has ended."""
        with self._lock:
            self._logs.discard(log)

    def _run(self) -> None:
        while True:
            self._has_logs.wait()
            time.sleep(_SEND_SECONDS)
            self._has_logs.clear()
            with self._lock:
                logs, self._logs = self._logs, set()
            self._send(logs)

    def _send(self, logs: set[AttemptLog]) -> None:
        """Send the lines of these logs; of those that cannot be sent now, later."""
        waiting = set(logs)
        try:
            with self._store.connect() as connection:
                for log in logs:
                    number, commands = log.unsent()
                    connection.execute(commands)
                    log.confirm(number)
                    waiting.discard(log)
        except (Unreachable, Refused) as error:
            LOGGER.warning("%s; lines of %d tasks wait", error, len(waiting))
            with self._lock:
                self._logs |= waiting
            self._has_logs.set()
