"""Which tasks nobody does: by heartbeats, built-in roles, foreign groups, simulation."""

from __future__ import annotations

import json
from dataclasses import asdict

import redis

from lfr.language import check_flow
from lfr.operations.workers import find_unserved_tasks
from lfr.store import keys
from lfr.store.processes import Process
from lfr.store.redis.connection import Store

NAMES = ("img:resize", "wait:delay", "redis:GET", "send")


def beat(client: redis.Redis, role: str, claims: dict[str, list[str]] | None = None) -> str:
    """Do what a process does that is alive. Return its id."""
    process = Process(f"{role} here 1", role, role, "here", 1, "1.0", "", claims=claims)
    client.set(keys.process(process.id), json.dumps(asdict(process)), ex=60)
    client.sadd(keys.PROCESSES, process.id)
    return process.id


def unserved(store: Store) -> dict[str, tuple[str, str]]:
    return {name: (task.message, task.hint) for name, task in find_unserved_tasks(store, NAMES).items()}


def test_with_nobody_there_nobody_does_a_task(store: Store) -> None:
    assert unserved(store) == {
        "img:resize": ("no live worker does img:resize", "lfr tasks FILE.py runs a worker"),
        "wait:delay": ("no role wait runs, which does wait:delay", "lfr wait, or lfr worker"),
        "redis:GET": ("no role redis runs, which does redis:GET", "lfr redis, or lfr worker"),
        "send": ("no live worker does send", "lfr tasks FILE.py runs a worker"),
    }


def test_claims_of_living_processes_count_and_the_nearest_is_named(store: Store, client: redis.Redis) -> None:
    beat(client, "wait")
    beat(client, "tasks", {"images": ["img:resizes", "img:crop"], "mails": ["mail:*"]})
    assert {name: hint for name, (_, hint) in unserved(store).items()} == {
        "img:resize": "did you mean img:resizes?",
        "redis:GET": "lfr redis, or lfr worker",
        "send": "lfr tasks FILE.py runs a worker",
    }
    assert list(find_unserved_tasks(store, ["mail:send", "mails"])) == ["mails"]
    client.delete(keys.process(beat(client, "tasks", {"images": ["img:resize"]})))
    assert "img:resize" in unserved(store)


def test_whoever_may_do_any_task_keeps_tasks_of_users_from_being_reported(
    store: Store, client: redis.Redis
) -> None:
    client.delete(keys.process(beat(client, "worker")))
    id = beat(client, "tasks")  # of a version that does not say what it does
    assert list(unserved(store)) == ["wait:delay", "redis:GET"]
    client.delete(keys.process(id))
    id = beat(client, "simulate")
    assert list(unserved(store)) == ["wait:delay", "redis:GET"]
    client.delete(keys.process(id))
    client.xgroup_create(store.stream, "foreign", mkstream=True)
    assert len(unserved(store)) == 4
    client.xgroup_createconsumer(store.stream, "foreign", "one")
    assert list(unserved(store)) == ["wait:delay", "redis:GET"]
    beat(client, "worker")
    assert unserved(store) == {}


def test_the_check_of_a_flow_shows_where_a_task_stands() -> None:
    def find(names: object) -> dict[str, tuple[str, str]]:
        assert list(names) == ["resource:load", "a", "b", "wait:delay"]  # type: ignore[call-overload]
        return {"b": ("nobody does b", "do it")}

    text = "@task x = b; <u> -> a -> x -> b -> wait:delay (- duration: 1 -) -> wait:dely"
    checked = check_flow(text, find_unserved=find)
    warning = next(each for each in checked.diagnostics if "nobody" in each.message)
    assert (warning.severity, warning.line, warning.column, warning.hint) == ("warning", 1, 26, "do it")
