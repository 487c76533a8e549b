"""Dead letters are put back as they were or dismissed, each once, by somebody."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis

from lfr.actor import Actor
from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.dead_letters import describe_dead_letter, handle_dead_letters, list_dead_letters
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.redis import connection as connection_module
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper

Make = Callable[[Consumer], Stepper]

ANN = Actor("ann@web1", "a worker of last week")


@pytest.fixture
def lifecycle(store: Store, stepper: Make) -> Stepper:
    return stepper(Lifecycle(store))


def bury(client: redis.Redis, lifecycle: Stepper, *events: dict[str, str]) -> list[str]:
    """Append events that cannot be understood, and return the ids of their dead letters, oldest first."""
    for event in events:
        client.xadd("workflows:run", event)
    lifecycle.step()
    return [id for id, _ in client.xrange(keys.DEAD_LETTERS)][-len(events) :]


def bury_end(client: redis.Redis, lifecycle: Stepper, workflow: str) -> str:
    """Append the end of a task of a workflow that does not exist, and return the id of the dead letter."""
    event = {"kind": "end-task", "workflow": workflow, "index": 1, "name": "a", "output": {"n": 1}}
    [id] = bury(client, lifecycle, {name: json.dumps(value) for name, value in event.items()})
    return id


def test_an_event_that_is_put_back_has_its_effect(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    id = start_workflow(store, "a").id
    archive = archive_workflow(store, id)
    terminate_workflow(store, id)
    delete_workflow(store, id)
    letter = bury_end(client, lifecycle, id)
    assert f"there is no workflow {id}" in list_dead_letters(store)[0]["reason"]
    restore_workflow(store, archive)
    restart_workflow(store, id)
    before = describe_dead_letter(store, letter)["fields"]
    assert handle_dead_letters(store, "retry", [letter]) == {"changed": 1, "problems": {}}
    [(_, event)] = client.xrevrange("workflows:run", count=1)
    assert event == before
    for _ in range(2):
        lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "FINISHED"
    assert list_dead_letters(store) == []


def test_what_is_not_understood_again_is_a_new_letter(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    [letter] = bury(client, lifecycle, {"kind": '"end-task"', "workflow": "no JSON"})
    handle_dead_letters(store, "retry", [letter])
    assert list_dead_letters(store) == []
    lifecycle.step()
    [again] = list_dead_letters(store)
    assert again["id"] != letter
    assert again["fields"] == {"kind": '"end-task"', "workflow": "no JSON"}


def test_an_event_goes_back_to_the_stream_that_it_came_from(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    client.xadd(keys.ENDS, {"kind": "garbage"})
    lifecycle.step()
    [letter] = list_dead_letters(store)
    handle_dead_letters(store, "retry", [letter["id"]])
    assert [fields for _, fields in client.xrange(keys.ENDS)] == [{"kind": "garbage"}]
    assert client.xlen("workflows:run") == 0


def test_a_letter_of_a_build_that_noted_no_stream_goes_to_the_bus(store: Store, client: redis.Redis) -> None:
    letter = client.xadd(
        keys.DEAD_LETTERS, {"id": "1-1", "at": "", "reason": "its", "event": '{"kind": "x"}'}
    )
    handle_dead_letters(store, "retry", [letter])
    assert [fields for _, fields in client.xrange("workflows:run")] == [{"kind": "x"}]


@pytest.mark.parametrize("action", ["retry", "dismiss"])
def test_a_letter_is_handled_once(
    store: Store,
    client: redis.Redis,
    lifecycle: Stepper,
    action: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [letter] = bury(client, lifecycle, {"kind": "garbage"})
    length = client.xlen("workflows:run")
    transact = connection_module.Connection.transact
    has_others = True

    def overtaken(self: connection_module.Connection, commands: list[object]) -> object:
        """Let somebody else handle the letter between the look and EXEC."""
        nonlocal has_others
        if has_others:
            has_others = False
            handle_dead_letters(store, "retry", [letter])
        return transact(self, commands)  # type: ignore[arg-type]

    monkeypatch.setattr(connection_module.Connection, "transact", overtaken)
    with pytest.raises(NotFound):
        handle_dead_letters(store, action, [letter])
    assert client.xlen("workflows:run") == length + 1  # the event of the other one
    assert client.exists(keys.DISMISSED_LETTERS) == 0


def test_a_dismissed_letter_says_who_and_can_be_put_back(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    [letter, other] = bury(client, lifecycle, {"kind": "garbage"}, {"kind": '"end-task"'})
    handle_dead_letters(store.acting(ANN), "dismiss", [letter])
    assert [each["id"] for each in list_dead_letters(store)] == [other]
    [dismissed] = list_dead_letters(store, dismissed=True)
    assert (dismissed["dismissed"]["by"], dismissed["dismissed"]["reason"]) == (ANN.name, ANN.reason)
    assert dismissed["dismissed"]["at"]
    with pytest.raises(BadInput, match="dismissed again"):
        handle_dead_letters(store, "dismiss", [dismissed["id"]], dismissed=True)
    handle_dead_letters(store, "retry", [dismissed["id"]], dismissed=True)
    assert list_dead_letters(store, dismissed=True) == []
    lifecycle.step()
    assert list_dead_letters(store)[0]["fields"] == {"kind": "garbage"}


def test_all_with_a_reason_are_handled_in_their_order(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    for number in range(120):
        bury_end(client, lifecycle, f"workflow:gone-{number}")
    bury(client, lifecycle, {"kind": "garbage"})
    reason = "there is no workflow workflow:gone-7"
    assert len(list_dead_letters(store, pattern=reason, size=500)) == 120
    last = client.xinfo_stream("workflows:run")["last-generated-id"]
    assert handle_dead_letters(store, "retry", pattern=reason)["changed"] == 120
    events = client.xrange("workflows:run", f"({last}")
    assert [json.loads(fields["workflow"]) for _, fields in events] == [
        f"workflow:gone-{number}" for number in range(120)
    ]
    assert handle_dead_letters(store, "dismiss")["changed"] == 1
    assert list_dead_letters(store) == []


def test_many_are_handled_although_some_are_gone(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    [letter] = bury(client, lifecycle, {"kind": "garbage"})
    result = handle_dead_letters(store, "dismiss", [letter, "1-1"])
    assert result["changed"] == 1
    assert "no such dead letter" in result["problems"]["1-1"]


def test_bytes_that_are_no_text_are_not_put_back(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    client.xadd("workflows:run", {"kind": b"\xff"})
    lifecycle.step()
    [letter] = list_dead_letters(store)
    with pytest.raises(Conflict, match="UTF-8"):
        handle_dead_letters(store, "retry", [letter["id"]])
    assert handle_dead_letters(store, "retry")["problems"].keys() == {letter["id"]}
    assert handle_dead_letters(store, "dismiss", [letter["id"]])["changed"] == 1
    [dismissed] = list_dead_letters(store, dismissed=True)
    with pytest.raises(Conflict, match="UTF-8"):
        handle_dead_letters(store, "retry", [dismissed["id"]], dismissed=True)


def test_the_log_of_receipts_says_who_handles_a_letter(
    store: Store, client: redis.Redis, lifecycle: Stepper
) -> None:
    from io import StringIO

    log = StringIO()
    receipts = Receipts(store, log)
    with store.connect() as connection:
        receipts.join(connection)
        receipts.on_pass(connection)
        [letter] = bury(client, lifecycle, {"kind": "garbage"})
        handle_dead_letters(store.acting(ANN), "dismiss", [letter])
        for _ in range(3):
            lifecycle.step()
            receipts.run_pass(connection)
    targets = [json.loads(line)["target"] for line in log.getvalue().splitlines()]
    [action] = [target for target in targets if target and target.get("kind") == "operator-action"]
    assert (action["action"], action["dead_letters"]) == ("dismiss-dead-letters", [letter])
    assert (action["lfr_actor"], action["lfr_reason"]) == (ANN.name, ANN.reason)


@pytest.mark.parametrize("ids", [[], ["x"], ["1-1-1"], ["٣-1"], ["1-1"] * 501])
def test_ids_are_checked(store: Store, ids: list[str]) -> None:
    with pytest.raises(BadInput):
        handle_dead_letters(store, "retry", ids)


def test_an_action_is_checked(store: Store) -> None:
    with pytest.raises(BadInput, match="no action"):
        handle_dead_letters(store, "burn")
    with pytest.raises(BadInput, match="one of both"):
        handle_dead_letters(store, "retry", ["1-1"], pattern="x")
