"""Events with one malformed field: they stop no role, whatever else becomes of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
import redis

from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.simulate import Simulate
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper

Make = Callable[[Consumer], Stepper]

FLOW = "a -> * b -> c; wait:event (- {event: ok, match: {x: 1}} -) -> d; wait:delay (- duration: 100 -)"

KINDS = (
    *("end-task", "start-task", "cancel-task", "start-workflow", "end-workflow", "failed-workflow"),
    *("terminated-workflow", "receipt", "ok"),
)
BASES = ("a", "wait:delay", "wait:event", "wait:acquire", "lfr:each")

FIELDS = (
    *("kind", "at", "workflow", "name", "base", "index", "attempt", "input", "parameters", "output"),
    *("status", "reason", "for", "action", "x"),
)

MALFORMED = (
    *("", "x", '"x', "null", "true", "-1", "1.5", "[]", "{}", "NaN", "1e999", '{"a":[-1e400]}', '"\\u0000"'),
    *('"\\ud800"', '{"\\ud800":"\\udfff"}', '"x\\r\\ny"', "1" * 22, "1" * 4200, "1" * 5000),
    *("[" * 300 + "]" * 300, '"' + "x" * 100_000 + '"', b'"\xff"', b"\x00"),
)
"""Values of fields; a few of them are right for some fields."""


def events(workflow: str, field: str) -> list[dict[str, str | bytes]]:
    """Return an event of each kind for each malformed value of this field."""
    return [
        {
            "kind": json.dumps(kind),
            "workflow": json.dumps(workflow),
            "name": json.dumps(base),
            "base": json.dumps(base),
            "index": "1",
            "status": '"FAILURE"' if field == "reason" else '"SUCCESS"',
            "for": '"1-1"',
            "action": '"processed"',
            "input": "{}",
            "parameters": '{"duration": 1, "event": "ok", "name": "n"}',
            field: value,
        }
        for kind in KINDS
        for base in (BASES if kind == "start-task" else BASES[:1])
        for value in MALFORMED
    ]


@pytest.mark.parametrize("field", FIELDS)
def test_malformed_fields_stop_no_role(store: Store, client: redis.Redis, stepper: Make, field: str) -> None:
    consumers = (
        Lifecycle(store),
        WaitTasks(store),
        Receipts(store, io.StringIO()),
        Simulate(store, 0.0, 0.0),
    )
    roles = [stepper(consumer) for consumer in consumers]
    for event in events(start_workflow(store, FLOW).id, field):
        client.xadd(store.stream, event)
    id = start_workflow(store, "a -> b").id
    for _ in range(200):
        for role in roles:
            role.step()
        if inspect_workflow(store, id)["state"] != "RUNNING":
            break
    assert inspect_workflow(store, id)["state"] == "FINISHED"


def test_a_reason_that_utf_8_cannot_hold_is_kept_as_its_escape(
    store: Store, client: redis.Redis, stepper: Make
) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "a").id
    event = {"kind": '"end-task"', "workflow": json.dumps(id), "name": '"a"', "index": "1"}
    client.xadd(store.stream, {**event, "status": '"FAILURE"', "reason": '"no \\ud800"'})
    lifecycle.step()
    lifecycle.step()
    workflow = inspect_workflow(store, id)
    assert (workflow["state"], workflow["reason"]) == ("FAILED", r"no \ud800")
