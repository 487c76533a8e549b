"""The role request, with a real Redis and a real web server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from lfr.operations.intervene import delete_workflow, retry_task, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.request import request_executor
from lfr.runtime.consumer import Consumer
from lfr.store import key_patterns, keys
from lfr.store.queues.claims import claim
from lfr.store.redis.connection import Store, open_store
from lfr.trace_context import parse_traceparent
from tests.integration.conftest import Stepper, append, events_of
from tests.support.listening import listening
from tests.support.waiting import eventually
from tests.support.web import Page, WebServer, web_server


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def store(store: Store, web: WebServer) -> Store:
    """A store whose settings allow the server of these tests, and a port where nothing listens."""
    return open_store(replace(store.settings, request_allow=(web.url, "http://127.0.0.1:1/")))


@pytest.fixture(autouse=True)
def quick_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the blocking read, because a stop takes effect after it."""
    monkeypatch.setattr("lfr.runtime.consumer._LONGEST_BLOCK_SECONDS", 0.02)


def run(store: Store, client: redis.Redis, flow: str, input: Any) -> dict[str, Any]:
    """Run a flow of one task and return its end-task."""
    start_workflow(store, flow, input)
    with listening(request_executor(store)):
        (end,) = eventually(lambda: events_of(client, "end-task"))
    return end


def test_the_response_completes_the_task(store: Store, client: redis.Redis, web: WebServer) -> None:
    web.pages["/users/7"] = Page(b'{"name": "Ann"}', "application/json")
    store = open_store(replace(store.settings, request_urls={"test.base": f"{web.url}/"}))
    flow = "request:get (- {url: 'users/{input[id]}', output_mode: response_json, from_input: environ} -)"
    end = run(store, client, flow, {"id": 7, "environ": "test"})
    assert end["status"] == "SUCCESS", end
    assert end["output"] == {"id": 7, "environ": "test", "response": {"name": "Ann"}}
    assert client.xpending(keys.queue("request"), "request")["pending"] == 0


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        ("request:get", "request:get needs the parameter url, a text"),
        ("request:head (- url: a -)", "request:head: there is no such task"),
        ("request:get (- url: a -)", "request:get: url: 'a' is relative, and there is no base URL for it"),
        (
            "request:get (- url: 'http://127.0.0.1:2/' -)",
            "request:get: http://127.0.0.1:2/: it is not allowed",
        ),
        ("request:get (- url: 'http://127.0.0.1:1/' -)", "request:get: http://127.0.0.1:1/: no connection"),
    ],
)
def test_what_is_wrong_fails_the_task(store: Store, client: redis.Redis, flow: str, reason: str) -> None:
    end = run(store, client, flow, {})
    assert end["status"] == "FAILURE"
    assert end["reason"].startswith(reason)


@pytest.mark.parametrize(("prefix", "key"), [("", "base_url"), ("", "_url"), ("prod:", "base_url")])
def test_base_urls_of_littleflow_redis_are_found(
    store: Store, client: redis.Redis, web: WebServer, prefix: str, key: str
) -> None:
    web.pages["/a"] = Page()
    client.set(f"{prefix}env:global:{key}", f"{web.url}/")
    if prefix:
        client.set("littleflow:config:env-prefix", prefix)
    assert run(store, client, "request:delete (- url: a -)", {})["status"] == "SUCCESS"


@pytest.mark.parametrize(("environ", "category"), [("a:b", "base"), ("a", "b:c"), ("a:env:b", "base")])
def test_a_flow_cannot_make_a_base_url(
    store: Store, client: redis.Redis, web: WebServer, environ: str, category: str
) -> None:
    """What `redis:set` may write, `request:get` does not read."""
    web.pages["/a"] = Page()
    store = open_store(replace(store.settings, request_token="t0ken"))
    key = f"env:{environ}:{category}_url"
    if not key_patterns.is_own(key):  # `redis:set` is allowed to write it
        client.set(key, f"{web.url}/")
    parameters = f"(- {{url: a, environ: '{environ}', category: '{category}'}} -)"
    end = run(store, client, f"request:get {parameters}", {})
    assert end["status"] == "FAILURE"
    assert web.requests == []


def test_the_server_of_a_base_url_in_redis_gets_no_token(
    store: Store, client: redis.Redis, web: WebServer
) -> None:
    web.pages["/a"] = Page()
    client.set("env:global:base_url", f"{web.url}/")
    store = open_store(replace(store.settings, request_token="t0ken"))
    assert run(store, client, "request:get (- url: a -)", {})["status"] == "SUCCESS"
    assert [request.headers.get("authorization") for request in web.requests] == [None]


@pytest.mark.parametrize("setting", ["true", "false"])
def test_a_request_names_the_trace_of_its_workflow_only_if_the_setting_says_so(
    store: Store, client: redis.Redis, web: WebServer, setting: str
) -> None:
    web.pages["/a"] = Page()
    settings = replace(store.settings, traces_endpoint="http://127.0.0.1:1/", traces_requests=setting)
    assert (
        run(open_store(settings), client, f"request:get (- url: '{web.url}/a' -)", {})["status"] == "SUCCESS"
    )
    [header] = [request.headers.get("traceparent") for request in web.requests]
    assert (header is not None) == (setting == "true")
    assert header is None or parse_traceparent(header) is not None


def test_with_sync_false_the_server_completes_the_task(
    store: Store, client: redis.Redis, web: WebServer, stepper: Callable[[Consumer], Stepper]
) -> None:
    flow = (
        f"request:post (- {{url: '{web.url}/', sync: false, error_on_status: false, output_mode: status}} -)"
    )
    id = start_workflow(store, flow, {"a": 1}).id
    with listening(request_executor(store)):
        eventually(lambda: web.requests and client.get(keys.out_of_band_output(id, 1)) != '{"a":1}')
        eventually(lambda: client.xpending(keys.queue("request"), "request")["pending"] == 0)
    assert events_of(client, "end-task") == []
    query = {name: values[0] for name, values in parse_qs(urlsplit(web.requests[0].path).query).items()}
    assert query == {
        "littleflow-name": "request:post",
        "littleflow-base": "request:post",
        "littleflow-index": "1",
        "littleflow-workflow": id,
        "littleflow-run": client.hget(id, "run"),
        "littleflow-attempt": "1",
    }
    append(client, kind="end-task", workflow=id, name="request:post", index=1, attempt=1, status="SUCCESS")
    stepper(Lifecycle(store)).step()
    output = json.loads(client.hget(keys.outputs(id), "1") or "null")
    assert output == {"a": 1, "request_status": 404}
    assert client.get(keys.out_of_band_output(id, 1)) is None


@pytest.mark.parametrize("result", [{"output": {"b": 2}}, {"status": "FAILURE", "reason": "no"}])
def test_an_output_of_the_server_and_a_failure_delete_the_out_of_band_output(
    store: Store,
    client: redis.Redis,
    web: WebServer,
    stepper: Callable[[Consumer], Stepper],
    result: dict[str, Any],
) -> None:
    web.pages["/"] = Page()
    flow = f"request:post (- {{url: '{web.url}/', sync: false, use_context_parameters: false}} -)"
    id = start_workflow(store, flow, {"a": 1}).id
    with listening(request_executor(store)):
        eventually(lambda: client.get(keys.out_of_band_output(id, 1)))
    append(client, kind="end-task", workflow=id, name="request:post", index=1, attempt=1, **result)
    stepper(Lifecycle(store)).step()
    assert client.get(keys.out_of_band_output(id, 1)) is None


def test_a_late_end_does_not_use_the_output_of_a_later_attempt(
    store: Store, client: redis.Redis, stepper: Callable[[Consumer], Stepper]
) -> None:
    id = start_workflow(store, "request:post (- {url: 'http://x', sync: false} -)", {"a": 1}).id
    retry_task(store, id, 1)
    client.set(keys.out_of_band_output(id, 1), '{"a":1}')
    lifecycle = stepper(Lifecycle(store))
    for attempt in (1, 2):
        end = {"workflow": id, "name": "request:post", "index": 1, "attempt": attempt, "status": "SUCCESS"}
        append(client, kind="end-task", **end)
        lifecycle.step()
    assert json.loads(client.hget(keys.outputs(id), "1") or "null") == {"a": 1}
    assert client.get(keys.out_of_band_output(id, 1)) is None


def test_a_deletion_deletes_the_out_of_band_output(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "request:post (- {url: 'http://x', sync: false} -)", {"a": 1}).id
    client.set(keys.out_of_band_output(id, 1), '{"a":1}')
    terminate_workflow(store, id)
    delete_workflow(store, id)
    assert client.keys(f"{id}*") == []


def test_with_sync_false_a_request_that_fails_fails_the_task(store: Store, client: redis.Redis) -> None:
    end = run(store, client, "request:get (- {url: 'http://127.0.0.1:1/', sync: false} -)", {"a": 1})
    assert end["status"] == "FAILURE"
    assert client.keys("*:output:*") == []


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_request_of_an_attempt_that_is_over_is_not_sent(
    store: Store, client: redis.Redis, web: WebServer, is_deleted: bool
) -> None:
    with store.connect() as connection:
        claim(connection, "request", ["request:*"])
    id = start_workflow(store, f"request:post (- url: '{web.url}/' -)", {}).id
    terminate_workflow(store, id)
    if is_deleted:
        delete_workflow(store, id)
    assert client.xlen(keys.queue("request")) == 1
    with listening(request_executor(store)):
        eventually(lambda: client.xlen(keys.queue("request")) == 0)
    assert web.requests == []
    assert events_of(client, "end-task") == []  # an end-task of a deleted workflow would be a dead letter
    assert client.xpending(keys.queue("request"), "request")["pending"] == 0


@pytest.mark.parametrize("max_held", [1000, 5, 0])
def test_slow_requests_of_one_workflow_do_not_stop_those_of_another(
    store: Store, client: redis.Redis, web: WebServer, monkeypatch: pytest.MonkeyPatch, max_held: int
) -> None:
    """Also if more are waiting than the role may hold back."""
    monkeypatch.setattr("lfr.worker.fair_share._MAX_HELD", max_held)
    hold = threading.Event()
    web.pages["/slow"], web.pages["/quick"] = Page(hold=hold), Page()
    slow, quick = (f"request:get (- url: '{web.url}/{path}' -)" for path in ("slow", "quick"))
    many = start_workflow(store, f"{{ {'; '.join([slow] * 90)} }}", {}).id
    with listening(request_executor(store)):
        eventually(lambda: len(web.requests) >= 32)
        other = start_workflow(store, quick, {}).id
        (end,) = eventually(lambda: events_of(client, "end-task"))
        assert (end["workflow"], end["status"]) == (other, "SUCCESS")
        assert len([request for request in web.requests if request.path == "/slow"]) == 32
        hold.set()
        eventually(lambda: len(events_of(client, "end-task")) == 91)
        eventually(lambda: client.xlen(keys.queue("request")) == 0)
    ends = [end for end in events_of(client, "end-task") if end["workflow"] == many]
    assert len({end["index"] for end in ends}) == 90
    assert len(web.requests) == 91


def test_requests_that_are_held_back_are_left_to_others_at_a_stop(
    store: Store, client: redis.Redis, web: WebServer
) -> None:
    hold = threading.Event()
    web.pages["/"] = Page(hold=hold)
    task = f"request:get (- url: '{web.url}/' -)"
    id = start_workflow(store, f"{{ {'; '.join([task] * 50)} }}", {}).id
    with listening(request_executor(store)):
        eventually(lambda: len(web.requests) == 32)
        eventually(lambda: client.xpending(keys.queue("request"), "request")["pending"] == 50)
        threading.Timer(0.1, hold.set).start()
    with listening(request_executor(store)):
        eventually(lambda: len(events_of(client, "end-task")) == 50)
    assert len(web.requests) == 50
    assert {end["workflow"] for end in events_of(client, "end-task")} == {id}


def test_a_request_that_is_held_back_is_not_sent_once_its_attempt_is_over(
    store: Store, client: redis.Redis, web: WebServer
) -> None:
    hold = threading.Event()
    web.pages["/"] = Page(hold=hold)
    task = f"request:get (- url: '{web.url}/' -)"
    id = start_workflow(store, f"{{ {'; '.join([task] * 50)} }}", {}).id
    with listening(request_executor(store)):
        eventually(lambda: len(web.requests) == 32)
        eventually(lambda: client.xpending(keys.queue("request"), "request")["pending"] == 50)
        terminate_workflow(store, id)
        hold.set()
        eventually(lambda: client.xlen(keys.queue("request")) == 0)
    assert len(web.requests) == 32
