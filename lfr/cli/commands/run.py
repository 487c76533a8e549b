"""`lfr run`: start a workflow, and look on until it has ended; or run its flow right here."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from lfr.cli.command_table import Handler, Handlers
from lfr.cli.commands.check import say_warnings
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.format_workflow import long_json
from lfr.cli.ui.options import (
    add_base,
    add_connection,
    base_of,
    given_connection,
    open_store,
    read_flow,
    read_json_option,
    seconds,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.progress import progress_view
from lfr.cli.ui.terminal import Terminal
from lfr.cli.ui.times import duration
from lfr.errors import Unreachable

if TYPE_CHECKING:
    from lfr.store.redis.connection import Store

EXIT_OF_STATE: Final = {
    "FINISHED": Exit.OK,
    "FAILED": Exit.FAILED,
    "TERMINATED": Exit.TERMINATED,
}
"""How `--wait` tells the end of a workflow."""

_PATIENCE_SECONDS: Final = 60.0
"""How long one who looks on waits for a Redis that has gone away."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the flow; - is stdin")
    parser.add_argument(
        "--input", metavar="JSON|@FILE", help="the workflow's input, an object or a list (default: {})"
    )
    parser.add_argument("--workflow-id", metavar="ID", help="the id; the same id, flow and input start once")
    parser.add_argument("--wait", action="store_true", help="look on until the workflow has ended")
    parser.add_argument("--timeout", metavar="SECONDS", type=seconds, help="with --wait: look on no longer")
    parser.add_argument(
        "--json",
        action="store_true",
        help="with --wait: the outcome on stdout, as inspect --json has it; with --local: with the trace",
    )
    parser.add_argument(
        "--local",
        action="store_true",
        help="try it out in this process: no Redis, tasks give back their input, nothing is stored or sent",
    )
    add_base(parser)
    add_connection(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int:
    _check(arguments)
    text, source = read_flow(arguments.file, terminal)
    given = read_json_option("--input", arguments.input, terminal)
    from lfr.language import check_flow, compile_flow

    base = base_of(arguments.base, arguments.file)
    checked = check_flow(text, base, source=source)
    if checked.flow is not None:  # else running it says why not
        say_warnings(checked.diagnostics, terminal)
    if arguments.local:
        from lfr.cli.commands.run_local import run_here

        flow = checked.flow or compile_flow(text, base, source=source)
        return run_here(flow, given, terminal, whole=arguments.json)
    store = open_store(arguments)
    from lfr.operations.inspect.workflow import inspect_workflow
    from lfr.operations.start import start_workflow

    started = start_workflow(
        store, text, given, arguments.workflow_id, base=base, source=source, flow=checked.flow
    )
    if not started.is_new:
        terminal.say(f"lfr: {started.id} had been started before, with the same flow and input")
    if not arguments.json:
        terminal.print(started.id)
        terminal.out.flush()
    if not arguments.wait:
        return Exit.OK
    try:
        state = look_on(store, started.id, terminal, timeout_seconds=arguments.timeout)
    except KeyboardInterrupt:
        terminal.say(f"lfr: no longer looking on; it goes on (lfr terminate {started.id} stops it)")
        raise
    outcome = inspect_workflow(store, started.id)
    if arguments.json:
        terminal.print(long_json(outcome))
    if state not in EXIT_OF_STATE:
        waited = duration(arguments.timeout)
        terminal.say(f"lfr: still {state} after {waited}; it goes on: lfr inspect {started.id}")
        return Exit.TIMED_OUT
    return EXIT_OF_STATE[state]


def _check(arguments: Namespace) -> None:
    if arguments.local:
        _check_local(arguments)
    elif arguments.timeout is not None and not arguments.wait:
        raise UsageError("--timeout goes with --wait (lfr run --help)")
    elif arguments.json and not arguments.wait:
        raise UsageError("--json goes with --wait, or with --local (lfr run --help)")
    if arguments.file == "-" and arguments.input == "@-":
        raise UsageError("the flow and the input cannot both come from stdin (lfr run --help)")


def _check_local(arguments: Namespace) -> None:
    """What makes no sense for a run that is over when the command is. Raises UsageError."""
    options = (
        ("--wait", arguments.wait),
        ("--timeout", arguments.timeout is not None),
        ("--workflow-id", arguments.workflow_id is not None),
    )
    for flag in [flag for flag, is_given in options if is_given]:
        raise UsageError(f"{flag} does not go with --local, which starts no workflow (lfr run --help)")
    for flag in given_connection(arguments):
        raise UsageError(f"{flag} does not go with --local, which asks no Redis (lfr run --help)")


def look_on(store: Store, id: str, terminal: Terminal, *, timeout_seconds: float | None = None) -> str:
    """Show a workflow's progress on stderr until it has ended or the time is over; its state then.

    Raises NotFound; Unreachable if Redis is gone for a minute.
    """
    state = ""
    with progress_view(terminal) as view:
        for news in _follow(store, id, terminal, timeout_seconds):
            view.tell(news)
            state = news["state"]
    return state


def _follow(
    store: Store, id: str, terminal: Terminal, timeout_seconds: float | None
) -> Iterator[dict[str, Any]]:
    """`follow_workflow`, over interruptions of Redis; what has been told is not told again."""
    from lfr.operations.follow import follow_workflow

    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    told, gone_at = 0, None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        skip = told
        try:
            for news in follow_workflow(store, id, timeout_seconds=left):
                gone_at = None
                changes = news["changes"][skip:]
                skip = max(0, skip - len(news["changes"]))
                told += len(changes)
                yield {**news, "changes": changes}
            return
        except Unreachable as error:
            now = time.monotonic()
            if told == 0 or (deadline is not None and now >= deadline):
                raise
            if gone_at is None:
                gone_at = now
                terminal.say(f"lfr: {error.message}; trying for a minute")
            if now - gone_at > _PATIENCE_SECONDS:
                raise
            time.sleep(0.5)


HANDLERS: Handlers = {"run": Handler(_add_arguments, _run)}
