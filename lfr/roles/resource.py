"""Loads and stores what flows name, files and by HTTP: the `resource:` tasks."""

from __future__ import annotations

from typing import Final

from lfr import events
from lfr.outbound.resources import ResourceClient, ResourceFailed
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.retry import is_current_with_retry
from lfr.store.redis.connection import Store
from lfr.tasks.catalogue import LOAD, STORE
from lfr.tasks.http import idempotency_key
from lfr.tasks.parameters import BadParameter
from lfr.tasks.resource import parse_load, parse_store
from lfr.tasks.uri_policy import BadLocation
from lfr.values.json import Json
from lfr.worker.executor import AttemptOver, TaskExecutor, TaskFailed

_CONCURRENCY: Final = 16
"""How many resources are loaded and stored at once: most of the time is spent waiting for servers."""


def resource_runner(store: Store) -> TaskExecutor:
    """Does the tasks of resources. Any number of these may run side by side. Raises BadSettings."""
    resources = ResourceClient(store.settings)

    def work(task: events.StartTask) -> Json:
        if not is_current_with_retry(store, task):
            raise AttemptOver
        return load_or_store(resources, task)

    return TaskExecutor(
        store, "resource", work, is_ours=lambda task: task in (LOAD, STORE), concurrency=_CONCURRENCY
    )


def load_or_store(resources: ResourceClient, task: events.StartTask) -> Json:
    """Do one task; its output. Raises TaskFailed."""
    try:
        if task.base == LOAD:
            return resources.load(parse_load(task.parameters))
        key = idempotency_key(task.workflow, task.index, task.input)
        resources.store(parse_store(task.parameters), task.input, key)
        return {}
    except BadParameter as error:
        raise TaskFailed(str(error)) from None
    except (BadLocation, ResourceFailed) as error:
        raise TaskFailed(f"{task.base}: {error}") from None


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped; the process's exit code. Raises BadSettings."""
    return run_consumers(context, [resource_runner(store)])
