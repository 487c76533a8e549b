"""Large responses: how many values are in memory for them at once, and who waits or is refused."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.store.redis.connection import Store, open_store
from lfr.web import app, large_responses, memory
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.http import Request
from lfr.web.memory import ResponseMemory
from lfr.web.routes import archives
from lfr.web.routes import start as route_start
from tests.support.waiting import STALL_SECONDS
from tests.web.conftest import Caller, start


def test_small_values_need_no_memory_and_large_ones_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PATIENCE_SECONDS", 0.0)
    held = ResponseMemory()
    assert held.acquire(memory.MAX_BYTES // 2) == memory.MAX_BYTES // 2
    assert held.acquire(10 * memory.MAX_BYTES) is None and held.acquire(None) is None
    assert held.acquire(1000) == 0
    assert held.acquire(memory.MAX_BYTES // 2) == memory.MAX_BYTES // 2
    held.release(memory.MAX_BYTES // 2)
    held.release(memory.MAX_BYTES // 2)
    assert held.acquire(None) == memory.MAX_BYTES  # one at a time may be larger than all of it


def test_a_large_response_waits_for_another_and_few_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PATIENCE_SECONDS", STALL_SECONDS)
    monkeypatch.setattr(memory, "_MAX_WAITING", 1)
    held, taken = ResponseMemory(), threading.Event()
    assert held.acquire(None) == memory.MAX_BYTES

    def wait() -> None:
        if held.acquire(None):
            taken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not held._waiting:
        pass
    assert held.acquire(None) is None
    held.release(memory.MAX_BYTES)
    waiting.join(STALL_SECONDS)
    assert taken.is_set()


@pytest.mark.parametrize("path", ["", "/archive", "/state", "/steps/1"])
def test_no_more_large_responses_are_made_than_there_is_memory_for(
    store: Store, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(memory, "MAX_BYTES", 60_000)
    monkeypatch.setattr(memory, "_SMALL_BYTES", 20_000)
    monkeypatch.setattr(memory, "_PATIENCE_SECONDS", 0.0)
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=100_000))
    large, small = start(call, input="x" * 50_000), start(call)
    begun, go_on = threading.Event(), threading.Event()
    original = archives.archive_workflow

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(STALL_SECONDS)
        return original(*arguments)

    monkeypatch.setattr(archives, "archive_workflow", slow)
    first: list[int] = []
    thread = threading.Thread(
        target=lambda: first.append(call("GET", f"/workflows/{large}/archive").status), daemon=True
    )
    thread.start()
    assert begun.wait(STALL_SECONDS)
    refused = call("GET", f"/workflows/{large}{path}")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json["detail"] == "too many large responses are being made; try again"
    assert call("GET", f"/workflows/{small}").status == 200
    assert call("GET", f"/workflows/{large}?values=false").status == 200
    go_on.set()
    thread.join(STALL_SECONDS)
    assert first == [200]
    assert call("GET", f"/workflows/{large}{path}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("?values=false", "/state", "/why", "/graph", "/logs", "/history", "/steps/1"),
        *("/size", "/source", "/runs"),
    ],
)
def test_a_large_flow_counts_as_a_large_response(
    store: Store, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A text of 200 characters may make a million steps, and the description of each of these is long."""
    monkeypatch.setattr(memory, "MAX_BYTES", 60_000)
    monkeypatch.setattr(memory, "_SMALL_BYTES", 20_000)
    monkeypatch.setattr(memory, "_PATIENCE_SECONDS", 0.0)
    held: list[ResponseMemory] = []

    class Held(ResponseMemory):
        def __init__(self) -> None:
            super().__init__()
            held.append(self)

    monkeypatch.setattr(app, "Request", partial(Request, memory=Held()))
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=100_000))
    wide = "@flow wide\n@task a { b; b; b; b; b; b; b; b; b; b }\n" + "a; " * 20
    small, large = (f"/workflows/{id}{path}" for id in (start(call), start(call, wide)))
    if path == "/runs":
        small, large = "/flows/x/runs", "/flows/wide/runs"
    [memory_of_app] = held
    share = memory_of_app.acquire(None)
    assert share is not None
    refused = call("GET", large)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert call("GET", small).status == 200
    memory_of_app.release(share)
    assert call("GET", large).status == 200


def test_large_bodies_share_the_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 bodies of 10 MB with 2,400,000 lists would take 20 GB at once."""
    monkeypatch.setattr(memory, "MAX_BYTES", 300_000)
    monkeypatch.setattr(memory, "_SMALL_BYTES", 20_000)
    monkeypatch.setattr(memory, "_PATIENCE_SECONDS", 0.0)
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=100_000))
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any, **more: Any) -> Any:
        begun.set()
        assert go_on.wait(STALL_SECONDS)
        return original(*arguments, **more)

    original = route_start.start_workflows
    monkeypatch.setattr(route_start, "start_workflows", slow)
    body = {"workflow": "A", "input": "x" * 50_000}
    first: list[int] = []
    thread = threading.Thread(
        target=lambda: first.append(call("POST", "/workflows/start", body).status), daemon=True
    )
    thread.start()
    assert begun.wait(STALL_SECONDS)
    refused = call("POST", "/workflows/start", body)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json["detail"] == "too many large bodies are being read; try again"
    go_on.set()
    assert call("POST", "/workflows/start", {"workflow": "A"}).status == 201
    thread.join(STALL_SECONDS)
    assert first == [201]
    assert call("POST", "/workflows/start", body).status == 201


def test_an_archive_that_is_too_large_is_for_the_command_line(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_responses, "MAX_ARCHIVE_BYTES", 100_000)
    id = start(call, input="x" * 20_000)
    assert call("GET", f"/workflows/{id}/archive").status == 200
    id = start(call, input="x" * 90_000)
    refused = call("GET", f"/workflows/{id}/archive")
    assert (refused.status, refused.json["hint"]) == (409, f"on the server: lfr archive {id}")
    assert "too many for the API" in refused.json["detail"]


def test_a_server_that_may_not_ask_for_sizes_makes_one_large_response_at_a_time(
    redis_url: str, client: redis.Redis
) -> None:
    client.acl_setuser("small", enabled=True, nopass=True, keys="*", commands=["+@all", "-memory"])
    store = open_store(Settings(redis_url=redis_url, redis_username="small", redis_password="any"))
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=1000))
    id = start(call)
    assert call("GET", f"/workflows/{id}").status == call("GET", f"/workflows/{id}/archive").status == 200
