"""The API's routes: what they answer, and that nothing undocumented comes back."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
import redis

from lfr.config.settings import Settings
from lfr.operations.doctor.examine import examine
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.roles.wait import WaitTasks
from lfr.store import keys
from lfr.store.redis.connection import Store, open_store
from lfr.store.stream.groups import create_group
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.routes.start import MAX_CHECKED_CHARACTERS
from lfr.worker.executor import TaskExecutor
from tests.web.conftest import Caller, Reply, start, step

API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_logs_are_read_page_by_page(call: Caller, store: Store, client: redis.Redis) -> None:
    id = start(call, input={"n": 1})
    log = {"kind": '"task-log"', "workflow": json.dumps(id), "index": "1", "attempt": "1", "host": '"pi"'}
    for number in range(4):
        client.xadd(store.stream, {**log, "lines": json.dumps([f"{number} {line}" for line in range(400)])})
    step(store)
    first = call("GET", f"/workflows/{id}/logs?step=1").json
    assert (first["has_more"], first["has_ended"]) == (True, False)
    assert (first["attempts"][0]["host"], first["attempts"][0]["lines"]) == ("pi", 1600)
    rest = call("GET", f"/workflows/{id}/logs?step=1&after={first['cursor']}").json
    lines = first["lines"] + rest["lines"]
    assert [line["number"] for line in lines] == list(range(1, 1601))
    assert (lines[-1]["text"], lines[-1]["name"], rest["has_more"]) == ("3 399", "a", False)
    assert call("GET", f"/workflows/{id}/logs?after={rest['cursor']}").json["lines"] == []
    assert call("GET", f"/workflows/{id}/logs?step=2").json["lines"] == []
    assert call("GET", f"/workflows/{id}/logs?step=9").status == 404
    assert call("GET", f"/workflows/{id}/logs?attempt=1").status == 400
    assert call("GET", f"/workflows/{id}/steps/1").json["evidence"] == first["attempts"]


def test_the_life_of_a_workflow(call: Caller, store: Store) -> None:
    id = start(call, input={"n": 1})
    assert call("GET", "/inprogress").json == [id]
    workflow = call("GET", f"/workflows/{id}").json
    assert (workflow["state"], workflow["input"]) == ("RUNNING", {"n": 1})
    assert workflow["flow"]["edges"] == [[0, 1], [1, 2], [2, 3]]
    state = call("GET", f"/workflows/{id.removeprefix('workflow:')}/state").json
    assert state["steps"][1]["state"] == "RUNNING"
    why = call("GET", f"/workflows/{id}/why?step=2").json
    assert [(step["cause"], step["cure"]) for step in why["steps"]] == [("predecessors", f"lfr why {id} 1")]
    assert call("GET", f"/workflows/{id}/why").json["steps"][0]["cause"] == "no-worker"
    assert call("GET", f"/workflows/{id}/why?step=9").status == 404
    assert call("GET", f"/workflows/{id}/source").body == b"@flow x\na -> b"
    assert call("GET", f"/workflows/{id}/graph").body.startswith(b"flowchart LR")
    assert call("GET", f"/workflows/{id}/graph?format=json").json["name"] == "x"
    assert call("DELETE", f"/workflows/{id}").status == 409
    assert call("POST", f"/workflows/{id}/restart").status == 409
    assert call("POST", f"/workflows/{id}/terminate").json == {"state": "TERMINATED"}
    archive = call("GET", f"/workflows/{id}/archive")
    assert "attachment" in archive.headers["Content-Disposition"]
    assert call("DELETE", f"/workflows/{id}").status == 204
    assert call("GET", f"/workflows/{id}").status == 404
    assert call("POST", "/workflows/restore", archive.json).json == {"workflow": id}
    assert call("POST", f"/workflows/{id}/restart").json == {"state": "RUNNING"}
    assert call("POST", f"/workflows/{id}/steps/1/skip", {"output": {"by": "hand"}}).status == 204
    assert call("GET", f"/workflows/{id}").json["steps"][2]["input"] == {"by": "hand"}
    assert call("POST", f"/workflows/{id}/steps/2/retry").status == 204
    assert call("POST", f"/workflows/{id}/steps/2/fail", {"reason": "no"}).status == 204
    assert call("GET", f"/workflows/{id}").json["reason"] == "no"
    history = call("GET", f"/workflows/{id}/history").json
    assert history[-1]["event"] == "failed"
    last = history[-1]["at"]
    for since in (last.replace("+", "%2B"), last, last.removesuffix("+00:00")):
        assert call("GET", f"/workflows/{id}/history?since={since}").json == []
    begun = history[0]["at"].removesuffix("+00:00")
    assert call("GET", f"/workflows/{id}/history?since={begun[:-1]}").json[0]["at"] >= begun
    assert len(call("GET", f"/workflows/{id}/history?since=1970-01-01").json) == len(history)
    assert "no time" in call("GET", f"/workflows/{id}/history?since=yesterday").json["detail"]


@pytest.mark.parametrize("value", [{}, [], "text", 5, True, None])
def test_values_of_any_kind(call: Caller, store: Store, value: Any) -> None:
    reply = call("POST", "/workflows/start", {"workflow": "a -> b -> c", "input": value})
    id = reply.json["workflow"]
    assert call("GET", f"/workflows/{id}").json["input"] == value
    assert call("POST", f"/workflows/{id}/steps/1/end", {"output": value}).status == 202
    step(store)
    assert call("GET", f"/workflows/{id}/steps/2").json["input"] == value
    assert call("POST", f"/workflows/{id}/steps/2/skip", {"output": value}).status == 204
    assert call("GET", f"/workflows/{id}/steps/3").json["input"] == value


def test_a_value_may_be_nested_as_deeply_in_a_request_as_elsewhere(call: Caller, store: Store) -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]
    id = call("POST", "/workflows/start", {"workflow": "a -> b -> c", "input": value}).json["workflow"]
    assert call("POST", f"/workflows/{id}/steps/1/end", {"output": value}).status == 202
    step(store)
    assert call("POST", f"/workflows/{id}/steps/2/skip", {"output": value}).status == 204
    assert call("GET", f"/workflows/{id}").json["steps"][3]["input"] == value
    archive = call("GET", f"/workflows/{id}/archive").json
    call("POST", f"/workflows/{id}/terminate")
    assert call("DELETE", f"/workflows/{id}").status == 204
    assert call("POST", "/workflows/restore", archive).status == 201
    for path, body in (
        ("/workflows/start", {"workflow": "a", "input": [value]}),
        (f"/workflows/{id}/steps/3/end", {"output": [value]}),
        (f"/workflows/{id}/steps/3/skip", {"output": [value]}),
    ):
        reply = call("POST", path, body)
        assert (reply.status, "200 levels" in reply.json["detail"]) == (400, True)


def test_without_an_input_and_an_output(call: Caller, store: Store) -> None:
    id = call("POST", "/workflows/start", {"workflow": "a -> b"}).json["workflow"]
    assert call("GET", f"/workflows/{id}").json["input"] == {}
    assert call("POST", f"/workflows/{id}/steps/1/end", {}).status == 202
    step(store)
    assert call("GET", f"/workflows/{id}/steps/2").json["input"] == {}


def test_a_task_is_ended_from_afar(call: Caller, store: Store, redis_url: str) -> None:
    id = start(call, input={"n": 1})
    late = call("POST", f"/workflows/{id}/steps/1/end", {"attempt": 2, "output": {"by": "nobody"}})
    accepted = call("POST", f"/workflows/{id}/steps/1/end", {"attempt": 1, "output": {"by": "afar"}})
    assert (late.status, accepted.status) == (409, 202)
    assert "attempt 2 of step 1" in late.json["detail"]
    assert redis.Redis.from_url(redis_url).xrange("workflows:ends", accepted.json["id"], accepted.json["id"])
    step(store)
    assert call("GET", f"/workflows/{id}").json["steps"][2]["input"] == {"by": "afar"}
    failure = {"status": "FAILURE", "reason": "cannot"}
    assert call("POST", f"/workflows/{id}/steps/2/end", failure).status == 202
    step(store)
    assert call("GET", f"/workflows/{id}").json["reason"] == "cannot"
    assert call("POST", f"/workflows/{id}/steps/0/end").status == 404  # the flow's start is no task
    over = call("POST", f"/workflows/{id}/steps/2/end")
    assert (over.status, "does not run" in over.json["detail"]) == (409, True)


def test_start_is_idempotent_by_id(call: Caller) -> None:
    id = start(call, id="mine", input={"n": 1})
    again = call("POST", "/workflows/start", {"workflow": "@flow x\na -> b", "id": "mine", "input": {"n": 1}})
    assert (again.status, again.json) == (200, {"workflow": id})
    other = call("POST", "/workflows/start", {"workflow": "a", "id": "mine"})
    assert (other.status, other.headers["Content-Type"]) == (409, "application/problem+json")


def test_a_start_with_the_same_idempotency_key_starts_nothing(call: Caller) -> None:
    body = {"workflow": "a", "input": {"n": 1}}
    first = call("POST", "/workflows/start", body, idempotency_key="order-7")
    again = call("POST", "/workflows/start", body, idempotency_key='"order-7"')
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    other = call("POST", "/workflows/start", {"workflow": "a", "input": {"n": 2}}, idempotency_key="order-7")
    assert other.status == 409
    assert call("POST", "/workflows/start", body, idempotency_key="order-8").json != first.json
    named = call("POST", "/workflows/start", {**body, "id": "x"}, idempotency_key="order-7")
    assert (named.status, named.json) == (201, {"workflow": "workflow:x"})
    assert call("POST", "/workflows/start", body, idempotency_key="k" * 256).status == 400


def test_a_stored_flow_is_started_by_its_name(call: Caller, store: Store) -> None:
    assert call("GET", "/flows").json == []
    apply_flows(store, [FlowSource("@flow order A")])
    apply_flows(store, [FlowSource("@flow order A -> B")])
    assert [(flow["name"], flow["version"]) for flow in call("GET", "/flows").json] == [("order", 2)]
    call("POST", "/flows", "@flow pay A")
    page = call("GET", "/flows?size=1")
    assert [flow["name"] for flow in page.json] == ["order"]
    assert page.headers["Link"] == '</flows?size=1&next=order>; rel="next"'
    page = call("GET", "/flows?size=2&next=order")
    assert [flow["name"] for flow in page.json] == ["pay"] and "Link" not in page.headers
    assert [flow["name"] for flow in call("GET", "/flows?prefix=or").json] == ["order"]
    assert call("GET", "/flows?size=1001").status == 400
    assert call("GET", "/flows/order@1").json["text"] == "@flow order A"
    for reference, version in (("order", 2), ("order@1", 1)):
        reply = call("POST", "/workflows/start", {"flow": reference, "input": {"n": 1}})
        assert reply.status == 201
        workflow = call("GET", f"/workflows/{reply.json['workflow']}").json
        assert (workflow["version"], workflow["input"]) == (version, {"n": 1})
    for body, status in (
        ({"flow": "odrer"}, 404),
        ({"flow": "order@3"}, 404),
        ({"flow": "or der"}, 400),
        ({"flow": 3}, 400),
        ({"flow": "order", "workflow": "A"}, 400),
        ({"input": {}}, 400),
    ):
        assert call("POST", "/workflows/start", body).status == status
    assert "order" in call("GET", "/flows/odrer").json["hint"]


def test_flows_are_stored_as_by_the_command(call: Caller) -> None:
    texts = ["@flow pay card", "@flow order flow:pay"]
    plan = call("POST", "/flows", {"flows": texts, "dry_run": True})
    assert (plan.status, [each["change"] for each in plan.json]) == (200, ["new", "new"])
    assert call("GET", "/flows").json == []
    assert call("POST", "/flows", {"flows": texts}).json == plan.json
    assert call("POST", "/flows", "@flow pay card -> bill").json[0]["diff"] == [
        "+ task: bill",
        "- card -> end",
        "+ card -> bill",
        "+ bill -> end",
    ]
    refused = call("POST", "/flows", {"flows": ["@flow order flow:pya"]})
    assert (refused.status, refused.json["hint"]) == (400, "did you mean pay?")
    pruned = call("POST", "/flows", {"flows": ["@flow pay card"], "prune": True}).json
    assert [(each["name"], each["change"]) for each in pruned] == [("pay", "changed"), ("order", "removed")]
    for body in (
        {},
        {"flows": "A"},
        {"flows": [1]},
        {"flows": ["A"]},
        {"flows": [], "prune": 1},
        {"flows": [], "dry": True},
        {"flows": ["@flow a ->"]},
    ):
        assert call("POST", "/flows", body).status == 400
    assert call("POST", "/flows", {"flows": [], "dryrun": True}).json["hint"] == "did you mean dry_run?"


def test_a_refused_input_names_its_members(call: Caller, store: Store) -> None:
    text = "@flow build (- inputs: {branch: {type: string, required: true}, tries: {type: integer}} -) A"
    apply_flows(store, [FlowSource(text)])
    refusal = call("POST", "/workflows/start", {"flow": "build", "input": {"tries": "x", "b" * 9000: 1}})
    assert refusal.status == 400
    first, second, third = refusal.json["inputs"]
    assert first == {"name": "branch", "message": "input.branch is missing: a text"}
    assert (second["name"], "a whole number" in second["message"]) == ("tries", True)
    assert len(third["name"]) < 200  # names that nobody has declared are abbreviated
    assert first["message"] in refusal.json["detail"]
    whole = call("POST", "/workflows/start", {"flow": "build", "input": [1]})
    assert [each["name"] for each in whole.json["inputs"]] == [""]
    names = {f"n{number}": number for number in range(5000)}
    assert len(call("POST", "/workflows/start", {"flow": "build", "input": names}).json["inputs"]) == 100


def test_a_flow_as_text_or_as_a_form(call: Caller) -> None:
    assert call("POST", "/workflows/start", "a → b").status == 201
    form = (
        '--x\r\nContent-Disposition: form-data; name="workflow"; filename="f.flow"\r\n\r\na → b\r\n'
        '--x\r\nContent-Disposition: form-data; name="input"\r\n\r\n{"é": 1}\r\n--x--\r\n'
    ).encode()
    media = "multipart/form-data; boundary=x"
    reply = call("POST", "/workflows/start/upload", form, content_type=media)
    assert reply.status == 201
    assert call("GET", f"/workflows/{reply.json['workflow']}").json["input"] == {"é": 1}


def test_many_workflows_start_with_one_request(call: Caller) -> None:
    body: dict[str, Any] = {"workflow": "a", "inputs": [{"n": 1}, {"n": 2}], "labels": {"tenant": 7}}
    reply = call("POST", "/workflows/start/many", body)
    assert reply.status == 201
    first, second = reply.json["workflows"]
    assert [call("GET", f"/workflows/{id}").json["input"] for id in (first, second)] == [{"n": 1}, {"n": 2}]
    key = {"idempotency_key": "k"}
    once, again = (call("POST", "/workflows/start/many", body, **key) for _ in range(2))
    assert (once.status, again.status) == (201, 200)
    assert once.json == again.json != reply.json
    single = call("POST", "/workflows/start", {"workflow": "a", "input": {"n": 1}}, **key)
    assert (single.status, single.json["workflow"]) == (200, once.json["workflows"][0])
    body["ids"] = ["x", "y"]
    assert call("POST", "/workflows/start/many", body).json["workflows"] == ["workflow:x", "workflow:y"]


@pytest.mark.parametrize(
    "body",
    [
        {"workflow": "a"},
        {"workflow": "a", "inputs": []},
        {"workflow": "a", "inputs": {}},
        {"workflow": "a", "inputs": [1] * 1001},
        {"workflow": "a", "inputs": [1], "ids": "x"},
        {"workflow": "a", "inputs": [1], "ids": [1]},
        {"workflow": "a", "inputs": [1], "ids": ["x", "y"]},
        {"workflow": "a", "flow": "b", "inputs": [1]},
        {"workflow": "a ->", "inputs": [1]},
        {"inputs": [1]},
    ],
)
def test_many_starts_that_are_wrong_are_refused(call: Caller, body: dict[str, Any]) -> None:
    assert call("POST", "/workflows/start/many", body).status == 400


def test_no_file_of_a_large_body_stays_open(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[Any] = []

    def recorded(*arguments: Any, **options: Any) -> Any:
        files.append(NamedTemporaryFile(*arguments, **options))  # noqa: SIM115 - who closes it is the question
        return files[-1]

    monkeypatch.setattr("bottle.NamedTemporaryFile", recorded)
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=1_000_000))
    large = "a" * 200_000
    assert call("POST", "/workflows/start", {"workflow": "a", "input": large}).status == 201
    assert call("POST", "/workflows/start", {"workflow": large + "->"}).status == 400
    part = f'--x\r\nContent-Disposition: form-data; name="{{}}"; filename="f"\r\n\r\n{large}\r\n'
    form = f"{part.format('workflow')}{part.format('input')}--x--\r\n".encode()
    media = "multipart/form-data; boundary=x"
    assert call("POST", "/workflows/start/upload", form, content_type=media).status == 400
    assert len(files) == 5
    assert all(file.closed for file in files)


def test_errors_of_a_flow_have_their_places(call: Caller) -> None:
    reply = call("POST", "/workflows/start", {"workflow": "a -> b;\nc -> -> d"})
    assert (reply.status, reply.json["errors"][0]["line"], reply.json["errors"][0]["column"]) == (400, 2, 6)
    checked = call("POST", "/workflows/check", {"workflow": "@task x\na -> b"}).json
    assert checked["ok"] and [warning["line"] for warning in checked["warnings"]] == [1]
    assert not call("POST", "/workflows/check", "->").json["ok"]
    assert call("GET", "/workflows").json == []


def test_a_small_text_cannot_make_the_check_of_a_flow_big(call: Caller) -> None:
    def doubled(levels: int) -> str:
        lines = [f"@task t{level} {{ t{level - 1} t{level - 1} }}" for level in range(1, levels + 1)]
        return "\n".join(["@task t0 { a a }", *lines, f"t{levels}"])

    assert call("POST", "/workflows/check", {"workflow": doubled(11)}).json["ok"]
    reply = call("POST", "/workflows/check", {"workflow": doubled(14)})
    error = reply.json["errors"][0]
    assert error["message"] == "here the flow has more than 20,000 steps"
    assert error["hint"] == "too big to be checked here: use lfr check"
    assert len(reply.body) < 1000
    long = (MAX_CHECKED_CHARACTERS // 2 + 1) * "a "
    reply = call("POST", "/workflows/check", {"workflow": long})
    assert (reply.status, "more than 65,536 characters" in reply.json["detail"]) == (400, True)


def test_pages_stay_where_they_are_while_new_ones_arrive(call: Caller) -> None:
    ids = [start(call, f"@flow n{number % 2} a", id=f"w{number}") for number in range(7)]
    ids_of_pages: list[str] = []
    path = "/workflows?size=3"
    while path:
        reply = call("GET", path)
        ids_of_pages += [workflow["id"] for workflow in reply.json]
        start(call, "a")
        link = reply.headers.get("Link", "")
        path = link.partition("<")[2].partition(">")[0]
    assert ids_of_pages == ids[::-1]
    chosen = call("GET", "/workflows?name=n1&state=RUNNING").json
    assert [workflow["id"] for workflow in chosen] == ["workflow:w5", "workflow:w3", "workflow:w1"]
    assert [workflow["id"] for workflow in call("GET", "/workflows?text=W4").json] == ["workflow:w4"]
    assert call("GET", "/workflows/counts").json["RUNNING"] > 7


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/nothing", None, {}, 404),
        ("GET", "/workflows/%ff", None, {}, 404),
        ("GET", "/workflows?text=%ff", None, {}, 400),
        ("GET", "/workflows?state=", None, {}, 400),
        ("GET", "/workflows?size=1001", None, {}, 400),
        ("GET", "/workflows/x?values=yes", None, {}, 400),
        ("GET", "/workflows/x/graph?format=png", None, {}, 400),
        ("GET", "/events?size=501", None, {}, 400),
        ("GET", "/events?workflow=%20", None, {}, 400),
        ("GET", "/workflows/x/steps/1", None, {}, 404),
        ("POST", "/workflows/start", "", {}, 400),
        ("POST", "/workflows/start", "a", {"content_type": "application/json"}, 400),
        ("POST", "/workflows/check", b'"a"', {"content_type": "application/json"}, 400),
        ("POST", "/workflows/terminate", {"workflow": "x"}, {}, 404),
        ("POST", "/workflows/terminate", {}, {}, 400),
        ("PUT", "/workflows", None, {}, 405),
        ("GET", "/workflows?state=GONE", None, {}, 400),
        ("GET", "/workflows?size=x", None, {}, 400),
        ("GET", "/workflows?size=0", None, {}, 400),
        ("GET", "/workflows?next=../../etc", None, {}, 400),
        ("GET", "/workflows/..%2f..", None, {}, 404),
        ("GET", "/workflows/<script>", None, {}, 404),
        ("POST", "/workflows/start", {"workflow": 3}, {}, 400),
        ("POST", "/workflows/start", {"workflow": "a", "id": "a/1.0"}, {}, 400),
        ("POST", "/workflows/start", [], {}, 400),
        ("POST", "/workflows/start", None, {}, 400),
        ("POST", "/workflows/start", b"{", {"content_type": "application/json"}, 400),
        ("POST", "/workflows/start", b"[" * 5000, {"content_type": "application/json"}, 400),
        ("POST", "/workflows/start", b"\xff", {"content_type": "text/plain"}, 400),
        ("POST", "/workflows/start", b"a", {"content_type": "text/html"}, 415),
        ("POST", "/workflows/start", b"a" * 200_000, {"content_type": "text/plain"}, 413),
        ("POST", "/workflows/start/upload", b"--x", {"content_type": "multipart/form-data; boundary=x"}, 400),
        (
            "POST",
            "/workflows/start/upload",
            b'--x\r\nContent-Disposition: form-data; name="\xf2\x00"\r\n\r\na\r\n--x--\r\n',
            {"content_type": "multipart/form-data; boundary=x"},
            400,
        ),
        ("POST", "/workflows/restore", {"format": "lfr-workflow"}, {}, 400),
        ("POST", "/events", {"kind": ""}, {}, 400),
        ("POST", "/events", {"kind": "x", "data": {"at": 1}}, {}, 400),
        ("POST", "/workflows/x/steps/1/retry", None, {}, 404),
        ("POST", "/workflows/x/steps/one/retry", None, {}, 404),
        ("POST", "/workflows/x/steps/1/end", None, {}, 404),
        ("POST", "/workflows/x/steps/1/end", {"status": "DONE"}, {}, 400),
        ("POST", "/workflows/x/steps/1/end", {"reason": 1}, {}, 400),
        ("POST", "/workflows/x/steps/1/end", {"attempt": "1"}, {}, 400),
        ("POST", "/workflows/x/steps/1/end", {"attempt": 0}, {}, 400),
        ("POST", "/workflows/x/terminate", None, {}, 404),
    ],
)
def test_each_error_is_a_problem(
    call: Caller, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    reply = call(method, path, body, **headers)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json")
    assert reply.json["status"] == status and reply.json["detail"]
    assert "Traceback" not in reply.json["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/workflows/x/restart", {"POST"}),
        ("GET", "/workflows/restore", {"POST"}),
        ("GET", "/workflows/start", {"POST"}),
        ("DELETE", "/workflows/counts", {"GET"}),
        ("OPTIONS", "/workflows", {"GET"}),
        ("PUT", "/workflows/x", {"GET", "DELETE"}),
    ],
)
def test_what_can_be_done_stands_in_allow(call: Caller, method: str, path: str, allow: set[str]) -> None:
    reply = call(method, path)
    assert (reply.status, reply.headers["Content-Type"]) == (405, "application/problem+json")
    assert set(reply.headers["Allow"].replace(" ", "").split(",")) == allow


def test_a_slash_at_the_end_changes_nothing(call: Caller) -> None:
    id = start(call)
    assert [workflow["id"] for workflow in call("GET", "/workflows/").json] == [id]
    assert call("GET", f"/workflows/{id}/").json["id"] == id
    assert call("GET", "//").status == 200


def test_words_of_paths_are_no_ids(call: Caller) -> None:
    start(call, id="counts")
    assert "RUNNING" in call("GET", "/workflows/counts").json
    assert call("GET", "/workflows/workflow:counts").json["id"] == "workflow:counts"
    assert call("POST", "/workflows/terminate", {"workflow": "counts"}).json == {"state": "TERMINATED"}


def test_a_list_tells_how_far_each_is_and_why_it_failed(call: Caller) -> None:
    id = start(call, "a -> b -> c")
    counts = {"total": 5, "running": 1, "done": 1, "skipped": 0, "failed": 0, "simulated": 0}
    assert call("GET", "/workflows").json[0]["counts"] == counts
    call("POST", f"/workflows/{id}/steps/1/fail", {"reason": "é" * 1000})
    workflow = call("GET", "/workflows").json[0]
    assert (workflow["reason"], workflow["parent"]) == ("é" * 300, None)
    assert workflow["counts"] == {**counts, "running": 0, "failed": 1}
    assert call("GET", f"/workflows/{id}").json["reason"] == "é" * 1000
    call("POST", f"/workflows/{id}/restart")
    assert call("GET", "/workflows").json[0]["reason"] is None


def test_a_record_without_the_number_of_its_steps_is_told_all_the_same(
    call: Caller, client: redis.Redis
) -> None:
    id = start(call)
    client.hdel(id, "steps")
    assert call("GET", "/workflows").json[0]["counts"]["total"] is None
    assert call("GET", f"/workflows/{id}").json["counts"]["total"] == 4


@pytest.mark.parametrize("query", ["size=7", "size=7&state=RUNNING", "size=7&text=w1", "size=7&name=x"])
def test_a_page_costs_what_it_shows(call: Caller, client: redis.Redis, query: str) -> None:
    for number in range(60):
        start(call, id=f"w1{number:02}")
    client.set("workflows:searchable", 1)
    client.config_resetstat()
    assert len(call("GET", f"/workflows?{query}").json) == 7
    calls = {name.partition("_")[2]: stats["calls"] for name, stats in client.info("commandstats").items()}
    assert calls["hmget"] == 7
    assert calls["hgetall"] == 4  # what is paused, and who does which tasks: once for the page
    assert calls["lrange"] == 7  # the latest of each history
    assert calls["get"] <= 7 + 2  # a wait of each, and their flow
    assert not calls.keys() & {"xrange", "xread", "hvals", "hkeys"}


def test_a_page_of_few_among_many_goes_on_where_it_ended(call: Caller) -> None:
    for number in range(30):
        start(call, f"@flow n{number % 3} a", id=f"w{number:02}")
    ids_of_pages: list[str] = []
    path = "/workflows?size=4&name=n1"
    while path:
        reply = call("GET", path)
        assert len(reply.json) <= 4
        ids_of_pages += [workflow["id"] for workflow in reply.json]
        path = reply.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert ids_of_pages == [f"workflow:w{number:02}" for number in range(28, 0, -3)]


def test_a_workflow_without_its_values(call: Caller) -> None:
    big = "x" * 1000
    id = start(
        call,
        f'<{{"v": "{big}"}}> -> a (- p: {big} -) -> b\n<{{"v": [1]}}> -> c\n<{{"v": 1}}> -> d',
        input={"n": big},
    )
    assert call("GET", f"/workflows/{id}").body.count(big.encode()) > 3
    reply = call("GET", f"/workflows/{id}?values=false")
    assert big.encode() not in reply.body
    assert reply.json["steps"][2]["state"] == "RUNNING"
    assert reply.json["flow"]["steps"][2] == {"index": 2, "kind": "task", "name": "a"}
    assert "input" not in reply.json and "input" not in reply.json["steps"][2]
    literals = [step.get("value") for step in reply.json["flow"]["steps"] if step["kind"] == "literal"]
    assert literals == [None, None, {"v": 1}]  # one of a few words is told: its step is known by it


def test_one_step_with_its_values_and_attempts(call: Caller, client: redis.Redis) -> None:
    id = start(call, "a -> ?`$[?(@.n)]` b (- p: [1] -) -> c", input={"n": 1})
    call("POST", f"/workflows/{id}/steps/1/retry")
    step_ = call("GET", f"/workflows/{id}/steps/1").json
    assert (step_["state"], step_["input"], step_["attempt"]) == ("RUNNING", {"n": 1}, 2)
    events = [(each["event"], each["attempt"], each["reason"]) for each in step_["attempts"]]
    assert events == [("started", 1, None), ("retried", 1, "tried again by hand"), ("started", 2, None)]
    assert step_["actions"] == {"retry": None, "skip": None, "fail": None}
    call("POST", f"/workflows/{id}/steps/1/skip", {"output": {"n": 2}})
    call("POST", f"/workflows/{id}/steps/2/fail", {"reason": "no"})
    step_ = call("GET", f"/workflows/{id}/steps/2").json
    assert (step_["parameters"], step_["guard"], step_["input"]) == ({"p": [1]}, "$[?(@.n)]", {"n": 2})
    assert (step_["state"], step_["reason"], step_["output"]) == ("FAILED", "no", None)
    assert step_["actions"]["retry"] is None and "does not run" in step_["actions"]["fail"]
    client.config_resetstat()
    call("GET", f"/workflows/{id}/steps/2")
    assert client.info("commandstats")["cmdstat_hgetall"]["calls"] == 1  # what is paused


@pytest.mark.parametrize("word", ["retry", "skip", "fail"])
@pytest.mark.parametrize("index", [0, 1, 2, 3])
@pytest.mark.parametrize("state", ["RUNNING", "FAILED", "TERMINATED"])
def test_steps_tell_what_can_be_done_to_them(call: Caller, word: str, index: int, state: str) -> None:
    id = start(call, "a -> b")
    if state == "FAILED":
        call("POST", f"/workflows/{id}/steps/1/fail")
    if state == "TERMINATED":
        call("POST", f"/workflows/{id}/terminate")
    refusal = call("GET", f"/workflows/{id}/steps/{index}").json["actions"][word]
    reply = call("POST", f"/workflows/{id}/steps/{index}/{word}", {} if word != "retry" else None)
    assert (reply.status == 204) == (refusal is None)
    if refusal is not None:
        assert (reply.status, reply.json["detail"]) == (409, refusal)


@pytest.mark.parametrize("state", ["RUNNING", "FINISHED", "FAILED", "TERMINATED"])
@pytest.mark.parametrize(
    ("word", "method", "path"),
    [
        ("terminate", "POST", "/terminate"),
        ("restart", "POST", "/restart"),
        ("delete", "DELETE", ""),
        ("archive", "GET", "/archive"),
    ],
)
def test_workflows_tell_what_can_be_done_to_them(
    call: Caller, state: str, word: str, method: str, path: str
) -> None:
    id = start(call, "<{}> -> ?`$[?(@.x)]` a" if state == "FINISHED" else "a -> b")
    if state == "FAILED":
        call("POST", f"/workflows/{id}/steps/1/fail")
    if state == "TERMINATED":
        call("POST", f"/workflows/{id}/terminate")
    workflow = call("GET", f"/workflows/{id}").json
    assert workflow["state"] == state
    reply = call(method, f"/workflows/{id}{path}")
    assert (reply.status < 300) == (workflow["actions"][word] is None)
    if reply.status >= 300:
        assert reply.status == 409 and workflow["actions"][word].startswith(reply.json["detail"])


def test_events_are_told_newest_first(call: Caller) -> None:
    id = start(call, "a")
    for number in range(60):
        call("POST", "/events", {"kind": "paid", "data": {"order": number, "text": "x" * 3000}})
    events = call("GET", "/events?size=2").json
    assert [each["fields"]["order"] for each in events] == ["59", "58"]
    assert events[0]["kind"] == "paid" and events[0]["workflow"] is None
    assert len(events[0]["fields"]["text"]) == 2000
    assert [each["kind"] for each in call("GET", f"/events?workflow={id}").json] == [
        "start-task",
        "start-workflow",
    ]
    assert [each["workflow"] for each in call("GET", "/events?kind=start-task").json] == [id]
    assert call("GET", "/events?kind=none").json == []


def test_dead_letters_are_told_with_their_reason(call: Caller, store: Store, client: redis.Redis) -> None:
    assert call("GET", "/dead-letters").json == []
    id = client.xadd(store.stream, {"kind": '"end-task"', "workflow": b"\xff<script>"})
    step(store)
    dead_letters = call("GET", "/dead-letters").json
    assert [each["entry_id"] for each in dead_letters] == [id]
    assert dead_letters[0]["fields"] == {"kind": '"end-task"', "workflow": "\\xff<script>"}
    assert dead_letters[0]["reason"] and dead_letters[0]["at"]


def test_dead_letters_are_handled(call: Caller, store: Store, client: redis.Redis) -> None:
    for kind in ("garbage", "garbage", '"end-task"'):
        client.xadd(store.stream, {"kind": kind})
    step(store)
    last, second, first = [each["id"] for each in call("GET", "/dead-letters").json]
    whole = call("GET", f"/dead-letters/{first}").json
    assert (whole["id"], whole["fields"]) == (first, {"kind": "garbage"})
    assert call("POST", "/dead-letters/dismiss", {"ids": [first], "reason": "old"}).json["changed"] == 1
    assert call("POST", "/dead-letters/dismiss", {"ids": [first]}).status == 404
    assert call("GET", f"/dead-letters/{first}").status == 404
    [dismissed] = call("GET", "/dead-letters?dismissed=true").json
    assert (dismissed["fields"], dismissed["dismissed"]["reason"]) == ({"kind": "garbage"}, "old")
    pattern = whole["pattern"]
    assert [each["id"] for each in call("GET", f"/dead-letters?pattern={quote(pattern)}").json] == [second]
    assert call("POST", "/dead-letters/retry", {"pattern": pattern}).json == {"changed": 1, "problems": {}}
    assert call("POST", "/dead-letters/retry", {"all": True}).json["changed"] == 1
    for body in ({}, {"ids": [last], "all": True}, {"ids": "x"}, {"pattern": 1}, {"all": 1}, {"ids": []}):
        assert call("POST", "/dead-letters/retry", body).status == 400, body


def test_the_system_is_told(call: Caller) -> None:
    start(call)
    system = call("GET", "/system").json
    assert (system["workflows"]["RUNNING"], system["dead_letters"], system["roles"]) == (1, 0, [])
    [unclaimed] = system["unclaimed"]
    assert (unclaimed["task"], unclaimed["count"]) == ("a", 1)
    lifecycle, task = system["problems"]
    assert lifecycle.startswith("no lifecycle runs") and task.startswith(
        "no live worker does a: 1 task waits"
    )


def test_sizes_are_told_as_on_the_command_line(call: Caller, store: Store) -> None:
    small, large = start(call), start(call, input="x" * 20_000)
    rows = call("GET", "/workflows?sort=size").json
    assert [row["id"] for row in rows] == [large, small]
    for row in rows:
        expected = inspect_workflow(store, row["id"], size=True)["bytes"]
        assert row["bytes"] == call("GET", f"/workflows/{row['id']}/size").json["bytes"] == expected
    assert rows[0]["bytes"] > 20_000
    assert [row["id"] for row in call("GET", "/workflows?sort=size&size=1").json] == [large]
    assert call("GET", "/workflows?sort=size&next=1_workflow:a").status == 400
    assert call("GET", "/workflows?sort=big").status == 400
    assert call("GET", "/workflows/nobody/size").status == 404


def test_the_doctor_finds_and_mends(call: Caller, store: Store, client: redis.Redis) -> None:
    client.hset("workflow:lost:steps", "1", "0 0 1")
    client.zadd(keys.state("FAILED"), {start(call): 1})
    found = call("GET", "/doctor").json["findings"]
    assert found == [finding.to_dict() for finding in examine(store)]
    assert {"orphaned-keys", "misplaced"} <= {each["check"] for each in found if each["mendable"]}
    assert call("POST", "/doctor", {"checks": "misplaced"}).status == 400
    mended = call("POST", "/doctor", {"checks": ["misplaced"]}).json["findings"]
    assert [each["check"] for each in mended if each["mended"]] == ["misplaced"]
    assert client.exists("workflow:lost:steps")
    assert any(each["mended"] for each in call("POST", "/doctor").json["findings"])
    assert not any(each["mendable"] for each in call("GET", "/doctor").json["findings"])


def test_a_step_that_no_worker_does_says_so(call: Caller) -> None:
    id = start(call)
    step = call("GET", f"/workflows/{id}/steps/1").json
    assert step["waits_for"]["message"] == "no live worker does a"
    assert step["waits_for"]["since"] == step["started"]
    whole = call("GET", f"/workflows/{id}?values=false").json
    assert whole["steps"][1]["waits_for"] == step["waits_for"]


def test_a_queue_is_listed_oldest_first(call: Caller, store: Store) -> None:
    with store.connect() as link:
        worker = TaskExecutor(store, "tasks/1", lambda task: {}, claims=["a"], concurrency=1)
        worker.join(link)
        ids = [start(call) for _ in range(3)]
        link.call("XREADGROUP", "GROUP", *worker.id[1:], "COUNT", 1, "STREAMS", worker.id.stream, ">")
    entries = call("GET", "/queues/tasks/1").json
    assert [entry["workflow"] for entry in entries] == ids
    assert [entry["is_read"] for entry in entries] == [True, False, False]
    assert entries[0]["kind"] == "start-task" and entries[0]["fields"]["index"] == "1"
    assert len(call("GET", "/queues/tasks/1?size=2").json) == 2
    assert call("GET", "/queues/none").status == 404
    lines = call("GET", "/metrics").body.decode().splitlines()
    for line in (
        'lfr_queue_length{group="tasks/1"} 3.0',
        'lfr_workers{group="tasks/1"} 0.0',
        'lfr_group_lag{group="tasks/1"} 2.0',
        'lfr_group_pending{group="tasks/1"} 1.0',
    ):
        assert line in lines
    assert any(line.startswith('lfr_group_oldest_seconds{group="tasks/1"} ') for line in lines)


def test_archives_are_kept_in_the_folder(store: Store, tmp_path: Path) -> None:
    def caller(folder: str) -> Caller:
        settings = replace(store.settings, archive_folder=folder)
        return Caller(
            make_app(replace(store, settings=settings), AccessPolicy(is_open=True), max_body=100_000)
        )

    call = caller(str(tmp_path))
    id = start(call, id="a:b")
    reply = call("POST", f"/workflows/{id}/archive")
    assert (reply.status, reply.json) == (201, {"file": str(tmp_path / "a-b.json")})
    document = json.loads((tmp_path / "a-b.json").read_text())
    assert call("POST", "/workflows/restore", document).status == 201
    assert caller("")("POST", f"/workflows/{id}/archive").status == 409
    assert caller(str(tmp_path / "none"))("POST", f"/workflows/{id}/archive").status == 507


def test_figures_for_prometheus(call: Caller, store: Store) -> None:
    start(call, "@flow x a")
    step(store)
    reply = call("GET", "/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain")
    lines = reply.body.decode().splitlines()
    assert 'lfr_workflows{state="RUNNING"} 1.0' in lines
    assert any(line.startswith('lfr_group_lag{group="lifecycle"} ') for line in lines)
    assert "lfr_dead_letters 0.0" in lines
    names = {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert "lfr_ends_length 0.0" in lines and "lfr_problems 2.0" in lines
    assert 'lfr_unclaimed_tasks{task="a"} 1.0' in lines
    assert any(line.startswith('lfr_unclaimed_oldest_seconds{task="a"} ') for line in lines)
    assert {"lfr_workflows_started_total", "lfr_task_seconds"} < names


def test_waits(call: Caller, store: Store) -> None:
    id = start(call, "@flow order; wait:event (- {event: paid, timeout: 60, match: {order: 7}} -)")
    step(store)
    role = WaitTasks(store)
    with store.connect() as connection:
        role.join(connection)
        role.run_pass(connection)
    listed = call("GET", "/waits?flow=order&kind=event&name=paid").json
    [row] = listed["waits"]
    assert (row["workflow"], row["event"], row["match"]) == (id, "paid", {"order": 7})
    assert (listed["next"], listed["groups"][0]["count"]) == (None, 1)
    assert call("GET", "/waits?flow=other").json["waits"] == []
    assert call("GET", "/waits?next=x").status == 400
    assert call("GET", "/waits?kind=x").status == 400


def test_tasks(call: Caller, store: Store) -> None:
    start(call, "video:transcode")
    step(store)
    [task] = call("GET", "/tasks").json
    assert (task["task"], task["waiting"], task["never"]) == ("video:transcode", 1, True)
    assert task["problem"] == "no live worker does video:transcode"


def test_latches(call: Caller, store: Store) -> None:
    assert call("GET", "/latches").json == []
    assert call("POST", "/latches/none/reset").status == 404
    with store.connect() as link:
        wait = WaitTasks(store)
        create_group(link, store.stream, "wait")
        start(call, "wait:acquire (- name: a/b -)")
        wait.run_pass(link)
    assert [(each["name"], each["value"]) for each in call("GET", "/latches").json] == [("a/b", 1)]
    assert call("POST", "/latches/a/b/reset").json["value"] == 1
    assert call("POST", "/latches/a/b/reset").status == 404


def test_an_item_has_a_place_of_its_own(call: Caller, store: Store) -> None:
    id = start(call, "* {a}", input=[7])
    step(store)
    item = call("GET", f"/workflows/{id}/1.0").json
    assert (item["id"], item["steps"][1]["input"]) == (f"{id}/1.0", 7)
    assert call("GET", f"/workflows/{id}/1.0/source").body == b"* {a}"
    assert item["parent"] == id and all("is a child of" in why for why in item["actions"].values())
    assert call("GET", f"/workflows/{id}/1.0/archive").status == 409
    assert call("GET", f"/workflows/{id}").json["steps"][1]["items"]["total"] == 1
    assert call("POST", f"/workflows/{id}/1.0/terminate").status == 409


def test_the_openapi_document_has_every_documented_route(call: Caller) -> None:
    document = call("GET", "/openapi.json").json
    routes = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert routes == set(re.findall(r"^\| (GET|POST|DELETE) \| `(/\S*)` \|", API_PAGE.read_text(), re.M))
    assert call("GET", "/apispec.json").json == document


def test_the_openapi_document_describes_the_responses(call: Caller, store: Store) -> None:
    with store.connect() as link:
        TaskExecutor(store, "tasks-x", lambda task: {}, claims=["a"], concurrency=1).join(link)
    start(call, "{ a; b }", id="w")
    apply_flows(store, [FlowSource("@flow tasks-x (- schedule: {every: 1h} -) A")])
    with store.connect() as link:
        link.call("XADD", keys.DEAD_LETTERS, "1-1", "event", "{}")
    document = call("GET", "/openapi.json").json
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids) > 30
    for path, method, operation in operations:
        names = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert names == set(re.findall(r"\{(\w+)\}", path))
        if method == "get" and "text/event-stream" not in operation["responses"]["200"]["content"]:
            named = path.replace("{id}", "w").replace("{other}", "w").replace("{name}", "tasks-x")
            named = named.replace("/dead-letters/w", "/dead-letters/1-1")
            reply = call("GET", named.replace("{index}", "2"))
            content = operation["responses"]["200"]["content"]
            media_type = reply.headers["Content-Type"].partition(";")[0]
            assert (reply.status, media_type in content) == (200, True), path
            if media_type == "application/json":
                jsonschema_rs.validate(content[media_type]["schema"], reply.json)


def test_safe_headers_stand_on_everything(call: Caller) -> None:
    replies: list[Reply] = [call("GET", "/"), call("GET", "/nothing"), call("GET", "/workflows/x")]
    for reply in replies:
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_redis_away_is_said(store: Store) -> None:
    away = Caller(
        make_app(
            open_store(Settings(redis_url="redis://127.0.0.1:1")), AccessPolicy(is_open=True), max_body=1000
        )
    )
    assert away("GET", "/health/live").status == 200
    assert away("GET", "/health/ready").status == 503
    assert away("GET", "/workflows").status == 503


def test_a_start_for_which_too_little_memory_is_free(call: Caller, client: redis.Redis) -> None:
    client.setrange("ballast", 20_000_000, "x")
    client.config_set("maxmemory", str(round(client.info("memory")["used_memory"] / 0.95)))
    try:
        reply = call("POST", "/workflows/start", {"workflow": "a"})
    finally:
        client.config_set("maxmemory", "0")
    assert reply.status == 507
    assert "no workflow is started: Redis uses " in reply.json["detail"]
    assert "limits.memory" in reply.json["hint"]
