"""The table of roles: name, module, help text, options. Imports none of the modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lfr.values.checks import NUMBER_TEXT, TEXT, Check, duration


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a role's command; `check` reads its text. A `flag` without dashes is an optional
    positional argument."""

    flag: str
    check: Check
    default: float | str | None
    metavar: str
    help: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role. `module` has `run(store, context, **options) -> exit code`, with options named after flags.
    `has_command`: its command does more than run it, and has a module of its own."""

    name: str
    module: str
    help: str
    options: tuple[Option, ...] = ()
    has_command: bool = False


def _read_megabytes(text: str) -> float | None:
    size = NUMBER_TEXT.read(text)
    return size if size is not None and 0 <= size <= _MOST_MEGABYTES else None


_MOST_MEGABYTES: Final = 1_000_000
_MEGABYTES: Final = Check(f"a number from 0 to {_MOST_MEGABYTES}", _read_megabytes)

ROLES = (
    Role(
        "lifecycle",
        "lfr.roles.lifecycle",
        "advances workflows: processes end-task events and starts the next steps",
    ),
    Role("wait", "lfr.roles.wait", "runs the wait: tasks: delays, events, latches; waits survive restarts"),
    Role("request", "lfr.roles.request", "runs the request: tasks: sends HTTP requests for workflows"),
    Role("redis", "lfr.roles.redis", "runs the redis: tasks: sends Redis commands for workflows"),
    Role("resource", "lfr.roles.resource", "loads and stores the resources of flows: files and URLs"),
    Role(
        "simulate",
        "lfr.roles.simulate",
        "stands in for missing workers: completes each task that nobody does with its input as output",
        (
            Option("--wait-period", duration(), 3.0, "TIME", "maximum duration of a task, as 250ms or 2m"),
            Option("--failures", NUMBER_TEXT, 0.0, "PERCENT", "share of tasks that fail"),
        ),
    ),
    Role(
        "receipts",
        "lfr.roles.receipts",
        "logs each processed event as a line of JSON",
        (
            Option("--to", TEXT, None, "FILE", "append to FILE instead of stdout; - is stdout"),
            Option("--rotate", _MEGABYTES, 100.0, "MB", "size after which FILE becomes FILE.1; 0: never"),
        ),
    ),
    Role(
        "notify",
        "lfr.roles.notify",
        "sends notices of failures and other troubles: by webhook, mail or command",
        has_command=True,
    ),
    Role(
        "traces",
        "lfr.roles.traces",
        "exports the spans of workflows that have ended, to an OpenTelemetry receiver",
        has_command=True,
    ),
    Role(
        "api",
        "lfr.roles.api",
        "serves the HTTP API",
        (Option("address", TEXT, "", "HOST[:PORT]", "where to listen (default: 0.0.0.0:5000)"),),
    ),
    Role(
        "console",
        "lfr.roles.console",
        "serves the console for browsers, with an API of its own",
        (Option("address", TEXT, "", "HOST[:PORT]", "where to listen (default: 0.0.0.0:8000)"),),
    ),
    Role(
        "worker",
        "lfr.roles.worker",
        "runs lifecycle and the built-in tasks in one process; tasks of your own: lfr tasks",
    ),
)
