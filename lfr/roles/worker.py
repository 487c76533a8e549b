"""The role worker: runs the lifecycle and the built-in tasks in one process, for a small installation."""

from __future__ import annotations

from lfr.roles.lifecycle import Lifecycle
from lfr.roles.redis import RedisTasks
from lfr.roles.request import request_executor
from lfr.roles.resource import resource_executor
from lfr.roles.wait import WaitTasks
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store.redis.connection import Store


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped. Return the exit code. Raises BadSettings."""
    consumers = [
        Lifecycle(store),
        WaitTasks(store),
        RedisTasks(store),
        request_executor(store),
        resource_executor(store),
    ]
    return run_consumers(context, consumers)
