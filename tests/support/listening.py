"""Consumers that run in threads, as they do in a process of a role."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lfr.runtime.consumer import Consumer
from tests.support.waiting import STALL_SECONDS


@contextmanager
def listening(*consumers: Consumer) -> Iterator[Sequence[threading.Thread]]:
    """Let each of these consumers listen in a thread of its own until the block ends."""
    threads = [threading.Thread(target=consumer.listen) for consumer in consumers]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for consumer in consumers:
            consumer.stop()
        for thread in threads:
            thread.join(STALL_SECONDS)
            assert not thread.is_alive()
