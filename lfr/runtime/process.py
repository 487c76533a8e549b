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
from lfr.host.systemd import ServiceManager
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import HeartbeatMonitor

LOGGER = logging.getLogger(__name__)

EXIT_DEFECT = 70
EXIT_CANNOT_WRITE = 73


@dataclass(frozen=True, slots=True)
class RoleContext:
    """What a role's process is told at its start.

    name        the role, perhaps with a number behind it: `lifecycle.2`
    supervisor  who has started it, and wants to be told how it is
    reload      takes up the configuration anew, as far as a process that runs can
    """

    name: str
    supervisor: ServiceManager
    reload: Callable[[], None]


def run_consumers(context: RoleContext, consumers: Sequence[Consumer]) -> int:
    """Run each consumer in a thread of its own until the process is told to stop.

    Returns the process's exit code: 0 if it was asked to stop, 73 if a consumer could not write its
    log, 70 if one met a defect; the others then stop too, so that a supervisor can start the role anew.
    """
    broken: list[int] = []
    signs = HeartbeatMonitor(context.name, consumers, context.supervisor)

    def stop(signum: int = 0, frame: FrameType | None = None) -> None:
        signs.stopping()
        for consumer in consumers:
            consumer.stop()

    def listen(consumer: Consumer) -> None:
        try:
            consumer.listen()
        except LfrError as error:
            LOGGER.error("%s", error)
            broken.append(EXIT_CANNOT_WRITE)
            stop()
        except BaseException:
            LOGGER.exception("a defect in lfr; please report it")
            broken.append(EXIT_DEFECT)
            stop()

    _spare_the_collector()
    _heed_signals(context, stop)
    for consumer in consumers:
        consumer.observer = signs
    threads = [threading.Thread(target=listen, args=(consumer,)) for consumer in consumers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with suppress(Unreachable, Refused), consumers[0].store.connect() as connection:
        signs.gone(connection)
    return broken[0] if broken else 0


def handle_reload_signal(context: RoleContext) -> None:
    """A supervisor says by SIGHUP that the configuration has changed."""

    def reload(signum: int, frame: FrameType | None) -> None:
        context.supervisor.notify("RELOADING=1")
        context.reload()
        context.supervisor.notify("READY=1")

    if context.supervisor.is_present:
        signal.signal(signal.SIGHUP, reload)


def _heed_signals(context: RoleContext, stop: Callable[[int, FrameType | None], None]) -> None:
    """SIGTERM and SIGINT stop. So does SIGHUP without a supervisor, for the terminal has gone; who has it
    ignored, as nohup does, keeps that."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    handle_reload_signal(context)


def _spare_the_collector() -> None:
    """A pass makes thousands of objects, none of them in a cycle. To look for cycles among them again
    and again takes half of a busy role's time, so it is done seldom, and not at all for what is there
    from the start."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
