"""Redis asked as often as it takes, by those who work on a task: that it is away for a while is not the
task's fault."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.attempt_status import is_current

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")

_LONGEST_BACKOFF_SECONDS: Final = 5.0


def retry_on_disconnect(store: Store, do: Callable[[Connection], T], what: str) -> T:
    """Do something with Redis until it is done. `what` is it that waits meanwhile, for the log."""
    backoff = 0.1
    while True:
        try:
            with store.connect() as connection:
                return do(connection)
        except (Unreachable, Refused) as error:
            LOGGER.error("%s; %s waits", error, what)
            time.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)


def is_current_with_retry(store: Store, task: events.StartTask) -> bool:
    """Whether anybody waits for the end of this attempt: see `is_current`."""
    return retry_on_disconnect(
        store, lambda connection: is_current(connection, task), f"{task.base} of {task.workflow}"
    )
