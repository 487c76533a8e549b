"""Shows the progress of a workflow until it has ended, also across outages of Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.progress import progress_view
from lfr.cli.ui.terminal import Terminal
from lfr.errors import Unreachable

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


def watch_progress(store: Store, id: str, terminal: Terminal, *, timeout_seconds: float | None = None) -> str:
    """Show a workflow's progress on stderr until it ends or the time-out; return its latest state.

    Raises NotFound; Unreachable if Redis is away for a minute.
    """
    state = ""
    with progress_view(terminal) as view:
        for update in _follow(store, id, terminal, timeout_seconds):
            view.show(update)
            state = update["state"]
    return state


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
            for update in follow_workflow(store, id, timeout_seconds=seconds):
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
