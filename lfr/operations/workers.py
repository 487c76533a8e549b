"""Says whether a live worker does a task. The command line, the API and the console all ask here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lfr.flow import Step, StepKind
from lfr.operations.find_flow import find_missing_flows
from lfr.step_options import CALL_PREFIX, LOAD, STORE
from lfr.store.queues.backlog import count_waiting
from lfr.store.queues.workforce import Workforce, read_workforce
from lfr.store.redis.connection import Connection, Store
from lfr.tasks.catalogue import CATALOGUE, WAIT_PREFIX, find_built_in, is_reserved
from lfr.values.checks import suggestion

_ALL_ROLE: Final = "worker"
"""The role that does all built-in tasks."""

_SIMULATE_ROLE: Final = "simulate"

WAIT_ROLES: Final = ("wait", _ALL_ROLE)
"""The roles that do the `wait:` tasks."""


@dataclass(frozen=True, slots=True)
class MissingWorker:
    """A task that no live worker does.

    message     says so, such as `no live worker does img:resize`
    hint        what to do, or what may be the reason
    is_certain  False if a foreign worker is there that may do it, although none has done so
    """

    task: str
    message: str
    hint: str
    is_certain: bool = True


def find_missing_workers(connection: Connection, bus: str, tasks: Iterable[str]) -> dict[str, MissingWorker]:
    """Return those of these tasks that wait for a worker although no live one does them, by name.

    `tasks` are the names of tasks that run, or wait to run. The number of round trips does not depend on
    theirs. Built-in tasks count, too.
    """
    names = set(tasks)
    return select_missing(connection, read_workforce(connection, bus), names) if names else {}


def select_missing(
    connection: Connection, workforce: Workforce, tasks: Iterable[str]
) -> dict[str, MissingWorker]:
    """Do as `find_missing_workers`, with the workforce that has been read."""
    names = sorted(set(tasks))
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


def find_unserved_tasks(store: Store, tasks: Iterable[str]) -> dict[str, MissingWorker]:
    """Return which of these tasks certainly nobody does now, by name, whether or not one waits; for an alias,
    name the task behind it. A call, `flow:NAME` or `flow:NAME@VERSION`, needs a stored flow."""
    names = dict.fromkeys(tasks)
    with store.connect() as connection:
        workforce = read_workforce(connection, store.stream)
        missing_flows = find_missing_flows(
            connection, [name.removeprefix(CALL_PREFIX) for name in names if name.startswith(CALL_PREFIX)]
        )
    absences = {task: explain_absence(workforce, task.partition("@")[0]) for task in names}
    for reference, error in missing_flows.items():
        task = f"{CALL_PREFIX}{reference}"
        absences[task] = MissingWorker(task, error.message, error.hint)
    return {task: worker for task, worker in absences.items() if worker is not None and worker.is_certain}


def task_of(step: Step) -> str:
    """Return the task that a worker does for a step, or for each of its items; empty if it needs none."""
    if step.kind is StepKind.RESOURCE:
        return STORE if step.sink else LOAD
    return step.task if step.kind is StepKind.TASK else ""


def explain_absence(workforce: Workforce, task: str) -> MissingWorker | None:
    """Return why no live worker does a task, or None if one does."""
    built_in = find_built_in(task)
    if built_in is not None:
        if workforce.runs_role(built_in.role, _ALL_ROLE):
            return None
        message = f"no role {built_in.role} runs, which does {task}"
        return MissingWorker(task, message, f"lfr {built_in.role}, or lfr {_ALL_ROLE}")
    if workforce.does(task) or (workforce.runs_role(_SIMULATE_ROLE) and not is_reserved(task)):
        return None
    message = f"no live worker does {task}"
    group = workforce.claims.group_of(task)
    if group is not None:
        return MissingWorker(task, message, f"its group {group} has no live process that does: start one")
    readers = bool(workforce.living_readers) or workforce.has_earlier_worker
    if task in workforce.foreign_tasks:
        return (
            None if readers else MissingWorker(task, message, "the foreign workers that did it read nothing")
        )
    hint = suggest_task(workforce, task) or "lfr tasks FILE.py runs a worker"
    if readers:
        return MissingWorker(task, f"no live worker is known to do {task}", hint, is_certain=False)
    return MissingWorker(task, message, hint)


def suggest_task(workforce: Workforce, task: str) -> str:
    """Return a question that names the most similar task that a group of workers has claimed, a foreign
    worker does, or a role does that runs; an empty text if there is none."""
    claims = set(workforce.claims.groups) | workforce.living_claims()
    built_in = {each.name for each in CATALOGUE if f"{each.name.partition(':')[0]}:*" in claims}
    if workforce.runs_role(*WAIT_ROLES):
        built_in |= {each.name for each in CATALOGUE if each.name.startswith(WAIT_PREFIX)}
    foreign = set(workforce.foreign_tasks) if workforce.living_readers else set()
    names = {claim for claim in claims if not claim.endswith("*")} | built_in | foreign
    return suggestion(task, sorted(names - {task}))
