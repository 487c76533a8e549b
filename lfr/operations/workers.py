"""Says whether a live worker does a task. The command line, the API and the console all ask here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lfr.flow import Step, StepKind
from lfr.step_options import LOAD, STORE
from lfr.store.queues.backlog import count_waiting
from lfr.store.queues.workforce import BusGroup, Workforce, read_workforce
from lfr.store.redis.connection import Connection
from lfr.tasks.catalogue import CATALOGUE, WAIT_PREFIX, find_built_in, is_reserved
from lfr.values.checks import suggestion

SILENT_SECONDS: Final = 300.0
"""A foreign group that has something to read and has not done so for this time counts as gone. A busy one may
read less often than an idle one."""

WAIT_ROLES: Final = ("wait", "worker")
"""The roles that do the `wait:` tasks."""


@dataclass(frozen=True, slots=True)
class MissingWorker:
    """A task that no live worker does.

    message  says so, such as `no live worker does img:resize`
    hint     what to do, or what may be the reason
    """

    task: str
    message: str
    hint: str


def find_missing_workers(connection: Connection, bus: str, tasks: Iterable[str]) -> dict[str, MissingWorker]:
    """Return those of these tasks that wait for a worker although no live one does them, by name.

    `tasks` are the names of tasks that run, or wait to run. The number of round trips does not depend on
    theirs. Built-in tasks count, too.
    """
    names = sorted(set(tasks))
    if not names:
        return {}
    workforce = read_workforce(connection, bus)
    missing = {name: worker for name in names if (worker := explain_absence(workforce, name)) is not None}
    groups = {name: workforce.claims.group_of(name) for name in missing}
    lengths, counts = count_waiting(
        connection,
        sorted({group for group in groups.values() if group is not None}),
        [name for name, group in groups.items() if group is None],
    )
    return {
        name: worker
        for name, worker in missing.items()
        # A task that has left its queue waits for no worker: a server completes it, perhaps.
        if name.startswith(WAIT_PREFIX) or lengths.get(groups[name] or "", 0) or counts.get(name, 0)
    }


def task_of(step: Step) -> str:
    """Return the task that a worker does for a step, or for each of its items; empty if it needs none."""
    if step.kind is StepKind.RESOURCE:
        return STORE if step.sink else LOAD
    return step.task if step.kind is StepKind.TASK else ""


def explain_absence(workforce: Workforce, task: str) -> MissingWorker | None:
    """Return why no live worker does a task, or None if one does."""
    if task.startswith(WAIT_PREFIX):
        return None if workforce.runs_role(*WAIT_ROLES) else _missing_role(task, "wait")
    group = workforce.claims.group_of(task)
    if group is not None and workforce.does(group, task):
        return None
    if is_reserved(task):
        built_in = find_built_in(task)
        return _missing_role(task, built_in.role) if built_in else _missing(workforce, task)
    if group is not None:
        return _missing(workforce, task, f"its group {group} has no live process that does: start one")
    if workforce.runs_role("simulate"):
        return None
    readers = living_readers(workforce)
    if task not in workforce.foreign_tasks:
        message = f"no live worker {'is known to do' if readers else 'does'} {task}"
        return MissingWorker(task, message, suggest_task(workforce, task) or _START_HINT)
    return None if readers else _missing(workforce, task, "the foreign workers that did it read nothing now")


_START_HINT: Final = "start a worker for it, such as lfr tasks FILE"


def living_readers(workforce: Workforce) -> list[BusGroup]:
    """Return the foreign groups on the bus that seem to be alive."""
    return [
        group
        for group in workforce.foreign_groups
        if group.has_read_all or (group.silent_seconds is not None and group.silent_seconds < SILENT_SECONDS)
    ]


def suggest_task(workforce: Workforce, task: str) -> str:
    """Return a question that names the most similar task that a group of workers has claimed, a foreign
    worker does, or a role does that runs; an empty text if there is none."""
    claims = set(workforce.claims.groups)
    built_in = {each.name for each in CATALOGUE if f"{each.name.partition(':')[0]}:*" in claims}
    if workforce.runs_role(*WAIT_ROLES):
        built_in |= {each.name for each in CATALOGUE if each.name.startswith(WAIT_PREFIX)}
    foreign = set(workforce.foreign_tasks) if living_readers(workforce) else set()
    names = {claim for claim in claims if not claim.endswith("*")} | built_in | foreign
    return suggestion(task, sorted(names - {task}))


def _missing(workforce: Workforce, task: str, hint: str = "") -> MissingWorker:
    return MissingWorker(
        task, f"no live worker does {task}", hint or suggest_task(workforce, task) or _START_HINT
    )


def _missing_role(task: str, role: str) -> MissingWorker:
    return MissingWorker(task, f"no live worker does {task}", f"start the role {role}: lfr {role}")
