"""The life of a role's process: listen until SIGTERM or SIGINT, drain, go."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Sequence
from types import FrameType

from lfr.worker.listener import BatchListener

LOGGER = logging.getLogger(__name__)

EXIT_DEFECT = 70


def run_listeners(listeners: Sequence[BatchListener]) -> int:
    """Run each listener in a thread of its own until the process is told to stop.

    Returns the process's exit code: 0 if it was asked to stop, 70 if a listener met a defect; the
    others then stop too, so that a supervisor can start the role anew.
    """
    broken: list[BaseException] = []

    def stop(signum: int = 0, frame: FrameType | None = None) -> None:
        for listener in listeners:
            listener.stop()

    def listen(listener: BatchListener) -> None:
        try:
            listener.listen()
        except BaseException as error:
            LOGGER.exception("a defect in lfr; please report it")
            broken.append(error)
            stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    threads = [threading.Thread(target=listen, args=(listener,)) for listener in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return EXIT_DEFECT if broken else 0
