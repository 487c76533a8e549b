"""Stores what tasks have written: the lines of task-log events go into the logs of their workflows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, TypeAlias

from lfr.config.settings import Settings
from lfr.store.queues.routes import RouteCache
from lfr.store.queues.settle import processed_commands
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.transaction import commit_together_or_singly
from lfr.store.stream.entries import ConsumerId, Entry
from lfr.store.workflows.attempt_status import is_of_run
from lfr.store.workflows.task_logs import AttemptKey, LogLimits, watch_logs
from lfr.task_log import TaskLog

TaskLogEntry: TypeAlias = tuple[Entry, TaskLog]

_MOST: Final = 200
"""How many events one transaction processes: each may have 64 KiB of lines."""


class TaskLogWriter:
    """Writes the logs of workflows. Lines for a workflow that does not exist, or of an earlier workflow with
    its id, are dropped."""

    def __init__(self, settings: Settings, consumers: Sequence[ConsumerId], route_cache: RouteCache) -> None:
        self._limits = LogLimits(settings.logs_attempt, settings.logs_workflow)
        self._consumers = consumers
        self._route_cache = route_cache

    def process(self, connection: Connection, logs: Sequence[TaskLogEntry]) -> None:
        """Store the lines of these events and settle them, in the same transaction."""
        for start in range(0, len(logs), _MOST):
            commit_together_or_singly(
                connection, logs[start : start + _MOST], partial(self._commands, connection)
            )

    def _commands(self, connection: Connection, logs: Sequence[TaskLogEntry]) -> list[Command]:
        attempts: dict[str, list[AttemptKey]] = {}
        for _, log in logs:
            attempts.setdefault(log.workflow, []).append((log.index, log.attempt))
        routes, loaded = watch_logs(connection, self._route_cache, attempts)
        for entry, log in logs:
            workflow, changes = loaded[log.workflow]
            if workflow is not None:
                run, started_ms = workflow
                if is_of_run(log.run, entry.id, run=run, started_ms=started_ms):
                    changes.append(log, self._limits, routes.now_ms)
        commands: list[Command] = []
        for _, changes in loaded.values():
            changes.drop_oldest(connection, self._limits.workflow)
            commands += changes.commands()
        return commands + processed_commands(routes, self._consumers, [entry for entry, _ in logs])
