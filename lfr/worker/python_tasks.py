"""Executes the task functions of a Python file: checks their parameters and calls them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

from lfr import events
from lfr.store.redis.connection import Command, Store
from lfr.store.workflows.attempt_status import drop_progress_command
from lfr.values.json import Json
from lfr.worker.context import Context, run_at_once
from lfr.worker.executor import TaskExecutor
from lfr.worker.failures import TaskFailed
from lfr.worker.registry import BadCall, Task
from lfr.worker.threads import ThreadPool


def make_executor(
    store: Store, group: str, tasks: Mapping[str, Task], *, concurrency: int, grace_seconds: float
) -> TaskExecutor:
    """Return an executor for these tasks, which are given by name."""
    async_names = {name for name, task in tasks.items() if inspect.iscoroutinefunction(task.function)}
    contexts: dict[int, Context] = {}  # of the running tasks, by the `id` of the start-task
    background = ThreadPool(1)

    def work(start: events.StartTask) -> Json:
        task = tasks[start.base]
        context = Context(store, start, background.submit if task.name in async_names else run_at_once)
        if task.has_context:
            contexts[id(start)] = context
        try:
            arguments = task.arguments(start.input, start.parameters, context)
        except BadCall as error:
            raise TaskFailed(f"{start.base}: {error}", is_final=True) from None
        return task.function(*arguments.args, **arguments.kwargs)

    def end_commands(start: events.StartTask) -> Sequence[Command]:
        context = contexts.pop(id(start), None)
        return (drop_progress_command(start),) if context and context.end() else ()

    return TaskExecutor(
        store,
        group,
        work,
        claims=tuple(tasks),
        is_async=async_names.__contains__,
        end_commands=end_commands,
        concurrency=concurrency,
        grace_seconds=grace_seconds,
    )
