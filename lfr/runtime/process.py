"""The process of a role: consume until SIGTERM or SIGINT, finish what has begun, exit."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from lfr.errors import Conflict, LfrError, Refused, Unreachable, WrongServer
from lfr.host.systemd import ServiceManager
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import HeartbeatMonitor

LOGGER = logging.getLogger(__name__)

EXIT_CONFLICT = 69
EXIT_DEFECT = 70
EXIT_SYSTEM = 71
EXIT_CANNOT_WRITE = 73
EXIT_BAD_SETTINGS = 78
"""As in lfr/cli/exit_codes.py, which stands above this room."""


@dataclass(frozen=True, slots=True)
class RoleContext:
    """What a role's process gets at its start.

    name        the role, with a number if several run on this host: `lifecycle.2`
    supervisor  the service manager that has started it; its `is_present` is False if there is none
    reload      reads the configuration again, as far as a running process can apply it
    """

    name: str
    supervisor: ServiceManager
    reload: Callable[[], None]


def run_consumers(context: RoleContext, consumers: Sequence[Consumer]) -> int:
    """Run each consumer in its own thread until the process is asked to stop.

    Returns the exit code: 0 after a stop; 73 if a consumer could not write its log, 69 if another group has
    claimed one of its tasks, 78 if lfr cannot use the server that it has met first, 70 if it met a defect, 71
    if the system allows no more threads: then the others stop too, so that the supervisor can start the role
    again. Sends heartbeats, and removes the process from Redis at the end.
    """
    exit_codes: list[int] = []
    messages: set[str] = set()  # what has been logged: all consumers may meet the same server
    monitor = HeartbeatMonitor(context.name, consumers, context.supervisor)

    def stop(signum: int = 0, frame: FrameType | None = None) -> None:
        monitor.stopping()
        for consumer in consumers:
            consumer.stop()

    def listen(consumer: Consumer) -> None:
        try:
            consumer.listen()
        except LfrError as error:
            if str(error) not in messages:
                messages.add(str(error))
                LOGGER.error("%s", error)
            exit_codes.append(_exit_code(error))
            stop()
        except BaseException:
            LOGGER.exception("a defect in lfr; please report it")
            exit_codes.append(EXIT_DEFECT)
            stop()

    _tune_garbage_collector()
    _handle_signals(context, stop)
    for consumer in consumers:
        consumer.observer = monitor
    threads = [threading.Thread(target=listen, args=(consumer,)) for consumer in consumers]
    started: list[threading.Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except RuntimeError as error:  # too many threads
        LOGGER.error("%s", error)
        exit_codes.append(EXIT_SYSTEM)
        stop()
    for thread in started:
        thread.join()
    with suppress(Unreachable, Refused), consumers[0].store.connect() as connection:
        monitor.remove(connection)
    return exit_codes[0] if exit_codes else 0


def _exit_code(error: LfrError) -> int:
    if isinstance(error, WrongServer):
        return EXIT_BAD_SETTINGS
    return EXIT_CONFLICT if isinstance(error, Conflict) else EXIT_CANNOT_WRITE


def handle_reload_signal(context: RoleContext) -> None:
    """Reload on SIGHUP, which a supervisor sends when the configuration has changed; if there is none, leave
    SIGHUP as it is."""

    def reload(signum: int, frame: FrameType | None) -> None:
        context.supervisor.notify("RELOADING=1")
        context.reload()
        context.supervisor.notify("READY=1")

    if context.supervisor.is_present:
        signal.signal(signal.SIGHUP, reload)


def _handle_signals(context: RoleContext, stop: Callable[[int, FrameType | None], None]) -> None:
    """Stop on SIGTERM and SIGINT. Without a supervisor, stop on SIGHUP too, since the terminal is gone,
    unless it is ignored, as nohup does."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    handle_reload_signal(context)


def _tune_garbage_collector() -> None:
    """Collect garbage seldom, and never the objects that exist at the start.

    A pass makes thousands of objects and no reference cycle, so frequent collections would take half of a
    busy role's time and find nothing.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
