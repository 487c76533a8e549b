"""A history has a bound: the oldest entries go, the workflow says so, and what they said is still true."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import redis

from lfr.actor import make_actor
from lfr.config.settings import Settings
from lfr.engine.transition import Fact, FactKind
from lfr.errors import BadInput
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.follow import follow_workflow
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow, list_history
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store, open_store
from lfr.store.workflows.commit import history_command
from tests.integration.conftest import Stepper, append_to, started_tasks
from tests.support.interference import overtaken

MOST = 100
LOOP = "@flow poll\nlook -> note -> :start"


@pytest.fixture
def store(settings: Settings) -> Store:
    return replace(open_store(replace(settings, history_most=MOST)), actor=make_actor("ann", ""))


def turn(client: redis.Redis, lifecycle: Stepper, id: str, passes: int) -> None:
    """End so many tasks of the workflow, one after the other."""
    for _ in range(passes):
        lifecycle.step()
        task = [task for task in started_tasks(client) if json.loads(task["workflow"]) == id][-1]
        fields = {
            name: json.loads(task[name])
            for name in ("workflow", "run", "index", "name", "attempt")
            if name in task
        }
        append_to(client, "workflows:ends", kind="end-task", status="SUCCESS", output={}, **fields)
    for _ in range(5):
        lifecycle.step()


def without_history(workflow: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in workflow.items() if name not in ("moment", "removed", "history")}


def test_a_loop_keeps_a_bounded_history_that_says_so(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, LOOP).id
    turn(client, lifecycle, id, 120)
    assert 80 <= client.llen(f"{id}:facts") <= MOST
    workflow = inspect_workflow(store, id, history=True)
    removed, facts = workflow["removed"], workflow["history"]
    assert removed["entries"] + client.llen(f"{id}:facts") == int(workflow["moment"]) == 121
    assert removed["since"] == workflow["started"]
    assert facts[0]["event"] == "removed" and facts[0]["at"] == removed["until"] < facts[-1]["at"]
    assert facts[0]["reason"].startswith(f"{removed['entries']} entries since {removed['since'][:19]}Z ")
    assert facts == list_history(store, id)
    assert facts[:1] == list_history(store, id, since=workflow["started"])[:1]
    assert [fact["event"] for fact in list_history(store, id, since=removed["until"])][:1] != ["removed"]
    assert inspect_step(store, id, 1)["attempts"][0] == facts[0]
    states = [(step["name"], step["state"], step["attempt"]) for step in workflow["steps"]]
    assert states[:3] == [("", "DONE", 1), ("look", "RUNNING", 61), ("note", "DONE", 60)]
    assert workflow["by_hand"][0]["event"] == "started" and workflow["by_hand"][0]["index"] is None


def test_what_the_removed_entries_said_is_still_described(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "* a  slow", [1, 2, 3]).id
    for _ in range(3):
        lifecycle.step()
    iterated, slow = 1, 2
    with store.connect() as connection:
        entries = [
            ([Fact(iterated, FactKind.ENDED, 1, 0)], "", None),
            ([Fact(iterated, FactKind.FAILED, 1, 1)], "bad", None),
        ]
        connection.call(*history_command(id, 5_000, entries))
        before = inspect_workflow(store, id)
        others = [([Fact(slow, FactKind.ENDED, 1)], "", None), ([Fact(slow, FactKind.STARTED, 2)], "", None)]
        length = client.llen(f"{id}:facts")
        connection.call(*history_command(id, 9_000, others * MOST))
        expected = inspect_workflow(store, id)
        lifecycle.consumer._history_trimmer.note([("RPUSH", f"{id}:facts")], [MOST + 1])
        for _ in range(MOST):
            lifecycle.step()
    assert client.llen(f"{id}:facts") <= MOST
    after = inspect_workflow(store, id)
    assert after["removed"]["entries"] == length + 2 * MOST - client.llen(f"{id}:facts") > length
    assert after["moment"] == expected["moment"]
    assert without_history(after) == without_history(expected)
    assert after["steps"][iterated]["items"] == before["steps"][iterated]["items"]
    assert [item["state"] for item in after["steps"][iterated]["items"]["open"]] == ["FAILED", "RUNNING"]


def test_who_follows_is_told_of_the_gap_and_goes_on(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, LOOP).id
    turn(client, lifecycle, id, 120)
    update = next(follow_workflow(store, id))
    assert [change["event"] for change in update["changes"]].count("removed") == 1
    assert update["changes"][0]["event"] == "removed"
    assert update["moment"] == inspect_workflow(store, id)["moment"]
    late = next(follow_workflow(store, id, after=str(int(update["moment"]) - 1)))
    assert late["changes"] and all(change["event"] != "removed" for change in late["changes"])
    stream = follow_workflow(store, id, after=update["moment"])
    next(stream)
    turn(client, lifecycle, id, 60)
    changes = next(stream)["changes"]
    assert [change["event"] for change in changes].count("removed") == 0
    assert sum(change["event"] == "ended" and change["index"] in (1, 2) for change in changes) == 60


def test_archive_and_restore_keep_what_was_removed(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, LOOP).id
    turn(client, lifecycle, id, 120)
    document = json.loads(json.dumps(archive_workflow(store, id)))
    restored = restore_workflow(store, document, "workflow:again")
    assert list_history(store, restored)[:-1] == list_history(store, id)
    assert inspect_workflow(store, restored)["removed"] == inspect_workflow(store, id)["removed"]
    restart_workflow(store, restored)
    turn(client, lifecycle, restored, 30)
    assert inspect_workflow(store, restored)["steps"][1]["attempt"] > 61
    for path, value in (
        (("entries",), -1),
        (("steps", "1", "state"), "LOST"),
        (("steps", "99"), document["removed"]["steps"]["1"]),
        (("steps", "1", "started"), "soon"),
        (("by_hand",), {}),
        ((), 7),
    ):
        bad = copy.deepcopy(document)
        place: Any = bad
        for name in ("removed", *path)[:-1]:
            place = place[name]
        place[("removed", *path)[-1]] = value
        with pytest.raises(BadInput, match="removed entries"):
            restore_workflow(store, bad, "workflow:bad")
    for each in (id, restored):
        terminate_workflow(store, each)
        turn(client, lifecycle, each, 0)
        delete_workflow(store, each)
    assert list(client.scan_iter(match="workflow:*")) == []


def test_the_stream_of_an_earlier_version_goes_first(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, LOOP).id
    client.delete(f"{id}:facts")
    for number in range(1, 21):
        client.xadd(
            f"{id}:history", {"at": number, "facts": "=0 +1" if number == 1 else f"-1.{number} +1.{number}"}
        )
    client.rpush(f"{id}:facts", *(f"{number} -1.{number} +1.{number}" for number in range(21, 121)))
    lifecycle.consumer._history_trimmer.note([("RPUSH", f"{id}:facts")], [101])
    lifecycle.step()
    assert (client.xlen(f"{id}:history"), client.llen(f"{id}:facts")) == (10, 100)
    assert inspect_workflow(store, id)["removed"]["entries"] == 10
    lifecycle.step()
    lifecycle.step()
    assert (client.xlen(f"{id}:history"), client.llen(f"{id}:facts")) == (0, 100)
    workflow = inspect_workflow(store, id)
    assert (workflow["moment"], workflow["removed"]["entries"]) == ("100", 20)
    assert next(follow_workflow(store, id))["moment"] == "100"


def test_entries_that_others_append_or_remove_meanwhile_are_neither_lost_nor_counted_twice(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, LOOP).id
    client.rpush(f"{id}:facts", *(f"{number} -1.{number} +1.{number}" for number in range(2, 121)))
    other = Lifecycle(store)
    for consumer in (lifecycle.consumer, other):
        consumer._history_trimmer.note([("RPUSH", f"{id}:facts")], [120])

    def remove_and_append() -> None:
        with store.connect() as connection:
            other._history_trimmer.run(connection)
        client.hset(id, "note", 1)
        client.rpush(f"{id}:facts", "121 -1.121")

    with overtaken(lifecycle.connection, remove_and_append, writing=f"LTRIM {id}:facts"):
        for _ in range(5):
            lifecycle.step()
    workflow = inspect_workflow(store, id, history=True)
    assert workflow["moment"] == "121"
    assert workflow["removed"]["entries"] + client.llen(f"{id}:facts") == 121
    assert workflow["history"][1]["attempt"] == workflow["removed"]["entries"] + 1
