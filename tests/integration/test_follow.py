"""Following a workflow misses no change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from lfr import Client
from lfr.errors import NotFound
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.follow import follow_workflow
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Store
from tests.integration.conftest import Stepper, append, settle


def followed_events(store: Store, id: str) -> list[str]:
    updates = Client(store.settings.redis_url).follow(id)
    return [change["event"] for update in updates for change in update["changes"]]


def test_an_end_between_two_reads_is_followed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    id = start_workflow(store, "A", {}).id
    execute, ends = Connection.execute_unchecked, [lambda: terminate_workflow(store, id)]

    def execute_and_end(connection: Connection, commands: Sequence[Command]) -> list[Any]:
        replies = execute(connection, commands)
        if ends and any(command[0] == "LRANGE" for command in commands):
            ends.pop()()
        return replies

    monkeypatch.setattr(Connection, "execute_unchecked", execute_and_end)
    assert followed_events(store, id)[-1] == "terminated"


def test_a_long_history_is_followed_to_its_end(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A", {}).id
    client.rpush(keys.facts(id), *client.lrange(keys.facts(id), 0, -1) * 2500)
    terminate_workflow(store, id)
    events = followed_events(store, id)
    assert len(events) > 2500
    assert events[-1] == "terminated"


def test_a_workflow_that_is_deleted_is_followed_no_longer(store: Store) -> None:
    id = start_workflow(store, "A", {}, "again").id
    updates = Client(store.settings.redis_url).follow(id)
    next(updates)
    terminate_workflow(store, id)
    delete_workflow(store, id)
    start_workflow(store, "B", {}, "again")
    with pytest.raises(NotFound, match="has been deleted"):
        next(updates)


def test_a_workflow_that_is_restored_under_its_id_is_another_one(store: Store) -> None:
    id = start_workflow(store, "A", {}).id
    updates = Client(store.settings.redis_url).follow(id)
    next(updates)
    document = archive_workflow(store, id)
    terminate_workflow(store, id)
    delete_workflow(store, id)
    assert restore_workflow(store, document) == id
    with pytest.raises(NotFound, match="has been deleted"):
        next(updates)


def test_an_idle_workflow_costs_few_commands(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A", {}).id
    updates = Client(store.settings.redis_url).follow(id, timeout=1)
    next(updates)
    client.config_resetstat()
    assert list(updates) == []
    calls = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
    assert calls["cmdstat_lrange"] <= 50
    assert calls.keys() - {"cmdstat_config|resetstat", "cmdstat_config", "cmdstat_info"} == {
        "cmdstat_multi",
        "cmdstat_hmget",
        "cmdstat_lrange",
        "cmdstat_exec",
    }


def test_an_update_has_the_outputs_of_tasks_that_have_ended(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "{ a b } -> c", {}).id
    append(client, kind="end-task", workflow=id, name="a", index=2, output={"n": 7})
    append(client, kind="end-task", workflow=id, name="b", index=3, output="x" * 5000)
    settle(client, lifecycle)
    update = next(follow_workflow(store, id, outputs=True))
    assert update["outputs"] == {"2": '{"n":7}', "3": 5002}
    assert "outputs" not in next(follow_workflow(store, id))
