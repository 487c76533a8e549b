"""A process that decides schedules as a lifecycle does, but at the time that stands in Redis under NOW.

python -m tests.support.schedule_decider URL
"""

from __future__ import annotations

import logging
import random
import time

from lfr.config.settings import Settings
from lfr.errors import Unreachable
from lfr.operations.decide_schedule import decide_schedule
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.schedules import read_due_schedules

NOW = "test:now"
"""STRING: what time it is, in milliseconds since the epoch."""


def read_now(connection: Connection) -> int:
    """Return the time that stands in Redis; 0 without one."""
    return int(connection.call("GET", NOW) or 0)


def decide(store: Store) -> None:
    """Decide what is due, again and again, until Redis is gone."""
    with store.connect() as connection:
        while True:
            names = read_due_schedules(connection, read_now(connection), 50)
            random.shuffle(names)
            for name in names:
                decide_schedule(store, connection, name, read_now)
            if not names:
                time.sleep(0.02)


def decide_until_killed(url: str) -> None:
    """Decide what is due, whether Redis is there or not."""
    logging.disable()
    store = open_store(Settings(redis_url=url))
    while True:
        try:
            decide(store)
        except Unreachable:
            time.sleep(0.05)
