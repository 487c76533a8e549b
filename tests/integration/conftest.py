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
from lfr.lifecycle import housekeeper
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.stream.entries import ConsumerId
from lfr.values.stream_id import StreamId
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
        consumer.join(connection)
        if consumer.claims:  # no heartbeats tell that its group is alive
            connection.call("SET", keys.group_life(consumer.id.group), 1)
        if isinstance(consumer, Lifecycle):
            # The first transaction of its first pass is what a test means, not a check of the indexes.
            while consumer._housekeeper._search_indexer.run(connection):
                pass

    def step(self) -> None:
        """Run one pass with the entries that are on the stream now, until all that it has written counts."""
        self.consumer.run_pass(self.connection)
        self.connection.settle()


@pytest.fixture
def stepper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Consumer], Stepper]]:
    """Returns a function that makes a Stepper of a role."""
    monkeypatch.setattr("lfr.runtime.consumer._LONGEST_BLOCK_SECONDS", 0.001)
    # How busy the machine is does not decide which transaction of a role is its first.
    monkeypatch.setattr("lfr.roles.wait._TIDY_EVERY_SECONDS", float("inf"))
    # Nor whether what a test looks for on the bus has been cleared meanwhile.
    if housekeeper._EVERY_SECONDS > 0:  # else the test means the clearing
        monkeypatch.setattr(housekeeper, "_EVERY_SECONDS", float("inf"))
    with ExitStack() as stack:

        def make(consumer: Consumer) -> Stepper:
            return Stepper(consumer, stack.enter_context(consumer.store.connect()))

        yield make


@pytest.fixture
def lifecycle(store: Store, stepper: Callable[[Consumer], Stepper]) -> Stepper:
    return stepper(Lifecycle(store))


def append(client: redis.Redis, **fields: Any) -> str:
    """Append an event to the bus as another program does. Return its entry id."""
    return append_to(client, "workflows:run", **fields)


def append_to(client: redis.Redis, stream: str, **fields: Any) -> str:
    """Append an event to a stream. Return its entry id."""
    from rqse.client import encode_dictionary
    from rqse.messaging import message

    return str(client.xadd(stream, encode_dictionary(message(fields))))


def hold_events(client: redis.Redis) -> None:
    """Let a foreign group join that reads nothing. No event leaves the bus, and it gets copies of others."""
    client.xgroup_create("workflows:run", "listener", "0", mkstream=True)


def run_receipts_role(client: redis.Redis) -> None:
    """Tell the roles that a receipts role runs."""
    client.set(keys.RECEIPTS_ROLE, 1)


def joined_receipts(client: redis.Redis, stream: str = "") -> list[str]:
    """Return the entries of all streams, or of one, that have a receipt for many, in its order."""
    receipts = [fields for _, fields in client.xrange(keys.RECEIPTS)]
    chosen = [fields for fields in receipts if stream in ("", json.loads(fields["stream"]))]
    return [id for fields in chosen for id in json.loads(fields["for"])]


def streams(client: redis.Redis) -> list[str]:
    """Return the streams of events: the bus, the results, the queues."""
    return ["workflows:run", "workflows:ends", *sorted(client.scan_iter("workflows:tasks:*"))]


def all_entries(client: redis.Redis) -> list[tuple[str, dict[str, str]]]:
    """Return the entries of all streams of events in the order of their ids, with encoded fields."""
    entries = [entry for stream in streams(client) for entry in client.xrange(stream)]
    return sorted(entries, key=lambda entry: StreamId.parse(entry[0]))


def started_tasks(client: redis.Redis) -> list[dict[str, str]]:
    """Return the start-task events that are on a stream, with encoded fields."""
    return [fields for _, fields in all_entries(client) if fields["kind"] == '"start-task"']


def events_of(client: redis.Redis, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind that are on a stream, in the order of their ids."""
    events = [
        {name: json.loads(value) for name, value in fields.items()} for _, fields in all_entries(client)
    ]
    return [event for event in events if event["kind"] == kind]


def settle(client: redis.Redis, *roles: Stepper) -> None:
    """Let the roles take passes until their groups have read and acknowledged all entries."""

    def step() -> bool:
        for role in roles:
            role.step()
        return all(_has_settled(client, id) for role in roles for id in role.consumer.ids)

    eventually(step)


def _has_settled(client: redis.Redis, id: ConsumerId) -> bool:
    groups = {group["name"]: group for group in client.xinfo_groups(id.stream)}
    last_id = client.xinfo_stream(id.stream)["last-generated-id"]
    return groups[id.group]["pending"] == 0 and groups[id.group]["last-delivered-id"] == last_id
