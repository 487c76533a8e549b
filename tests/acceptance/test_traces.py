"""Traces of the built file: the examples of docs/traces.md, a worker, a killed role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr import Client
from tests.support.pages import block
from tests.support.processes import lfr, role
from tests.support.span_receiver import SpanServer, attributes, parse_request, span_server
from tests.support.waiting import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"

TASKS = """
import lfr

@lfr.task("charge")
def charge(input, context: lfr.Context):
    if context.tries == 1:
        raise ValueError("no disk")
    return context.traceparent
"""


@pytest.fixture
def receiver() -> Iterator[SpanServer]:
    with span_server() as server:
        yield server


def test_what_the_page_shows(redis_url: str, tmp_path: Path, receiver: SpanServer) -> None:
    config = tmp_path / "lfr.yaml"
    config.write_text(block("docs/traces.md", "# lfr.yaml").replace("http://127.0.0.1:4318", receiver.url))
    tasks, flow = tmp_path / "tasks.py", tmp_path / "order.flow"
    tasks.write_text(TASKS)
    flow.write_text("@flow order\ncharge (- lfr: {retry: {times: 1, delay: 10ms}} -)")
    named = "--config", str(config)
    with (
        role("lifecycle", *named, url=redis_url),
        role("tasks", str(tasks), *named, url=redis_url),
        role("traces", *named, url=redis_url, more={"LFR_TRACES_HEADERS": "X-Token=secret"}),
    ):
        eventually(lambda: any(each["role"] == "traces" for each in Client(redis_url).status()["roles"]))
        tested = lfr("traces", "test", url=redis_url)
        assert (tested.returncode, len(receiver.spans())) == (0, 1), tested.stderr
        assert receiver.spans()[0].trace_id.hex() in tested.stdout
        ran = lfr("run", str(flow), "--wait", "--workflow-id", "o", "--traceparent", CALLER, url=redis_url)
        assert ran.returncode == 0, ran.stderr
        eventually(lambda: len(receiver.spans()) == 4)
        printed = lfr("trace", "o", url=redis_url)
    headers, spans = receiver.requests[1]
    assert headers["x-token"] == "secret"
    assert parse_request(json.loads(printed.stdout)) == spans
    root, first, second = spans
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, "00f067aa0ba902b7")
    assert json.loads(ran.stdout) == f"00-{TRACE}-{second.span_id.hex()}-01"  # what the task was told
    assert (first.status.message, second.status.code) == ("ValueError: no disk", 0)
    assert attributes(first)["process.pid"] > 0
    wrong = lfr("run", str(flow), "--traceparent", "00-word", url=redis_url)
    assert (wrong.returncode, wrong.stdout) == (65, "")


def test_a_role_that_is_killed_in_the_middle_has_the_same_spans_exported_again(
    redis_url: str, receiver: SpanServer
) -> None:
    receiver.held.clear()
    more = {"LFR_TRACES_ENDPOINT": receiver.url, "LFR_LEASE": "0.5"}
    client = Client(redis_url)
    with role("lifecycle", url=redis_url):
        with role("traces", url=redis_url, more=more) as process:
            eventually(lambda: any(each["role"] == "traces" for each in client.status()["roles"]))
            client.run("@flow order * A", [])
            eventually(lambda: len(receiver.requests) == 1)
            process.kill()
            process.wait()
        receiver.held.set()
        with role("traces", url=redis_url, more=more):
            eventually(lambda: len(receiver.requests) == 2)
            eventually(lambda: not client.status()["traces"]["queued"])
    (_, first), (_, second) = receiver.requests
    assert first == second
