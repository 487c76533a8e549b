"""The roles: name, what each does in a line, where it is, and its options. Imports none of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a role: its flag, the type of its value, its default, a line of help. A flag without
    dashes is a word of its own behind the role, that may be left out."""

    flag: str
    type: type
    default: float | str | None
    metavar: str
    help: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role. `module` has `run(store, context, **options) -> exit code`, options by their flags' names."""

    name: str
    module: str
    help: str
    options: tuple[Option, ...] = ()


ROLES = (
    Role(
        "lifecycle", "lfr.roles.lifecycle", "moves workflows on: takes end-task events, starts what follows"
    ),
    Role(
        "wait", "lfr.roles.wait", "does the wait: tasks: delays, events, latches; all waits survive restarts"
    ),
    Role("request", "lfr.roles.request", "does the request: tasks: sends HTTP requests for workflows"),
    Role("redis", "lfr.roles.redis", "does the redis: tasks: sends commands to Redis for workflows"),
    Role("resource", "lfr.roles.resource", "loads and stores the resources of flows: files, and by HTTP"),
    Role(
        "simulate",
        "lfr.roles.simulate",
        "stands in for missing task workers: answers every task after a while, with its input",
        (
            Option("--wait-period", float, 3.0, "SECONDS", "how long a task takes at most"),
            Option("--failures", float, 0.0, "PERCENT", "how many tasks fail"),
        ),
    ),
    Role(
        "receipts",
        "lfr.roles.receipts",
        "logs each event that has been dealt with as a line of JSON, then clears it from the stream",
        (Option("--to", str, None, "FILE", "append to FILE instead of printing"),),
    ),
    Role(
        "api",
        "lfr.roles.api",
        "serves the HTTP API",
        (Option("address", str, "", "HOST[:PORT]", "where to listen (default: 0.0.0.0:5000)"),),
    ),
    Role(
        "console",
        "lfr.roles.console",
        "serves the console, for browsers, with an API of its own",
        (Option("address", str, "", "HOST[:PORT]", "where to listen (default: 0.0.0.0:8000)"),),
    ),
    Role("worker", "lfr.roles.worker", "lifecycle and the built-in tasks in one process"),
)
