"""The life of a role's process: listen until SIGTERM or SIGINT, drain, go."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Sequence
from types import FrameType

from lfr.errors import LfrError
from lfr.worker.listener import BatchListener

LOGGER = logging.getLogger(__name__)

EXIT_DEFECT = 70
EXIT_CANNOT_WRITE = 73


def run_listeners(listeners: Sequence[BatchListener]) -> int:
    """Run each listener in a thread of its own until the process is told to stop.

    Returns the process's exit code: 0 if it was asked to stop, 73 if a listener could not write its
    log, 70 if one met a defect; the others then stop too, so that a supervisor can start the role anew.
    """
    broken: list[int] = []

    def stop(signum: int = 0, frame: FrameType | None = None) -> None:
        for listener in listeners:
            listener.stop()

    def listen(listener: BatchListener) -> None:
        try:
            listener.listen()
        except LfrError as error:
            LOGGER.error("%s", error)
            broken.append(EXIT_CANNOT_WRITE)
            stop()
        except BaseException:
            LOGGER.exception("a defect in lfr; please report it")
            broken.append(EXIT_DEFECT)
            stop()

    _spare_the_collector()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    threads = [threading.Thread(target=listen, args=(listener,)) for listener in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return broken[0] if broken else 0


def _spare_the_collector() -> None:
    """A pass makes thousands of objects, none of them in a cycle. To look for cycles among them again
    and again takes half of a busy role's time, so it is done seldom, and not at all for what is there
    from the start."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
