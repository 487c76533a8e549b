"""`lfr tasks FILE.py`: run the functions of a file as a task worker, in threads and processes."""

from __future__ import annotations

import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.commands.roles import begin_life
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.options import add_connection, count, open_store, seconds
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput

if TYPE_CHECKING:
    from lfr.host.role_processes import RoleProcess

_LOOK_EVERY_SECONDS: Final = 0.2


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.py", help="functions with @task; see docs/workers.md")
    parser.add_argument(
        "--concurrency", metavar="N", type=count, help="tasks at once in a process (default: 8)"
    )
    parser.add_argument(
        "--processes", metavar="N", type=count, help="so many processes, each for one task at once"
    )
    parser.add_argument(
        "--grace", metavar="SECONDS", type=seconds, default=10.0, help="how long a stop waits (default: 10)"
    )
    parser.add_argument("--group", metavar="NAME", help="the consumer group (default: tasks-FILE)")
    add_connection(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    from lfr.worker.registry import load_tasks

    tasks = load_tasks(arguments.file)
    if arguments.processes:
        return _run_processes(arguments)
    store = open_store(arguments)
    life = begin_life(store, arguments, terminal)
    from lfr.runtime.process import run_listeners
    from lfr.worker.python_tasks import make_runner

    group = arguments.group or f"tasks-{Path(arguments.file).stem}"
    if group in _TAKEN:
        raise BadInput(f"{group} is the group of a role of lfr's own", hint="choose another --group")
    runner = make_runner(
        store, group, tasks, concurrency=arguments.concurrency or 8, grace_seconds=arguments.grace
    )
    return run_listeners(life, [runner])


_TAKEN: Final = frozenset({"lifecycle", "wait", "starting", "request", "redis", "resource", "__receipt__"})


def _run_processes(arguments: Namespace) -> int:
    """A process of this file for each, alike but for their number; one that dies is started again."""
    from lfr.host.notify import ServiceManager
    from lfr.host.role_processes import RoleProcesses

    over = threading.Event()
    supervisor = ServiceManager.from_environment()

    def stop(number: int, frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    line = _line(sys.argv[1:], arguments)
    with RoleProcesses({}) as children:
        for _ in range(arguments.processes):
            children.start(line)
        if supervisor.is_present:
            signal.signal(signal.SIGHUP, lambda number, frame: children.tell(number))
        supervisor.tell("READY=1", f"STATUS={arguments.processes} processes")
        while not over.wait(_LOOK_EVERY_SECONDS):
            supervisor.tell("WATCHDOG=1")  # what this process is for is to look after the others
            for child in children.pop_exited():
                if _is_hopeless(child):
                    return int(child.process.returncode)
                over.wait(1.0)
                children.start(line)
        supervisor.tell("STOPPING=1")
        children.stop(arguments.grace + 5.0)
    return Exit.OK


def _line(words: Sequence[str], arguments: Namespace) -> list[str]:
    """The command line of one of the processes: this one's without the number of them."""
    line: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--processes":
            next(left)
        elif not word.startswith("--processes="):
            line.append(word)
    return line if arguments.concurrency else [*line, "--concurrency", "1"]


def _is_hopeless(child: RoleProcess) -> bool:
    """Whether starting it again would end in the same way."""
    return child.process.returncode in (Exit.USAGE, Exit.BAD_INPUT, Exit.BAD_SETTINGS, Exit.NOT_FOUND)


HANDLERS: Handlers = {"tasks": Handler(_add_arguments, _run)}
