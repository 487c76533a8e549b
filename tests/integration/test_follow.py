"""Looking on while a workflow runs: nothing that happens is left out."""

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


def events(store: Store, id: str) -> list[str]:
    ours = Client(store.settings.redis_url)
    return [change["event"] for news in ours.follow(id) for change in news["changes"]]


def test_what_ends_between_two_reads_is_told_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    id = start_workflow(store, "A", {}).id
    execute, ends = Connection.execute, [lambda: terminate_workflow(store, id)]

    def execute_and_end(connection: Connection, commands: Sequence[Command], **options: Any) -> list[Any]:
        replies = execute(connection, commands, **options)
        if ends and commands[0][0] == "XREAD":  # its history has been read, and not yet what it is
            ends.pop()()
        return replies

    monkeypatch.setattr(Connection, "execute", execute_and_end)
    assert events(store, id)[-1] == "terminated"


def test_a_long_history_of_what_has_ended_is_told_whole(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A", {}).id
    moment = client.xrange(keys.history(id))[0][1]
    with client.pipeline() as pipeline:
        for _ in range(2500):
            pipeline.xadd(keys.history(id), moment)
        pipeline.execute()
    terminate_workflow(store, id)
    told = events(store, id)
    assert len(told) > 2500
    assert told[-1] == "terminated"
