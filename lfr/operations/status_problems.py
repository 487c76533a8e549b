"""Names what is wrong with an installation, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.operations.workers import WAIT_ROLES
from lfr.store.queues.workforce import SILENT_SECONDS
from lfr.values.times import format_at, format_span

_LIFECYCLE_ROLES: Final = {"lifecycle", "worker"}

_ROLES_OF_GROUPS: Final = {
    "lifecycle": "lifecycle",
    "wait": "wait",
    "starting": "simulate",
    "notify": "notify",
    "traces": "traces",
    "__receipt__": "receipts",
}
"""The roles that read the bus, by their group."""

_BUILT_IN_GROUPS: Final = ("request", "redis", "resource")
"""Groups of workers that are roles of the same name."""

_SLOW_WORKERS_SECONDS: Final = 600.0
_SLOW_ROLE_SECONDS: Final = 60.0
"""How long the oldest event of a group waits before its processes count as too few."""

_LONG_STREAM: Final = 10_000
"""A bus longer than this is held up by a group that is gone."""

_MAX_SCHEDULES: Final = 5
"""How many schedules with problems are named."""

_MAX_TASKS: Final = 5
"""For how many tasks a problem of its own is named."""


def find_problems(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, each with what to do about it. `status` is as `load_status` describes it, without
    `problems`."""
    yield from status["redis"]["warnings"]
    roles = {role["role"] for role in status["roles"]}
    if not roles & _LIFECYCLE_ROLES:
        yield "no lifecycle runs: no workflow makes progress (lfr lifecycle)"
    if (status["timers"]["delays"] or status["event_waits"]) and not roles.intersection(WAIT_ROLES):
        yield "no wait role runs: delays, time-outs and waits for events do not end (lfr wait)"
    for group in status["groups"]:
        if group["kind"] == "workers":
            yield from _find_problems_of_workers(group)
        elif group["kind"] == "role":
            yield from _find_problems_of_role(group, roles)
        else:
            yield from _find_problems_of_foreign(group)
    yield from _find_unclaimed(status)
    yield from _find_problems_of_schedules(status["schedules"]["problems"])
    yield from _find_problems_of_notices(status["notices"], roles)
    yield from _find_problems_of_traces(status["traces"], roles)


def _find_problems_of_workers(group: Mapping[str, Any]) -> Iterator[str]:
    name, length, claims = group["name"], group["length"], ", ".join(group["claims"])
    start = f"lfr {name}" if name in _BUILT_IN_GROUPS else "start one"
    if not group["processes"]:
        problem = f"the group {name} has no live worker"
        if length:
            problem += f": {_count(length, 'task')} {_verb(length)} in its queue{_since(group['waits'])}"
        elif claims:
            problem += f": nobody does {claims}"
        else:
            return
        lapse = f"; otherwise any other may do them in {format_span(group['lapses'])}" if claims else ""
        yield f"{problem} ({start}{lapse})"
        return
    if group["unattended"]:
        names = ", ".join(group["unattended"])
        yield f"no live worker of the group {name} does {names}, which it has claimed ({start})"
    if (group["waits"] or 0) > _SLOW_WORKERS_SECONDS:
        yield (
            f"the workers of {name} do not keep up: {_count(group['lag'], 'task')} {_verb(group['lag'])} in "
            f"its queue{_since(group['waits'])} (start more of them, or more at once: --concurrency)"
        )


def _find_problems_of_role(group: Mapping[str, Any], roles: set[str]) -> Iterator[str]:
    role, lag = _ROLES_OF_GROUPS[group["group"]], group["lag"]
    is_alive = role in roles or ("worker" in roles and role in ("lifecycle", "wait"))
    if is_alive and (group["waits"] or 0) > _SLOW_ROLE_SECONDS:
        yield (
            f"the role {role} does not keep up: {_count(lag, 'event')} {_verb(lag)}{_since(group['waits'])} "
            f"(start another: lfr {role})"
        )
    elif not is_alive and role != "lifecycle" and lag > _LONG_STREAM and group.get("forgotten") != 0:
        yield (
            f"the role {role} has stopped, but the bus keeps {_count(lag, 'event')} for it "
            f"{_until(group)} (lfr {role})"
        )


def _find_problems_of_foreign(group: Mapping[str, Any]) -> Iterator[str]:
    silent = group.get("silent")
    is_alive = group["lag"] == 0 or (silent is not None and silent < SILENT_SECONDS)
    if is_alive or group.get("forgotten") == 0:
        return
    since = "has no consumer" if silent is None else f"has read nothing for {format_span(silent)}"
    yield (
        f"the foreign group {group['name']} {since}: all events are copied to the bus for it, and stay there "
        f"{_until(group)} (start it, or XGROUP DESTROY {group['streams'][0]['key']} {group['name']})"
    )


def _until(group: Mapping[str, Any]) -> str:
    forgotten = group.get("forgotten")
    return "for up to receipts.forget" if forgotten is None else f"for {format_span(forgotten)} more"


def _find_problems_of_schedules(problems: Mapping[str, str]) -> Iterator[str]:
    for name, problem in list(problems.items())[:_MAX_SCHEDULES]:
        kind, _, reason = problem.partition(": ")
        cure = f"lfr schedule {'resume' if kind == 'paused' else 'show'} {name}"
        verb = "is paused" if kind == "paused" else kind
        yield f"the schedule {name} {verb}: {reason} ({cure})"
    if len(problems) > _MAX_SCHEDULES:
        yield f"{len(problems) - _MAX_SCHEDULES} more schedules have problems (lfr schedule list)"


def _find_problems_of_notices(notices: Mapping[str, Any], roles: set[str]) -> Iterator[str]:
    if notices["queued"] and "notify" not in roles:
        queued = notices["queued"]
        yield f"{_count(queued, 'notice')} {_verb(queued)}, but no notify role runs (lfr notify)"
    for each in notices["failing"]:
        yield (
            f"{each['recipient']} takes no notices since {format_at(each['since'])}: {each['reason']}: "
            f"{_count(each['queued'], 'notice')} {_verb(each['queued'])} (lfr notify list)"
        )


def _find_problems_of_traces(traces: Mapping[str, Any], roles: set[str]) -> Iterator[str]:
    queued = traces["queued"]
    if queued and "traces" not in roles:
        yield f"the spans of {_count(queued, 'workflow')} wait, but no traces role runs (lfr traces)"
    elif queued and traces["failures"]:
        yield (
            f"the receiver takes no spans since {format_at(traces['since'])}: {traces['reason']}: those of "
            f"{_count(queued, 'workflow')} wait (lfr traces test)"
        )


def _find_unclaimed(status: Mapping[str, Any]) -> Iterator[str]:
    unclaimed = [tasks for tasks in status["unclaimed"] if tasks["problem"] is not None]
    for tasks in unclaimed[:_MAX_TASKS]:
        count = tasks["count"]
        yield (
            f"{tasks['problem']}: {_count(count, 'task')} {_verb(count)}{_since(tasks['waits'])} "
            f"({tasks['hint']})"
        )
    if len(unclaimed) > _MAX_TASKS:
        yield f"no live worker does {len(unclaimed) - _MAX_TASKS} more tasks (lfr status --json names them)"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _verb(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _since(seconds: float | None) -> str:
    return "" if seconds is None else f", the oldest since {format_span(seconds)}"
