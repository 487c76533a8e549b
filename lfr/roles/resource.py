"""The role resource: runs the `resource:` tasks, which load and store files and URLs."""

from __future__ import annotations

from typing import Final

from lfr import events
from lfr.outbound.resources import ResourceClient, ResourceFailed
from lfr.runtime.process import RoleContext, run_consumers
from lfr.step_options import LOAD, STORE
from lfr.store.redis.connection import Store
from lfr.tasks.http import idempotency_key
from lfr.tasks.parameters import BadParameter
from lfr.tasks.resource import parse_load, parse_store
from lfr.tasks.uri_policy import BadLocation
from lfr.values.json import Json
from lfr.worker.executor import TaskExecutor
from lfr.worker.failures import TaskFailed

_CONCURRENCY: Final = 32
"""How many tasks run at once; most of their time they wait for servers."""

_SHARE: Final = 16
"""How many of them one workflow may have, so that slow ones do not stop the others."""


def resource_executor(store: Store) -> TaskExecutor:
    """Return the executor of the resource: tasks. Raises BadSettings."""
    client = ResourceClient(store.settings)

    def work(task: events.StartTask) -> Json:
        return load_or_store(client, task)

    claims = (LOAD, STORE)
    return TaskExecutor(store, "resource", work, claims=claims, concurrency=_CONCURRENCY, share=_SHARE)


def load_or_store(client: ResourceClient, task: events.StartTask) -> Json:
    """Run one task and return its output: what was loaded, or `{}` after a store. Raises TaskFailed."""
    try:
        if task.base == LOAD:
            return client.load(parse_load(task.parameters))
        key = idempotency_key(task.workflow, task.index, task.input)
        client.store(parse_store(task.parameters), task.input, key)
        return {}
    except BadParameter as error:
        raise TaskFailed(str(error), is_final=True) from None
    except (BadLocation, ResourceFailed) as error:
        raise TaskFailed(f"{task.base}: {error}", is_final=isinstance(error, BadLocation)) from None


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped and return the exit code. Raises BadSettings."""
    return run_consumers(context, [resource_executor(store)])
