"""The API's routes: what they answer, and that nothing undocumented comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr.operations.send_event import end_task
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.settings import Settings
from lfr.store.connection import Store, connect
from lfr.store.stream import create_group
from lfr.web.access import Rules
from lfr.web.app import all_routes, make_app
from lfr.web.openapi import describe
from tests.web.conftest import Caller, Reply


def start(call: Caller, text: str = "@flow x\na -> b", **more: Any) -> str:
    """Start a workflow; its id."""
    reply = call("POST", "/workflows/start", {"workflow": text, **more})
    assert reply.status == 201
    id: str = reply.json["workflow"]
    assert reply.headers["Location"].endswith(f"/workflows/{id.replace(':', '%3A')}")
    return id


def step(store: Store) -> None:
    """Let a lifecycle deal with what is on the stream."""
    lifecycle = Lifecycle(store)
    with store.link() as link:
        create_group(link, store.stream, "lifecycle")
        lifecycle._take_pass(link)


def test_the_life_of_a_workflow(call: Caller, store: Store) -> None:
    id = start(call, input={"n": 1})
    assert call("GET", "/inprogress").json == [id]
    found = call("GET", f"/workflows/{id}").json
    assert (found["state"], found["input"]) == ("RUNNING", {"n": 1})
    assert found["flow"]["edges"] == [[0, 1], [1, 2], [2, 3]]
    state = call("GET", f"/workflows/{id.removeprefix('workflow:')}/state").json
    assert state["steps"][1]["state"] == "RUNNING"
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
    assert call("GET", f"/workflows/{id}/history?since={history[-1]['at'].replace('+', '%2B')}").json == []


def test_a_task_is_ended_from_afar(call: Caller, store: Store, redis_url: str) -> None:
    id = start(call, input={"n": 1})
    late = call("POST", f"/workflows/{id}/steps/1/end", {"attempt": 2, "output": {"by": "nobody"}})
    told = call("POST", f"/workflows/{id}/steps/1/end", {"attempt": 1, "output": {"by": "afar"}})
    assert (late.status, told.status) == (202, 202)
    assert redis.Redis.from_url(redis_url).xrange("workflows:run", told.json["id"], told.json["id"])
    step(store)
    assert call("GET", f"/workflows/{id}").json["steps"][2]["input"] == {"by": "afar"}
    failure = {"status": "FAILURE", "reason": "cannot"}
    assert call("POST", f"/workflows/{id}/steps/2/end", failure).status == 202
    step(store)
    assert call("GET", f"/workflows/{id}").json["reason"] == "cannot"
    assert call("POST", f"/workflows/{id}/steps/0/end").status == 404  # the flow's start is no task


def test_start_is_idempotent_by_id(call: Caller) -> None:
    id = start(call, id="mine", input={"n": 1})
    again = call("POST", "/workflows/start", {"workflow": "@flow x\na -> b", "id": "mine", "input": {"n": 1}})
    assert (again.status, again.json) == (200, {"workflow": id})
    other = call("POST", "/workflows/start", {"workflow": "a", "id": "mine"})
    assert (other.status, other.headers["Content-Type"]) == (409, "application/problem+json")


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


def test_errors_of_a_flow_have_their_places(call: Caller) -> None:
    reply = call("POST", "/workflows/start", {"workflow": "a -> b;\nc -> -> d"})
    assert (reply.status, reply.json["errors"][0]["line"], reply.json["errors"][0]["column"]) == (400, 2, 6)
    checked = call("POST", "/workflows/check", {"workflow": "@task x\na -> b"}).json
    assert checked["ok"] and [found["line"] for found in checked["warnings"]] == [1]
    assert not call("POST", "/workflows/check", "->").json["ok"]
    assert call("GET", "/workflows").json == []


def test_pages_stay_where_they_are_while_new_ones_arrive(call: Caller) -> None:
    ids = [start(call, f"@flow n{number % 2} a", id=f"w{number}") for number in range(7)]
    seen: list[str] = []
    path = "/workflows?size=3"
    while path:
        reply = call("GET", path)
        seen += [workflow["id"] for workflow in reply.json]
        start(call, "a")
        link = reply.headers.get("Link", "")
        path = link.partition("<")[2].partition(">")[0]
    assert seen == ids[::-1]
    chosen = call("GET", "/workflows?name=n1&state=RUNNING").json
    assert [workflow["id"] for workflow in chosen] == ["workflow:w5", "workflow:w3", "workflow:w1"]
    assert [workflow["id"] for workflow in call("GET", "/workflows?text=W4").json] == ["workflow:w4"]
    assert call("GET", "/workflows/counts").json["RUNNING"] > 7


def test_live_changes_of_a_workflow(call: Caller, store: Store) -> None:
    id = start(call, "a")
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    assert reply.headers["Content-Type"] == "text/event-stream"
    lines = iter(reply.stream)
    assert next(lines) == b"retry: 2000\n\n"
    assert json.loads(next(lines).split(b"data: ")[1])["state"] == "RUNNING"
    end_task(store, id, "a", 1)
    step(store)
    assert json.loads(next(lines).split(b"data: ")[1])["state"] == "FINISHED"
    assert next(lines) == b"event: end\ndata: {}\n\n"
    reply.stream.close()
    assert call("GET", "/workflows/none/live").status == 404


def test_live_changes_of_the_list(call: Caller) -> None:
    reply = call("GET", "/live", stream=True)
    lines = iter(reply.stream)
    next(lines)
    next(lines)
    id = start(call, "a")
    told = json.loads(next(lines).split(b"data: ")[1])
    assert (told["counts"]["RUNNING"], [workflow["id"] for workflow in told["changed"]]) == (1, [id])
    reply.stream.close()


def test_streams_have_places(store: Store, call: Caller) -> None:
    replies = [call("GET", "/live", stream=True) for _ in range(48)]
    assert call("GET", "/live").status == 503
    for reply in replies:
        reply.stream.close()
    call("GET", "/live", stream=True).stream.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/nothing", None, {}, 404),
        ("PUT", "/workflows", None, {}, 405),
        ("GET", "/workflows?state=GONE", None, {}, 400),
        ("GET", "/workflows?size=x", None, {}, 400),
        ("GET", "/workflows?size=0", None, {}, 400),
        ("GET", "/workflows?next=../../etc", None, {}, 400),
        ("GET", "/workflows/..%2f..", None, {}, 404),
        ("GET", "/workflows/<script>", None, {}, 404),
        ("POST", "/workflows/start", {"workflow": 3}, {}, 400),
        ("POST", "/workflows/start", {"workflow": "a", "input": 3}, {}, 400),
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


def test_the_system_is_told(call: Caller) -> None:
    start(call)
    told = call("GET", "/system").json
    assert (told["workflows"]["RUNNING"], told["dead_letters"], told["roles"]) == (1, 0, [])


def test_archives_are_kept_in_the_folder(store: Store, tmp_path: Path) -> None:
    def caller(folder: str) -> Caller:
        settings = replace(store.settings, archive_folder=folder)
        return Caller(make_app(replace(store, settings=settings), Rules(), most_bytes=100_000))

    call = caller(str(tmp_path))
    id = start(call, id="a:b")
    kept = call("POST", f"/workflows/{id}/archive")
    assert (kept.status, kept.json) == (201, {"file": str(tmp_path / "a-b.json")})
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
    assert len(names) == 8


def test_latches(call: Caller, store: Store) -> None:
    assert call("GET", "/latches").json == []
    assert call("POST", "/latches/none/reset").status == 404
    with store.link() as link:
        wait = WaitTasks(store)
        create_group(link, store.stream, "wait")
        start(call, "wait:acquire (- name: a/b -)")
        wait._take_pass(link)
    assert [(each["name"], each["value"]) for each in call("GET", "/latches").json] == [("a/b", 1)]
    assert call("POST", "/latches/a/b/reset").json["value"] == 1
    assert call("POST", "/latches/a/b/reset").status == 404


def test_an_item_has_a_place_of_its_own(call: Caller, store: Store) -> None:
    id = start(call, "* {a}", input=[7])
    step(store)
    item = call("GET", f"/workflows/{id}/1.0").json
    assert (item["id"], item["steps"][1]["input"]) == (f"{id}/1.0", 7)
    assert call("GET", f"/workflows/{id}/1.0/source").body == b"* {a}"
    assert call("POST", f"/workflows/{id}/1.0/terminate").status == 409


def test_the_description_knows_every_route(call: Caller) -> None:
    told = call("GET", "/openapi.json").json
    assert told == json.loads(json.dumps(describe(all_routes())))
    paths = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert paths == {(route.method, route.path) for route in all_routes()}
    ids = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(set(ids)) == len(ids)


def test_safe_headers_stand_on_everything(call: Caller) -> None:
    replies: list[Reply] = [call("GET", "/"), call("GET", "/nothing"), call("GET", "/workflows/x")]
    for reply in replies:
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_redis_away_is_said(store: Store) -> None:
    away = Caller(make_app(connect(Settings(redis_url="redis://127.0.0.1:1")), Rules(), most_bytes=1000))
    assert away("GET", "/health/live").status == 200
    assert away("GET", "/health/ready").status == 503
    assert away("GET", "/workflows").status == 503
