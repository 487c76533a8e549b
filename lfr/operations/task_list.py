"""Lists the tasks by name: who does each, where, how fast; what waits; what nobody does, or has ever done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lfr.operations.workers import WAIT_ROLES, explain_absence
from lfr.step_options import CALL_PREFIX, EACH
from lfr.store import keys
from lfr.store.processes import Heartbeat
from lfr.store.queues.backlog import StreamState, WaitingTasks, read_streams, read_unclaimed
from lfr.store.queues.claims import covers
from lfr.store.queues.unclaimed import count_waiting_workflows
from lfr.store.queues.workforce import Workforce, read_workforce
from lfr.store.redis.connection import Store
from lfr.store.totals import DURATION_BOUNDS, DURATION_SUM, MAX_NAMES, OTHER, load_totals
from lfr.tasks.catalogue import WAIT_PREFIX, find_built_in
from lfr.values.times import format_span, iso_time

_MAX_PROCESSES: Final = 20

_MAX_COUNTED: Final = 100
"""For how many unclaimed tasks the workflows are counted that wait."""

_PROCESS_KEYS: Final = ("name", "host", "pid", "version", "since")


def list_tasks(store: Store) -> list[dict[str, Any]]:
    """Describe each task that somebody does, has done lately, or waits for: those first that wait although
    nobody does them, then by name. Times are in ISO 8601, durations in seconds. Keys:

    task       its name, or a prefix such as `mail:*` that a group claims and of which no task is known
    group      the group of workers that does it; None: none has claimed it
    kind       who does it: `workers` (of users), `role` (of lfr), `foreign`, or `nobody`
    processes  up to twenty live processes: name, host, pid, version, since; process_count has how many
    waiting    how many wait for a worker: of all tasks of the group, if it does several (shares_queue);
               None of `wait:` tasks
    running    how many the workers of the group have begun, likewise; None: not known
    oldest     how long the one that waits longest has waited; None: none waits
    workflows  of an unclaimed task how many workflows wait for it, up to a thousand; else None
    ended, failed, retried  how many attempts have ended so, as long as lfr has counted them
    mean, median            how long an attempt takes in its worker, the median by its class; None: not known
    last       when a worker did it last, and its group, as at and by; None: not known
    never      whether no worker is known to have ever done it
    problem, hint  why nobody does it, and what to do; None: somebody does it, as far as is known
    warning    the problem as a sentence, with what waits, who did it last, and the hint; None: nothing waits

    Raises Unreachable, Refused.
    """
    with store.connect() as connection:
        workforce = read_workforce(connection, store.stream)
        totals = load_totals(connection, keys.TASK_TOTALS)
        unclaimed = {tasks.base: tasks for tasks in read_unclaimed(connection)}
        groups = sorted(set(workforce.claims.groups.values()))
        queues = dict(zip(groups, read_streams(connection, list(map(keys.queue, groups))), strict=True))
        workflows = count_waiting_workflows(connection, list(unclaimed)[:_MAX_COUNTED])
    is_whole = len(totals) < MAX_NAMES and OTHER not in totals
    rows = [
        {
            "task": task,
            **_describe_doers(workforce, task),
            **_describe_backlog(workforce, task, queues, unclaimed.get(task)),
            "workflows": workflows.get(task),
            **_describe_speed(totals.get(task, {})),
            **_describe_last(workforce, task, totals.get(task, {}), is_whole=is_whole),
            **_describe_problem(workforce, task),
        }
        for task in _find_names(workforce, [*totals, *unclaimed])
    ]
    return sorted(({**row, "warning": _warning(workforce, row)} for row in rows), key=_order)


def _warning(workforce: Workforce, row: Mapping[str, Any]) -> str | None:
    if row["problem"] is None or not row["waiting"]:
        return None
    count, workflows = row["waiting"], row["workflows"]
    last = ", and none is known to have ever done it" if row["never"] else ""
    if service := workforce.served_tasks.get(row["task"]):
        ago = format_span((workforce.now_ms - service.at_ms) / 1000)
        last = f"; the group {service.group} did it last, {ago} ago"
    tasks = f"{count:,} task{'' if count == 1 else 's'}"
    of = "" if workflows is None else f" of {workflows:,} workflow{'' if workflows == 1 else 's'}"
    since = "" if row["oldest"] is None else f", the oldest since {format_span(row['oldest'])}"
    return f"{row['problem']}{last}: {tasks}{of} wait{'s' if count == 1 else ''}{since} ({row['hint']})"


def _order(row: Mapping[str, Any]) -> tuple[bool, float, str]:
    is_urgent = row["warning"] is not None
    return not is_urgent, -(row["oldest"] or 0.0) if is_urgent else 0.0, row["task"]


def _find_names(workforce: Workforce, others: Sequence[str]) -> set[str]:
    claims = set(workforce.claims.groups) | workforce.living_claims()
    names = {*others, *workforce.foreign_tasks, *workforce.served_tasks}
    names = {name for name in names if name not in (OTHER, EACH) and not name.startswith(CALL_PREFIX)}
    return names | {claim for claim in claims if not any(covers(claim, name) for name in names)}


def _describe_doers(workforce: Workforce, task: str) -> dict[str, Any]:
    group = workforce.claims.groups.get(task) or workforce.claims.group_of(task)
    processes = _find_processes(workforce, task, group)
    is_foreign = task in workforce.foreign_tasks and bool(workforce.living_readers)
    kind = "foreign" if is_foreign else "nobody"
    if processes:
        kind = "role" if find_built_in(task) is not None or task.startswith(WAIT_PREFIX) else "workers"
    return {
        "group": group,
        "kind": kind,
        "processes": [
            {key: getattr(each.process, key) for key in _PROCESS_KEYS} for each in processes[:_MAX_PROCESSES]
        ],
        "process_count": len(processes),
    }


def _find_processes(workforce: Workforce, task: str, group: str | None) -> list[Heartbeat]:
    if task.startswith(WAIT_PREFIX):
        return [each for each in workforce.heartbeats if each.process.role in WAIT_ROLES]
    return [
        each
        for each in workforce.heartbeats
        if any(
            claim == task or covers(claim, task) for claim in (each.process.claims or {}).get(group or "", ())
        )
    ]


def _describe_backlog(
    workforce: Workforce, task: str, queues: Mapping[str, StreamState], unclaimed: WaitingTasks | None
) -> dict[str, Any]:
    group = workforce.claims.groups.get(task) or workforce.claims.group_of(task)
    running: int | None = None
    shares, waiting = False, None if task.startswith(WAIT_PREFIX) else unclaimed.count if unclaimed else 0
    unread_ms = unclaimed.oldest_ms if unclaimed else None
    if group is not None:
        stream = queues[group]
        states = [state for state in stream.groups if state.name == group]
        running = sum(state.pending for state in states)
        waiting = max(0, stream.length - running)
        unread_ms = states[0].unread_ms if states else stream.oldest_ms
        shares = list(workforce.claims.groups.values()).count(group) > 1 or task.endswith("*")
    oldest = None if unread_ms is None else round(max(0, workforce.now_ms - unread_ms) / 1000, 1)
    return {"waiting": waiting, "running": running, "oldest": oldest, "shares_queue": shares}


def _describe_speed(numbers: Mapping[str, int]) -> dict[str, Any]:
    counts = [numbers.get(f"le{number}", 0) for number in range(len(DURATION_BOUNDS) + 1)]
    total = sum(counts)
    seconds = numbers.get(DURATION_SUM, 0) / 1e6
    return {
        **{what: numbers.get(what, 0) for what in ("ended", "failed", "retried")},
        "mean": round(seconds / total, 6) if total else None,
        "median": estimate_median(counts),
    }


def estimate_median(counts: Sequence[int]) -> float | None:
    """Return the median of durations in seconds, of which the classes of DURATION_BOUNDS have these numbers:
    as if they were spread evenly over a class. It is at most the last bound. None: there are none."""
    half, below = sum(counts) / 2, 0
    lower = 0.0
    for count, upper in zip(counts, (*DURATION_BOUNDS, DURATION_BOUNDS[-1]), strict=True):
        if count and below + count >= half:
            return round(lower + (upper - lower) * (half - below) / count, 6)
        below, lower = below + count, upper
    return None


def _describe_last(
    workforce: Workforce, task: str, numbers: Mapping[str, int], *, is_whole: bool
) -> dict[str, Any]:
    last: dict[str, Any] | None = None
    if service := workforce.served_tasks.get(task):
        last = {"at": iso_time(service.at_ms), "by": service.group}
    elif task in workforce.foreign_tasks:
        last = {"at": iso_time(workforce.foreign_tasks[task]), "by": None}
    is_known = last is not None or any(numbers.get(what) for what in ("ended", "failed", DURATION_SUM))
    return {"last": last, "never": is_whole and not is_known and not task.startswith(WAIT_PREFIX)}


def _describe_problem(workforce: Workforce, task: str) -> dict[str, Any]:
    missing = explain_absence(workforce, task)
    return {
        "problem": None if missing is None else missing.message,
        "hint": None if missing is None else missing.hint,
    }
