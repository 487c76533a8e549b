"""Executes the task functions of a Python file: checks their parameters and calls them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Mapping, Sequence

from lfr import events
from lfr.store.redis.connection import Command, Store
from lfr.store.workflows.attempt_status import drop_progress_command
from lfr.values.json import Json
from lfr.worker.attempt_log import AttemptLog
from lfr.worker.capture import AttemptCapture
from lfr.worker.context import Context, run_at_once
from lfr.worker.executor import TaskExecutor
from lfr.worker.failures import TaskFailed
from lfr.worker.log_sender import LogSender
from lfr.worker.registry import BadCall, Task
from lfr.worker.threads import ThreadPool


def make_executor(
    store: Store, group: str, tasks: Mapping[str, Task], *, concurrency: int, grace_seconds: float
) -> TaskExecutor:
    """Return an executor for these tasks, which are given by name."""
    async_names = {name for name, task in tasks.items() if inspect.iscoroutinefunction(task.function)}
    contexts: dict[int, Context] = {}  # of the running tasks, by the `id` of the start-task
    logs: dict[int, AttemptLog] = {}  # likewise
    background = ThreadPool(1)
    sender = LogSender(store)
    log_limit, process = store.settings.logs_attempt, os.getpid()

    def work(start: events.StartTask) -> Json | Awaitable[Json]:
        if not log_limit:
            return call(start)
        log = logs[id(start)] = AttemptLog(start, log_limit, process)
        with AttemptCapture(log, sender):
            output = call(start)
        if inspect.isawaitable(output):
            log.leave_thread()
            return awaited(log, output)
        return output

    async def awaited(log: AttemptLog, output: Awaitable[Json]) -> Json:
        with AttemptCapture(log, sender):
            return await output

    def call(start: events.StartTask) -> Json | Awaitable[Json]:
        task = tasks[start.base]
        context = Context(store, start, background.submit if task.name in async_names else run_at_once)
        if task.has_context:
            contexts[id(start)] = context
        try:
            arguments = task.arguments(start.input, start.parameters, context)
        except BadCall as error:
            raise TaskFailed(f"{start.base}: {error}", is_final=True) from None
        output: Json | Awaitable[Json] = task.function(*arguments.args, **arguments.kwargs)
        return output

    def end_commands(start: events.StartTask) -> Sequence[Command]:
        context, log = contexts.pop(id(start), None), logs.pop(id(start), None)
        commands = [drop_progress_command(start)] if context and context.end() else []
        if log is not None:
            sender.drop(log)
            commands += log.end()
        return commands

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
