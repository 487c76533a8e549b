"""Looking on while a workflow runs: nothing that happens is left out."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from lfr.operations import observe
from lfr.operations.intervene import terminate_workflow
from lfr.operations.observe import follow_workflow
from lfr.operations.start import start_workflow
from lfr.store import keys
from lfr.store.connection import Store


def events(store: Store, id: str) -> list[str]:
    return [change["event"] for news in follow_workflow(store, id) for change in news["changes"]]


def test_what_ends_between_two_reads_is_told_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    id = start_workflow(store, "A", {}).id
    read, calls = observe.read_records, [0]

    def read_later(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:  # its history has been read
            terminate_workflow(store, id)
        return read(*arguments)

    monkeypatch.setattr(observe, "read_records", read_later)
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
