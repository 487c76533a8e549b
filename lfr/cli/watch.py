"""Shows the progress of a workflow until it has ended, also across outages of Redis."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.format_values import format_duration, seconds_between
from lfr.cli.ui.options import add_flag, parse_seconds
from lfr.cli.ui.progress import progress_view
from lfr.cli.ui.terminal import Terminal
from lfr.errors import Unreachable
from lfr.states import WorkflowState
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.store.redis.connection import Store

EXIT_CODES_BY_STATE: Final = {
    "FINISHED": ExitCode.OK,
    "FAILED": ExitCode.FAILED,
    "TERMINATED": ExitCode.TERMINATED,
}
"""The exit code for each state in which a workflow ends."""

_RECONNECT_SECONDS: Final = 60.0
"""How long `watch_progress` tries to reach a Redis that has gone away."""


_INTERVAL_SECONDS: Final = 1.0
"""How often to look what steps wait for, and how far tasks are: neither is a change of the workflow."""

_WORKER_PATIENCE_SECONDS: Final = 5.0
"""How long a task waits before it is said that no live worker does it: one may just be starting."""


def add_wait_options(parser: ArgumentParser) -> None:
    """Add the options that `follow_to_end` reads."""
    help = "stop following after TIME, as 90s or 10m"
    parser.add_argument("--timeout", metavar="TIME", type=parse_seconds, help=help)
    add_flag(parser, "--json", "print the outcome as inspect --json does")


def follow_to_end(store: Store, id: str, arguments: Namespace, terminal: Terminal) -> ExitCode:
    """Show a workflow's progress on stderr until it ends, then the outcome: on stdout its output, on stderr
    how it has ended. With --json, stdout has the whole outcome. Return the exit code. Raises as
    `watch_progress`."""
    from lfr.operations.inspect.workflow import inspect_workflow

    try:
        state = watch_progress(store, id, terminal, timeout_seconds=arguments.timeout)
    except KeyboardInterrupt:
        terminal.print_err(f"lfr: the workflow continues: lfr follow {id}; lfr terminate {id} stops it")
        raise
    outcome = inspect_workflow(store, id)
    if arguments.json:
        terminal.print_json(outcome)
    elif outcome["state"] == WorkflowState.FINISHED:
        terminal.print(json.dumps(outcome["output"]))
    if state not in EXIT_CODES_BY_STATE:
        timeout = format_duration(arguments.timeout)
        terminal.print_err(f"lfr: still {state} after {timeout}; it continues: lfr follow {id}")
        return ExitCode.TIMED_OUT
    elapsed = format_duration(seconds_between(outcome["started"], outcome["ended"]))
    reason = f": {printable(outcome['reason'])}" if outcome["reason"] else ""
    if state == WorkflowState.FINISHED and outcome["warning"]:
        reason = f", but {printable(outcome['warning'])}"
    terminal.print_err(f"{id} is {state} after {elapsed}{reason}")
    return EXIT_CODES_BY_STATE[state]


def watch_progress(store: Store, id: str, terminal: Terminal, *, timeout_seconds: float | None = None) -> str:
    """Show a workflow's progress on stderr until it ends or the time-out; return its latest state.

    Raises NotFound; Unreachable if Redis is away for a minute.
    """
    state = ""
    missing_since: dict[str, float] = {}
    with progress_view(terminal) as view:
        for update in _follow(store, id, terminal, timeout_seconds):
            view.show({**update, "missing_workers": _find_lasting(update, missing_since)})
            state = update["state"]
    return state


def _find_lasting(update: Mapping[str, Any], missing_since: dict[str, float]) -> dict[str, Any]:
    """Return the missing workers of an update that have been so in all updates for some seconds.
    `missing_since` is kept from one update to the next."""
    missing = update.get("missing_workers")
    if not missing:
        missing_since.clear()
        return {}
    now = time.monotonic()
    for task in [task for task in missing_since if task not in missing]:
        del missing_since[task]
    return {
        task: worker
        for task, worker in missing.items()
        if now - missing_since.setdefault(task, now) >= _WORKER_PATIENCE_SECONDS
    }


def _follow(
    store: Store, id: str, terminal: Terminal, timeout_seconds: float | None
) -> Iterator[dict[str, Any]]:
    """Yield the updates of `follow_workflow` across outages of Redis, each change once."""
    from lfr.operations.follow import follow_workflow

    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    changes_yielded, outage_began = 0, None
    while True:
        seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
        skip = changes_yielded
        try:
            updates = follow_workflow(
                store,
                id,
                timeout_seconds=seconds,
                interval_seconds=_INTERVAL_SECONDS,
                waits=True,
                workers=True,
                outputs=True,
            )
            for update in updates:
                outage_began = None
                changes = update["changes"][skip:]
                skip = max(0, skip - len(update["changes"]))
                changes_yielded += len(changes)
                yield {**update, "changes": changes}
            return
        except Unreachable as error:
            now = time.monotonic()
            if changes_yielded == 0 or (deadline is not None and now >= deadline):
                raise
            if outage_began is None:
                outage_began = now
                terminal.print_err(f"lfr: {error.message}; trying for a minute")
            if now - outage_began > _RECONNECT_SECONDS:
                raise
            time.sleep(0.5)
