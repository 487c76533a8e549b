"""The route for many workflows at once: bounded requests, one plan."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.operations import bulk as bulk_operations
from lfr.web.routes import bulk
from tests.web.conftest import Caller, start

WHERE = "flow=x state=RUNNING"


def act(call: Caller, **body: Any) -> Any:
    return call("POST", "/workflows/bulk", {"where": WHERE, **body}).json


def test_requests_are_repeated_until_all_is_done(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MAX_WORKFLOWS", 2)
    monkeypatch.setattr(bulk_operations, "_PAGE", 3)
    ids = [start(call, id=f"w{n}") for n in range(5)]
    other = start(call, "@flow y a", id="other")
    dry = act(call, action="terminate", dry_run=True)
    assert (dry["states"], dry["next"]) == ({"RUNNING": 5}, None)
    result = {"as_of": dry["as_of"], "next": None}
    counts = []
    while True:
        result = act(call, action="terminate", as_of=result["as_of"], next=result["next"])
        counts.append((result["changed"], result["unchanged"], result["problems"]))
        if result["next"] is None:
            break
    assert counts == [(2, 0, []), (2, 0, []), (1, 0, [])]
    assert call("GET", "/inprogress").json == [other]
    assert {call("GET", f"/workflows/{id}").json["state"] for id in ids} == {"TERMINATED"}


def test_what_stays_has_a_reason(call: Caller) -> None:
    id = start(call)
    call("POST", f"/workflows/{id}/steps/1/fail", {})
    reply = act(call, action="retry", index=2, where="state=FAILED")
    assert (reply["changed"], [each["workflow"] for each in reply["problems"]]) == (0, [id])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "action is missing"),
        ({"action": "explode"}, "there is no action explode"),
        ({"action": "delete", "where": "x"}, "there is no condition on x"),
        ({"action": "delete", "where": ""}, "a filter must have a condition"),
        ({"action": "terminate", "next": "x"}, "next is not the cursor of a page"),
        ({"action": "delete", "as_of": "x"}, "which is no time before now"),
        ({"action": "terminate", "dry_run": 1}, "dry_run is 1"),
        ({"action": "retry", "index": "1"}, "index is"),
        ({"action": "restart"}, "names no state in which restart is possible"),
        ({"action": "delete", "were": "flow=x"}, "were"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(call: Caller, body: dict[str, Any], detail: str) -> None:
    reply = call("POST", "/workflows/bulk", {"where": WHERE, **body})
    assert reply.status == 400 and detail in reply.json["detail"]


def test_archives_need_a_folder(call: Caller) -> None:
    assert call("POST", "/workflows/bulk", {"action": "archive", "where": WHERE}).status == 409


def test_a_list_is_filtered_by_a_text(call: Caller) -> None:
    body = {"workflow": "@flow x\na", "id": "labelled", "labels": {"tenant": 7}}
    id = call("POST", "/workflows/start", body).json["workflow"]
    start(call, id="other")
    reply = call("GET", "/workflows?where=label.tenant%3D7%20since%3D1h")
    assert [(each["id"], each["labels"]) for each in reply.json] == [(id, {"tenant": "7"})]
    assert reply.headers["Lfr-Examined"].endswith(("/1", "/2"))
    refused = call("GET", "/workflows?where=stat%3D7")
    assert (refused.status, refused.json["errors"][0]["column"]) == (400, 1)
    refused = call("POST", "/workflows/start", {**body, "labels": {"a b": 1}})
    assert refused.status == 400 and "a label's name" in refused.json["detail"]
