"""The tasks of a file, as a runner does them: parameters checked, async functions awaited."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.runtime.retry import is_current_with_retry
from lfr.store.redis.connection import Store
from lfr.store.workflows.attempt_status import drop_task_progress
from lfr.values.json import Json
from lfr.worker.context import Context
from lfr.worker.executor import AttemptOver, TaskExecutor, TaskFailed, Work
from lfr.worker.registry import BadCall, Task, finished


def make_executor(
    store: Store, group: str, tasks: Mapping[str, Task], *, concurrency: int, grace_seconds: float
) -> TaskExecutor:
    """A runner of these tasks."""
    work = _work(store, tasks)
    return TaskExecutor(
        store, group, work, is_ours=tasks.__contains__, concurrency=concurrency, grace_seconds=grace_seconds
    )


def _work(store: Store, tasks: Mapping[str, Task]) -> Work:
    def work(started: events.StartTask) -> Json:
        if not is_current_with_retry(store, started):
            raise AttemptOver
        context = Context(store, started)
        try:
            return _do(tasks[started.base], started, context)
        finally:
            with suppress(Unreachable, Refused), store.connect() as connection:
                drop_task_progress(connection, started)

    return work


def _do(task: Task, started: events.StartTask, context: Context) -> Json:
    try:
        call = task.arguments(started.input, started.parameters, context)
    except BadCall as error:
        raise TaskFailed(f"{started.base}: {error}") from None
    return finished(task.function(*call.args, **call.kwargs))
