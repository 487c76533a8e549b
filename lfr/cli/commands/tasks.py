"""`lfr tasks FILE.py`: run the functions of a file as a task worker, in threads or in processes."""

from __future__ import annotations

import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import PERMANENT_FAILURES, ExitCode
from lfr.cli.role_context import role_context
from lfr.cli.ui.options import add_connection_options, open_store, parse_count, parse_seconds
from lfr.cli.ui.terminal import Terminal
from lfr.errors import BadInput
from lfr.runtime.role_table import ROLES

_POLL_SECONDS: Final = 0.2

_RESERVED_GROUPS: Final = frozenset({"starting", "__receipt__", *(role.name for role in ROLES)})


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.py", help="functions with @task; see docs/workers.md")
    parser.add_argument(
        "--concurrency", metavar="N", type=parse_count, help="concurrent tasks of a process (default: 8)"
    )
    parser.add_argument(
        "--processes", metavar="N", type=parse_count, help="run N processes, each with one task at a time"
    )
    parser.add_argument(
        "--grace",
        metavar="TIME",
        type=parse_seconds,
        default=10.0,
        help="how long a stop waits for running tasks, as 30s or 5m (default: 10)",
    )
    parser.add_argument("--group", metavar="NAME", help="the consumer group (default: tasks-FILE)")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    from lfr.worker.capture import capture_logging, capture_streams
    from lfr.worker.registry import load_tasks

    store = open_store(arguments)
    if store.settings.logs_attempt and not arguments.processes:
        capture_streams()
    tasks = load_tasks(arguments.file)
    if arguments.processes:
        return _run_processes(arguments)
    context = role_context(store, arguments, terminal)
    if store.settings.logs_attempt:
        capture_logging()
    from lfr.runtime.process import run_consumers
    from lfr.values.checks import is_addressable
    from lfr.worker.python_tasks import make_executor

    group = arguments.group or f"tasks-{Path(arguments.file).stem}"
    if not is_addressable(group):
        raise BadInput(
            f"{group!a} cannot be the name of a group", hint="printable characters, as in --group mine"
        )
    if group in _RESERVED_GROUPS:
        raise BadInput(f"the group {group} belongs to a role of lfr", hint="choose another --group")
    runner = make_executor(
        store, group, tasks, concurrency=arguments.concurrency or 8, grace_seconds=arguments.grace
    )
    return run_consumers(context, [runner])


def _run_processes(arguments: Namespace) -> int:
    from lfr.host.child_processes import RoleProcesses
    from lfr.host.systemd import ServiceManager

    stopping = threading.Event()
    service_manager = ServiceManager.from_environment()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    process_arguments = _process_arguments(sys.argv[1:], arguments)
    with RoleProcesses({}) as processes:
        for _ in range(arguments.processes):
            processes.start(process_arguments)
        if service_manager.is_present:
            signal.signal(signal.SIGHUP, lambda number, _: processes.send_signal(number))
        service_manager.notify("READY=1", f"STATUS={arguments.processes} processes")
        while not stopping.wait(_POLL_SECONDS):
            service_manager.notify("WATCHDOG=1")  # the only work of this process is this loop
            for process in processes.pop_exited():
                if process.process.returncode in PERMANENT_FAILURES:
                    return int(process.process.returncode)
                stopping.wait(1.0)
                processes.start(process_arguments)
        service_manager.notify("STOPPING=1")
        processes.stop(arguments.grace + 5.0)
    return ExitCode.OK


def _process_arguments(words: Sequence[str], arguments: Namespace) -> list[str]:
    """Return the arguments of a worker process: those of this command line without --processes."""
    process_words: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--processes":
            next(remaining)
        elif not word.startswith("--processes="):
            process_words.append(word)
    return process_words if arguments.concurrency else [*process_words, "--concurrency", "1"]


HANDLER = Handler(
    _add_arguments,
    _run,
    'Runs the functions of FILE.py that are marked with @task("NAME"), in threads or, with --processes, '
    "in processes. SIGTERM stops it: running tasks may finish, and no new ones start.",
    (
        ("tasks images.py", "eight tasks at a time"),
        ("tasks images.py --concurrency 50", "for tasks that mostly wait"),
        ("tasks images.py --processes 4", "for tasks that compute"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.BAD_SETTINGS),
)
