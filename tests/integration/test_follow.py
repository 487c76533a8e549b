"""Following a workflow misses no change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import redis

from lfr import Client
from lfr.operations.intervene import terminate_workflow
from lfr.operations.start import start_workflow
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Store


def followed_events(store: Store, id: str) -> list[str]:
    updates = Client(store.settings.redis_url).follow(id)
    return [change["event"] for update in updates for change in update["changes"]]


def test_an_end_between_two_reads_is_followed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    id = start_workflow(store, "A", {}).id
    execute, ends = Connection.execute, [lambda: terminate_workflow(store, id)]

    def execute_and_end(connection: Connection, commands: Sequence[Command], **options: Any) -> list[Any]:
        replies = execute(connection, commands, **options)
        if ends and commands[0][0] == "XREAD":  # after the history and before the record
            ends.pop()()
        return replies

    monkeypatch.setattr(Connection, "execute", execute_and_end)
    assert followed_events(store, id)[-1] == "terminated"


def test_a_long_history_is_followed_to_its_end(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A", {}).id
    fields = client.xrange(keys.history(id))[0][1]
    with client.pipeline() as pipeline:
        for _ in range(2500):
            pipeline.xadd(keys.history(id), fields)
        pipeline.execute()
    terminate_workflow(store, id)
    events = followed_events(store, id)
    assert len(events) > 2500
    assert events[-1] == "terminated"
