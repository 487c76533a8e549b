"""Waiting for the end of a workflow: who waits is woken by the event on the bus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr import Client
from lfr.errors import NotFound
from lfr.operations import wait_for_end as waiting
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store, open_store
from lfr.store.stream.entries import Entry
from tests.integration.conftest import Stepper
from tests.support.waiting import STALL_SECONDS, eventually

MakeStepper = Callable[[Lifecycle], Stepper]


class Waiter:
    """A thread that waits for the end of a workflow; `found` are the kinds of events that each of its reads
    of the bus has returned."""

    def __init__(self, store: Store, id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[list[bytes]] = []
        self.result: object = None
        read_later = waiting.read_later

        def spy(*arguments: Any, **options: Any) -> Sequence[Entry]:
            entries = read_later(*arguments, **options)
            self.found.append([entry.fields.get(b"kind", b"") for entry in entries])
            return entries

        def wait() -> None:
            try:
                self.result = waiting.wait_for_end(store, id, STALL_SECONDS)
            except NotFound as error:
                self.result = error

        monkeypatch.setattr(waiting, "read_later", spy)
        self.thread = threading.Thread(target=wait, daemon=True)
        self.thread.start()

    def join(self) -> object:
        self.thread.join(STALL_SECONDS)
        assert not self.thread.is_alive()
        return self.result


@pytest.fixture
def lfr(store: Store) -> Client:
    return Client(store.settings.redis_url)


def test_the_event_that_tells_the_end_wakes_who_waits(
    store: Store, lfr: Client, lifecycle: Stepper, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_MIN_PAUSE_SECONDS", STALL_SECONDS)
    monkeypatch.setattr(waiting, "_MAX_PAUSE_SECONDS", STALL_SECONDS)
    settings = replace(store.settings, redis_timeout_seconds=2 * STALL_SECONDS)
    id = lfr.run("a")
    lifecycle.step()
    client.xtrim("workflows:run", maxlen=0)
    waiter = Waiter(open_store(settings), id, monkeypatch)
    eventually(lambda: client.info("clients")["blocked_clients"])
    lfr.end(id, 1)
    lifecycle.step()
    assert waiter.join() is True
    assert waiter.found[-1] == [b'"end-workflow"']


def test_an_end_that_no_event_tells_is_found_by_looking(
    store: Store, lfr: Client, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = lfr.run("a")
    waiter = Waiter(store, id, monkeypatch)
    eventually(lambda: waiter.found)
    client.hset(id, "state", "FAILED")
    assert waiter.join() is True


def test_a_workflow_that_is_deleted_is_not_waited_for(
    store: Store, lfr: Client, lifecycle: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = lfr.run("a")
    waiter = Waiter(store, id, monkeypatch)
    eventually(lambda: waiter.found)
    lfr.terminate(id)
    lfr.delete(id)
    result = waiter.join()
    assert result is True or isinstance(result, NotFound)  # it may have seen the end before


def test_another_workflow_with_the_id_is_another_one(
    store: Store, lfr: Client, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = lfr.run("a")
    waiter = Waiter(store, id, monkeypatch)
    eventually(lambda: waiter.found)
    client.hset(id, "run", "another")
    assert isinstance(waiter.join(), NotFound)
