"""The routes of littleflow_redis: the requests of its console, and what that reads of the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lfr.engine.transition import Fact
from lfr.language import compile_flow
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.inspect.littleflow_vectors import trace
from lfr.operations.intervene import fail_task, skip_task
from lfr.store.redis.connection import Store
from lfr.store.workflows.history import History, HistoryEntry
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.routes.littleflow_console import ROUTES
from tests.support.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server, s3_server
from tests.web.conftest import Caller, Reply, start, step

API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ARCHIVE = json.loads((Path(__file__).parent / "littleflow-archive.json").read_text())
FLOW = "a -> { B wait:event (- event: go -) } -> > d-e"


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with s3_server() as s3:
        yield s3


@pytest.fixture
def littleflow(store: Store, s3: S3Server) -> Caller:
    """The API with these routes, and a bucket."""
    settings = replace(
        store.settings,
        api_littleflow="true",
        archive_buckets=("archives",),
        s3_endpoint=s3.url,
        s3_region=REGION,
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
    )
    return Caller(make_app(replace(store, settings=settings), AccessPolicy(is_open=True), max_body=100_000))


def upload(call: Caller, text: str) -> Reply:
    """Send a form as a browser sends it."""
    body = (
        '--x\r\nContent-Disposition: form-data; name="workflow"; filename="a.flow"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n{text}\r\n--x--\r\n"
    )
    path, media = "/littleflow/workflows/start/upload", "multipart/form-data; boundary=x"
    return call("POST", path, body.encode(), content_type=media)


def sums(trace: list[Any]) -> list[int]:
    return [sum(column) for column in zip(*(vector for _, vector in trace), strict=True)]


def test_they_are_off_by_default(call: Caller) -> None:
    assert call("GET", "/littleflow/workflows").status == 404
    assert "/littleflow/workflows" not in call("GET", "/openapi.json").json["paths"]


def test_a_workflow_from_its_upload_to_its_deletion(littleflow: Caller, store: Store) -> None:
    assert littleflow("GET", "/littleflow/").json == {"status": "Success"}
    reply = upload(littleflow, FLOW)
    id = reply.json["workflow"]
    assert (reply.status, reply.json["status"], id.startswith("workflow:")) == (200, "Success", False)
    path = f"/littleflow/workflows/{id}"
    assert littleflow("GET", "/littleflow/workflows?next=0&size=50").json == [{"id": id, "state": "RUNNING"}]
    step(store)
    skip_task(store, f"workflow:{id}", 1)
    fail_task(store, f"workflow:{id}", 3, "no")
    graph = littleflow("GET", f"{path}/graph?orientation=horizontal").body.decode()
    assert graph.startswith("stateDiagram-v2\n  direction LR\n")
    assert '  state "wait:event" as wait_COLON_event.4\n' in graph
    assert "  _end_5_-->d_HYPHEN_e.6\n  d_HYPHEN_e.6-->[*]\n" in graph
    assert "direction" not in littleflow("GET", f"{path}/graph?orientation=vertical").body.decode()
    tasks = littleflow("GET", path).json["T"]
    assert [(name, fields["index"]) for name, fields in tasks][:5] == [
        ("StartFlow", 0),
        ("InvokeTask", 1),
        ("InvokeFlow", 2),
        ("InvokeTask", 3),
        ("InvokeTask", 4),
    ]
    assert tasks[4][1]["name"] == "wait:event"
    trace = littleflow("GET", f"{path}/trace/S").json
    times = [at for at, _ in trace]
    assert times == sorted(times, reverse=True) and times[0].endswith("+00:00")
    state = littleflow("GET", f"{path}/state").json
    assert (state["state"], state["failures"]) == ("FAILED", [0, 0, 0, 1, 0, 0, 0, 0])
    assert state["S"] == sums(trace) == [0, 0, 0, 1, 1, 0, 0, 0]
    assert state["A"] == sums(littleflow("GET", f"{path}/trace/A").json) == [0] * 8
    assert littleflow("GET", f"{path}/archive").json["id"] == f"workflow:{id}"
    refused = littleflow("GET", f"{path}/restart")
    assert (refused.status, refused.json["status"]) == (400, "Error")
    assert f"POST {path}/restart, or lfr restart {id}" in refused.json["message"]
    reply = littleflow("POST", f"{path}/restart")
    assert (reply.status, reply.json) == (200, {"status": "Success", "message": f"Restarted workflow {id}"})
    state = littleflow("GET", f"{path}/state").json
    assert (state["S"], "failures" in state) == ([0, 0, 0, 1, 1, 0, 0, 0], False)
    reply = littleflow("DELETE", path)
    assert (reply.status, reply.json["status"]) == (400, "Error")
    reply = littleflow("POST", f"{path}/terminate", {})
    assert (reply.status, reply.json["message"]) == (200, f"Workflow {id} is TERMINATED")
    reply = littleflow("DELETE", path)
    assert (reply.status, reply.json["status"]) == (200, "Success")
    assert littleflow("GET", "/littleflow/workflows?next=0&size=50").json == []


def test_archives_are_in_s3(littleflow: Caller, s3: S3Server) -> None:
    id = upload(littleflow, "a").json["workflow"]
    uri = {"uri": "s3://archives/path"}
    reply = littleflow("POST", f"/littleflow/workflows/{id}/archive", uri)
    assert (reply.status, reply.json) == (200, {"status": "Success", "message": "Archive created", **uri})
    reply = littleflow("POST", "/littleflow/workflows/restore", uri)
    assert reply.status == 200 and reply.json["workflow"] != id
    assert (
        littleflow("GET", f"/littleflow/workflows/{reply.json['workflow']}/state").json["state"]
        == "TERMINATED"
    )
    for path in (f"/littleflow/workflows/{id}/archive", "/littleflow/workflows/restore"):
        reply = littleflow("POST", path, {"uri": "s3://other/path"})
        assert (reply.status, reply.json["status"]) == (400, "Error")
        assert "archive.buckets needs other" in reply.json["message"]


def test_the_traces_of_an_archive_of_littleflow_are_those_that_it_has(littleflow: Caller) -> None:
    id = littleflow("POST", "/littleflow/workflows/restore", ARCHIVE).json["workflow"]
    for kind in "SA":
        trace = littleflow("GET", f"/littleflow/workflows/{id}/trace/{kind}").json
        assert sums(trace) == sums(ARCHIVE[kind])
    flow = littleflow("GET", f"/littleflow/workflows/{id}").json
    assert (flow["F"], flow["T"]) == (ARCHIVE["F"], ARCHIVE["T"])


def test_a_history_that_was_cut_gives_the_same_sums() -> None:
    flow = compile_flow("a -> { b c } -> d -> e")
    words = ["=0 +1", "-1 =2 +3 +4", "-3", "!4", "+4.2", "-4.2 =5 +6", "-6 +7", "terminated"]
    entries = [
        HistoryEntry(str(number), 1000 * number, tuple(map(Fact.parse, text.split())), "")
        for number, text in enumerate(words, 1)
    ]
    whole = trace(flow, History(entries))
    assert whole.S_sum == [0, 0, 0, 0, 0, 0, 0, 1, 0] and whole.A_sum == [0] * 9
    assert whole.S[0] == ("1970-01-01T00:00:07.000+00:00", [0, 0, 0, 0, 0, 0, 0, 1, 0])
    for cut in range(1, len(entries)):
        state = HistoryState()
        state.add(entries[:cut])
        traces = trace(flow, History(entries[cut:], state.to_dict()))
        assert (traces.S_sum, traces.failures) == (whole.S_sum, whole.failures)
        assert traces.A_sum == sums(traces.A) if traces.A else [0] * 9
        for vectors in (traces.S, traces.A):
            for first in range(len(vectors)):
                assert min(sums(vectors[first:])) >= 0


def test_a_list_has_pages_by_number(littleflow: Caller) -> None:
    ids = [start(littleflow, "a", id=f"w{number}").removeprefix("workflow:") for number in range(5)][::-1]
    page = littleflow("GET", "/littleflow/workflows?next=0&size=2")
    assert [each["id"] for each in page.json] == ids[:2]
    address = re.fullmatch(r'<(\S+)>; rel="next"', page.headers["Link"])
    assert address is not None
    assert [each["id"] for each in littleflow("GET", address[1]).json] == ids[2:4]
    last = littleflow("GET", "/littleflow/workflows?next=4&size=2")
    assert ([each["id"] for each in last.json], "Link" in last.headers) == (ids[4:], False)


def test_errors_have_a_status_and_a_message(littleflow: Caller) -> None:
    missing = littleflow("GET", "/littleflow/workflows/none/state")
    assert (missing.status, missing.json["status"]) == (404, "Error")
    assert "there is no workflow workflow:none" in missing.json["message"]
    bad = upload(littleflow, "a ->")
    assert (bad.status, bad.json["status"]) == (400, "Error")
    id = upload(littleflow, "a").json["workflow"]
    assert "S or A" in littleflow("GET", f"/littleflow/workflows/{id}/trace/B").json["message"]
    long = upload(littleflow, " -> ".join(["a"] * 1000)).json["workflow"]
    reply = littleflow("GET", f"/littleflow/workflows/{long}/trace/S")
    assert (reply.status, "has 1,002 steps, more than 1,000" in reply.json["message"]) == (400, True)


def test_the_routes_are_those_of_the_page() -> None:
    documented = re.findall(r"^\| `(GET|POST|DELETE) (/littleflow\S*)` \|", API_PAGE.read_text(), re.M)
    assert documented == [(route.method, route.path) for route in ROUTES]
