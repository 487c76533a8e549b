"""The life of a role's process: listen until SIGTERM or SIGINT, drain, go."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from lfr.errors import LfrError, Refused, Unreachable
from lfr.host.notify import ServiceManager
from lfr.runtime.consumer import BatchListener
from lfr.runtime.heartbeat import VitalSigns

LOGGER = logging.getLogger(__name__)

EXIT_DEFECT = 70
EXIT_CANNOT_WRITE = 73


@dataclass(frozen=True, slots=True)
class Life:
    """What a role's process is told at its start.

    name        the role, perhaps with a number behind it: `lifecycle.2`
    supervisor  who has started it, and wants to be told how it is
    reload      takes up the configuration anew, as far as a process that runs can
    """

    name: str
    supervisor: ServiceManager
    reload: Callable[[], None]


def run_listeners(life: Life, listeners: Sequence[BatchListener]) -> int:
    """Run each listener in a thread of its own until the process is told to stop.

    Returns the process's exit code: 0 if it was asked to stop, 73 if a listener could not write its
    log, 70 if one met a defect; the others then stop too, so that a supervisor can start the role anew.
    """
    broken: list[int] = []
    signs = VitalSigns(life.name, listeners, life.supervisor)

    def stop(signum: int = 0, frame: FrameType | None = None) -> None:
        signs.stopping()
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
    _heed_signals(life, stop)
    for listener in listeners:
        listener.watcher = signs
    threads = [threading.Thread(target=listen, args=(listener,)) for listener in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with suppress(Unreachable, Refused), listeners[0].store.link() as link:
        signs.gone(link)
    return broken[0] if broken else 0


def heed_reload(life: Life) -> None:
    """A supervisor says by SIGHUP that the configuration has changed."""

    def reload(signum: int, frame: FrameType | None) -> None:
        life.supervisor.tell("RELOADING=1")
        life.reload()
        life.supervisor.tell("READY=1")

    if life.supervisor.is_present:
        signal.signal(signal.SIGHUP, reload)


def _heed_signals(life: Life, stop: Callable[[int, FrameType | None], None]) -> None:
    """SIGTERM and SIGINT stop. So does SIGHUP without a supervisor, for the terminal has gone; who has it
    ignored, as nohup does, keeps that."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    heed_reload(life)


def _spare_the_collector() -> None:
    """A pass makes thousands of objects, none of them in a cycle. To look for cycles among them again
    and again takes half of a busy role's time, so it is done seldom, and not at all for what is there
    from the start."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
