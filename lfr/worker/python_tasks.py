"""Executes the task functions of a Python file: checks their parameters, awaits async functions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.runtime.tasks import is_current_with_retry
from lfr.store.redis.connection import Store
from lfr.store.workflows.attempt_status import drop_task_progress
from lfr.values.json import Json
from lfr.worker.context import Context
from lfr.worker.executor import AttemptOver, TaskExecutor, TaskFailed
from lfr.worker.registry import BadCall, Task, await_output


def make_executor(
    store: Store, group: str, tasks: Mapping[str, Task], *, concurrency: int, grace_seconds: float
) -> TaskExecutor:
    """Return an executor for these tasks, which are given by name."""

    def work(start: events.StartTask) -> Json:
        if not is_current_with_retry(store, start):
            raise AttemptOver
        try:
            return _call(tasks[start.base], start, Context(store, start))
        finally:
            with suppress(Unreachable, Refused), store.connect() as connection:
                drop_task_progress(connection, start)

    return TaskExecutor(
        store, group, work, accepts=tasks.__contains__, concurrency=concurrency, grace_seconds=grace_seconds
    )


def _call(task: Task, start: events.StartTask, context: Context) -> Json:
    try:
        arguments = task.arguments(start.input, start.parameters, context)
    except BadCall as error:
        raise TaskFailed(f"{start.base}: {error}") from None
    return await_output(task.function(*arguments.args, **arguments.kwargs))
