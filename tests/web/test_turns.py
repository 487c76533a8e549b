"""What takes long: how many requests do it at once, who waits, who is refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lfr.store.redis.connection import Store
from lfr.web import turns
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.routes import failures, notices, traces
from lfr.web.server import MAX_STREAMS, StreamSlots
from lfr.web.turns import AT_ONCE, MAX_WAITING, Turns
from tests.support.waiting import STALL_SECONDS
from tests.web.conftest import Caller

READ_TOKEN = "r" * 40

HEAVY = [
    ("GET", "/flows/x/runs", None),
    ("GET", "/workflows?text=x", None),
    ("GET", '/workflows?where=reason~"x"', None),
    ("GET", "/failures?since=all", None),
    ("GET", "/events?kind=x", None),
    ("GET", "/events?workflow=x", None),
    ("GET", "/waits?where=flow=x", None),
    ("GET", "/workflows/workflow:x/why", None),
    ("GET", "/workflows/workflow:x/trace", None),
    ("POST", "/workflows/check", {"workflow": "A"}),
    ("POST", "/workflows/bulk", {"action": "terminate", "where": "flow=x"}),
    ("POST", "/flows", {"flows": ["@flow x\nA"]}),
    ("POST", "/schedules/x/backfill", {"from": "1d", "to": "1h"}),
]


def test_few_take_turns_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", STALL_SECONDS)
    held, go_on = Turns(), threading.Event()
    begun: list[int] = []

    def take(number: int) -> None:
        assert held.acquire()
        begun.append(number)
        assert go_on.wait(STALL_SECONDS)
        held.release()

    threads = [threading.Thread(target=take, args=(number,)) for number in range(AT_ONCE + MAX_WAITING)]
    for thread in threads:
        thread.start()
    while held._admitted._value:  # type: ignore[attr-defined]  # until all are admitted
        pass
    assert not held.acquire() and len(begun) <= AT_ONCE
    go_on.set()
    for thread in threads:
        thread.join(STALL_SECONDS)
    assert len(begun) == len(threads)
    assert held.acquire()


@pytest.fixture
def busy(store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the API of a server of which all turns are taken."""
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.0)
    begun, go_on = threading.Semaphore(0), threading.Event()
    original = failures.group_failures

    def slow(*arguments: Any) -> Any:
        begun.release()
        assert go_on.wait(STALL_SECONDS)
        return original(*arguments)

    monkeypatch.setattr(failures, "group_failures", slow)
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=100_000))
    threads = [threading.Thread(target=call, args=("GET", "/failures"), daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=STALL_SECONDS)
    yield call
    go_on.set()
    for thread in threads:
        thread.join(STALL_SECONDS)


@pytest.mark.parametrize(("method", "path", "body"), HEAVY, ids=lambda value: str(value)[:30])
def test_what_takes_long_takes_a_turn(busy: Caller, method: str, path: str, body: Any) -> None:
    refused = busy(method, path, body)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("path", ["/workflows", "/workflows?state=FAILED", "/events", "/waits", "/system"])
def test_what_does_not_take_long_takes_no_turn(busy: Caller, path: str) -> None:
    assert busy("GET", path).status == 200
    assert busy("POST", "/workflows/start", {"workflow": "A"}).status == 201


def test_a_token_for_reading_sends_no_long_body(store: Store) -> None:
    """It may check flows: 40 bodies of 10 MB took 3.4 GB, and two minutes of all others."""
    call = Caller(make_app(store, AccessPolicy(read=READ_TOKEN), max_body=10_000_000))
    for path, body, status in (
        ("/workflows/check", '{"workflow": [' + "[0]," * 300_000 + "0]}", 413),
        ("/workflows/check", '{"workflow": [' + "[0]," * 200_000 + "0]}", 400),
        ("/workflows/check", '{"workflow": "A"}', 200),
    ):
        reply = call(
            "POST", path, body, content_type="application/json", authorization=f"Bearer {READ_TOKEN}"
        )
        assert reply.status == status


@pytest.mark.parametrize(
    ("module", "path", "body"), [(notices, "/notices/test", {"rule": "r"}), (traces, "/traces/test", None)]
)
def test_tests_that_wait_for_others_take_the_slots_of_streams(
    store: Store, monkeypatch: pytest.MonkeyPatch, module: Any, path: str, body: Any
) -> None:
    """Each holds a thread for up to 40 s: as many as there are threads would stop all other requests."""
    monkeypatch.setattr(module, "send_test", lambda *arguments, **more: [])
    slots = StreamSlots()
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=1000, streams=slots))
    for _ in range(MAX_STREAMS - 1):
        assert slots.acquire()
    for _ in range(3):
        assert call("POST", path, body).status == 200
    assert slots.acquire()
    assert call("POST", path, body).status == 503
