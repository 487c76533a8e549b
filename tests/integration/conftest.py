"""Fixtures that run roles inside the test, one pass at a time, on a real server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.host.valkey import ValkeyServer
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.stream.groups import create_group
from tests.conftest import emptied
from tests.support.waiting import eventually


@pytest.fixture
def redis_url(each_server: ValkeyServer) -> str:
    """The address of an empty server: these tests run once on each kind of server."""
    return emptied(each_server)


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return Settings(redis_url=redis_url, redis_timeout_seconds=5)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    yield store
    store.pool.disconnect()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A plain client, which uses no code of lfr."""
    with redis.Redis.from_url(redis_url, decode_responses=True, protocol=2) as client:
        yield client


class Stepper:
    """Runs single passes of a role and never blocks."""

    def __init__(self, consumer: Consumer, connection: Connection) -> None:
        self.consumer = consumer
        self.connection = connection
        create_group(connection, consumer.store.stream, consumer.id.group)

    def step(self) -> None:
        """Run one pass with the entries that are on the stream now."""
        self.consumer.run_pass(self.connection)


@pytest.fixture
def stepper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Consumer], Stepper]]:
    """Returns a function that makes a Stepper of a role."""
    monkeypatch.setattr("lfr.runtime.consumer._LONGEST_BLOCK_SECONDS", 0.001)
    with ExitStack() as stack:

        def make(consumer: Consumer) -> Stepper:
            return Stepper(consumer, stack.enter_context(consumer.store.connect()))

        yield make


def append(client: redis.Redis, **fields: Any) -> str:
    """Append an event as another program does. Return its entry id."""
    from rqse.client import encode_dictionary
    from rqse.messaging import message

    return str(client.xadd("workflows:run", encode_dictionary(message(fields))))


def started_tasks(client: redis.Redis) -> list[dict[str, str]]:
    """Return the start-task events on the stream, with encoded fields."""
    return [fields for _, fields in client.xrange("workflows:run") if fields["kind"] == '"start-task"']


def events_of(client: redis.Redis, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind on the stream, in order."""
    events = [
        {name: json.loads(value) for name, value in fields.items()}
        for _, fields in client.xrange("workflows:run")
    ]
    return [event for event in events if event["kind"] == kind]


def settle(client: redis.Redis, *roles: Stepper) -> None:
    """Let the roles take passes until their groups have read and acknowledged all entries."""
    names = {role.consumer.id.group for role in roles}

    def step() -> bool:
        for role in roles:
            role.step()
        (last_id, _), *_ = client.xrevrange("workflows:run", count=1)
        groups = [group for group in client.xinfo_groups("workflows:run") if group["name"] in names]
        return all(group["pending"] == 0 and group["last-delivered-id"] == last_id for group in groups)

    eventually(step)
