"""The role traces: what is exported, how often, what becomes of it without a receiver; traceparents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import BadInput, BadSettings, Conflict, NotFound
from lfr.operations.intervene import delete_workflow, fail_task, restart_workflow, terminate_workflow
from lfr.operations.metrics import load_metrics
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.operations.traces import load
from lfr.operations.traces.load import describe_trace
from lfr.operations.traces.receiver import send_test
from lfr.outbound.span_receiver import SpanReceiver
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.traces import Traces
from lfr.runtime.consumer import Consumer
from lfr.runtime.heartbeat import this_process
from lfr.store import keys
from lfr.store.processes import heartbeat_commands
from lfr.store.redis.connection import Store
from lfr.trace_context import trace_of
from tests.integration.conftest import Stepper, append, settle, started_tasks
from tests.support.span_receiver import SpanServer, attributes, parse_request, span_server
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at every pass, and try again at once."""
    monkeypatch.setattr("lfr.exporter.exports._LOOK_SECONDS", 0.0)
    monkeypatch.setattr("lfr.notices.notice._FIRST_RETRY_SECONDS", 0.001)


@pytest.fixture
def receiver() -> Iterator[SpanServer]:
    with span_server() as server:
        yield server


@pytest.fixture
def traced(store: Store, receiver: SpanServer) -> Store:
    """A store whose settings name the receiver."""
    return with_receiver(store, receiver.url)


def with_receiver(store: Store, url: str, **settings: Any) -> Store:
    return replace(store, settings=replace(store.settings, traces_endpoint=url, **settings))


def end_task(client: redis.Redis, id: str, index: int = 1, attempt: int = 1, **more: Any) -> None:
    append(client, kind="end-task", workflow=id, name="A", index=index, attempt=attempt, **more)


def export(role: Stepper, condition: Callable[[], bool]) -> None:
    """Take passes until the condition holds and no export runs."""
    exports = role.consumer._exports  # type: ignore[attr-defined]

    def step() -> bool:
        role.step()
        return condition() and exports._running is None

    eventually(step)


def is_empty(client: redis.Redis) -> bool:
    return not client.exists(keys.TRACES)


def names(receiver: SpanServer) -> list[str]:
    return [span.name for span in receiver.spans()]


def totals(store: Store, role: Stepper) -> dict[str, int]:
    """Return the numbers of the metrics, with those that the role has not stored yet."""
    numbers = dict(load_metrics(store).trace_totals)
    for (key, what, _), number in role.consumer.totals.take().items():
        if key == keys.TRACE_TOTALS:
            numbers[what] = numbers.get(what, 0) + number
    return numbers


def test_what_ends_is_exported_once(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    role.step()
    id = start_workflow(traced, "@flow order\nA", labels={"tenant": "7"}).id
    [task] = started_tasks(client)
    end_task(client, id, output=1)
    settle(client, lifecycle, role)
    export(role, lambda: is_empty(client) and len(receiver.spans()) == 2)
    for _ in range(3):
        role.step()
    [(headers, [root, step])] = receiver.requests
    assert headers["content-encoding"] == "gzip"
    assert (root.name, attributes(root)["lfr.workflow.state"]) == ("order", "FINISHED")
    assert attributes(root)["lfr.label.tenant"] == "7"
    version, trace_id, parent_id, flags = json.loads(task["traceparent"]).split("-")
    assert (version, flags) == ("00", "01")
    assert (root.trace_id.hex(), step.span_id.hex()) == (trace_id, parent_id)  # what the worker was told
    assert (root.parent_span_id, step.parent_span_id) == (b"", root.span_id)
    assert parse_request(describe_trace(traced, id)) == [root, step]
    assert totals(traced, role) == {"sent": 1, "spans": 2}
    assert client.ttl(keys.TRACE_RECEIVER) == -1


def test_a_workflow_that_was_started_with_a_trace_belongs_to_it(
    client: redis.Redis, store: Store, stepper: Make, receiver: SpanServer
) -> None:
    """Also where no endpoint is set: then its tasks know the trace, and those of others know none."""
    id = start_workflow(store, "A", traceparent=CALLER).id
    start_workflow(store, "B")
    tasks = {json.loads(task["name"]): task for task in started_tasks(client)}
    assert json.loads(tasks["A"]["traceparent"]).startswith(f"00-{TRACE}-")
    assert "traceparent" not in tasks["B"]
    root, _ = parse_request(describe_trace(store, id))
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, "00f067aa0ba902b7")
    with pytest.raises(BadInput, match="no traceparent"):
        start_workflow(store, "A", traceparent="00-word")
    with pytest.raises(NotFound):
        describe_trace(store, "workflow:none")


def test_who_wants_no_spans_gets_none(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    start_workflow(traced, "* A", [], workflow_id="silent", traceparent=CALLER.replace("-01", "-00"))
    start_workflow(traced, "@flow loud * A", [])
    settle(client, lifecycle, role)
    export(role, lambda: is_empty(client))
    assert names(receiver) == ["loud"]


def test_items_and_called_flows_are_spans_of_the_same_trace(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    apply_flows(traced, [FlowSource("@flow inner B", "inner", None)])
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    role.step()  # lifecycles keep the histories of children only for a role that runs
    id = start_workflow(traced, "<[1]> -> * A -> flow:inner", traceparent=CALLER).id
    settle(client, lifecycle)
    [item_task] = started_tasks(client)
    end_task(client, json.loads(item_task["workflow"]), index=json.loads(item_task["index"]), output=1)
    settle(client, lifecycle)
    task = started_tasks(client)[-1]
    child, index = json.loads(task["workflow"]), json.loads(task["index"])
    assert json.loads(task["traceparent"]) == trace_of(child, json.loads(task["run"]), CALLER).traceparent_of(
        index, 1
    )
    fail_task(traced, child, index, "no disk")
    settle(client, lifecycle, role)
    export(role, lambda: is_empty(client) and len(receiver.spans()) >= 7)
    spans = {span.name: span for span in receiver.spans()}
    assert len(receiver.spans()) == 7
    assert len({span.span_id for span in receiver.spans()}) == 7
    root = next(span for span in receiver.spans() if attributes(span).get("lfr.workflow.state"))
    call, inner = [span for span in receiver.spans() if span.name == "flow:inner"]
    assert {span.trace_id.hex() for span in receiver.spans()} == {TRACE}
    assert spans["* A"].parent_span_id == call.parent_span_id == root.span_id
    assert spans["A [0]"].parent_span_id == spans["* A"].span_id
    assert inner.parent_span_id == call.span_id
    assert spans["A"].parent_span_id == spans["A [0]"].span_id  # of the item, which is deleted
    assert spans["A"].span_id.hex() in item_task["traceparent"]
    assert spans["B"].parent_span_id == inner.span_id  # a child that has failed is still stored
    assert spans["B"].span_id.hex() in task["traceparent"]
    assert spans["B"].status.message == "no disk"
    assert attributes(root)["lfr.workflow.id"] == id


def test_children_are_read_only_while_their_spans_have_room(
    client: redis.Redis, store: Store, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand may be stored: whoever may read asked for all of them, for some spans."""
    read: list[str] = []
    original = load.read_whole_history

    def noted(connection: Any, id: str) -> Any:
        read.append(id)
        return original(connection, id)

    monkeypatch.setattr(load, "read_whole_history", noted)
    monkeypatch.setattr(load, "MAX_SPANS", 5)
    id = start_workflow(store, "<[1, 2, 3, 4, 5, 6, 7, 8]> -> * A").id
    settle(client, stepper(Lifecycle(store)))
    spans = parse_request(describe_trace(store, id))
    assert len(spans) == 5
    assert len(read) <= 5 and read[0] == id
    assert attributes(spans[0])["lfr.spans.omitted"] >= 5


def test_the_steps_of_a_called_flow_are_exported_though_it_is_deleted(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    apply_flows(
        traced, [FlowSource("@flow inner B", "inner", None), FlowSource("@flow outer flow:inner", "o", None)]
    )
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    role.step()
    start_workflow(traced, "flow:outer")
    settle(client, lifecycle)
    [task] = started_tasks(client)
    child = json.loads(task["workflow"])
    assert child.count("/") == 2
    end_task(client, child, output=1)
    settle(client, lifecycle, role)
    export(role, lambda: is_empty(client) and len(receiver.spans()) >= 6)
    assert not client.exists(child)
    assert not list(client.scan_iter("workflows:traces:child:*"))
    spans = {span.span_id: span for span in receiver.spans()}
    line = [next(span for span in spans.values() if span.name == "B")]
    assert line[0].span_id.hex() in task["traceparent"]
    while line[-1].parent_span_id:
        line.append(spans[line[-1].parent_span_id])
    assert len(line) == len(spans) == 6
    for inner, outer in pairwise(line):
        assert outer.start_time_unix_nano <= inner.start_time_unix_nano
        assert inner.end_time_unix_nano <= outer.end_time_unix_nano


def test_children_beyond_the_bound_are_dropped(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.store.traces.MAX_QUEUED", 2)
    monkeypatch.setattr("lfr.exporter.exports.MAX_QUEUED", 2)
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    role.step()
    start_workflow(traced, "* { * A }", [[], [], [], []])
    settle(client, lifecycle)
    assert client.zcard(keys.TRACES) == 4
    client.delete(keys.traced_child(client.zrange(keys.TRACES, 0, 0)[0]))  # it has expired
    export(role, lambda: is_empty(client))
    assert totals(traced, role)["dropped"] >= 3


def test_after_a_restart_only_what_is_new_is_exported(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    id = start_workflow(traced, "@flow order A").id
    fail_task(traced, id, 1, "no disk")
    settle(client, lifecycle, role)
    export(role, lambda: is_empty(client) and len(receiver.spans()) == 2)
    restart_workflow(traced, id)
    terminate_workflow(traced, id)
    settle(client, lifecycle, role)
    export(role, lambda: is_empty(client) and len(receiver.spans()) == 4)
    states = [attributes(span).get("lfr.workflow.state") for span in receiver.spans()]
    assert states == ["FAILED", None, "TERMINATED", None]
    assert len({span.span_id for span in receiver.spans()}) == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_role_that_dies_has_its_spans_exported_by_another(
    client: redis.Redis,
    traced: Store,
    stepper: Make,
    receiver: SpanServer,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    """It dies when it has queued what ended, or when the receiver has got it and nobody has noted that."""
    lifecycle = stepper(Lifecycle(traced))
    quick = replace(traced, settings=replace(traced.settings, lease_seconds=0.2))
    role = stepper(Traces(quick))
    start_workflow(traced, "@flow order * A", [])
    if when == "before":
        receiver.held.clear()
    settle(client, lifecycle, role)
    eventually(lambda: role.step() or bool(receiver.requests))  # type: ignore[func-returns-value]
    assert not is_empty(client)
    receiver.held.set()
    other = stepper(Traces(quick))
    export(other, lambda: is_empty(client) and len(receiver.requests) >= 2)
    (_, first), (_, second) = receiver.requests[:2]
    assert first == second


def test_a_receiver_that_is_away_holds_up_nothing(
    client: redis.Redis, store: Store, stepper: Make, receiver: SpanServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfr.roles.traces.MAX_QUEUED", 2)
    monkeypatch.setattr("lfr.notices.notice._FIRST_RETRY_SECONDS", 300.0)
    away = with_receiver(store, "http://127.0.0.1:9")
    lifecycle, role = stepper(Lifecycle(away)), stepper(Traces(away))
    start_workflow(away, "@flow order * A", [])
    settle(client, lifecycle, role)
    export(role, lambda: bool(client.exists(keys.TRACE_RECEIVER)))
    for _ in range(3):
        start_workflow(away, "@flow order * A", [])
    settle(client, lifecycle, role)
    assert client.zcard(keys.TRACES) == 2
    assert client.xlen("workflows:run") == 0 or client.xpending("workflows:run", "traces")["pending"] == 0
    assert totals(away, role) == {"failed": 1, "dropped": 2}
    status = load_status(away)
    assert (status["traces"]["queued"], status["traces"]["failures"]) == (2, 1)
    assert any("no traces role runs" in problem for problem in status["problems"])
    alive(client, away, role)
    assert any("the receiver takes no spans since" in each for each in load_status(away)["problems"])
    # It is back, and its pause is over.
    client.delete(keys.TRACE_RECEIVER)
    again = stepper(Traces(with_receiver(store, receiver.url)))
    export(again, lambda: is_empty(client))
    assert names(receiver) == ["order", "order"]


def alive(client: redis.Redis, store: Store, role: Stepper) -> None:
    with store.connect() as connection:
        connection.execute(heartbeat_commands(this_process("traces", {}), 10.0))


def test_what_the_receiver_answers(
    client: redis.Redis,
    traced: Store,
    stepper: Make,
    receiver: SpanServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    partial = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too\nold"}})
    receiver.answers = [(429, "later", {}), (503, "", {"Retry-After": "0"}), (200, partial, {})]
    start_workflow(traced, "@flow order A", workflow_id="a")
    fail_task(traced, "a", 1, "no disk")
    settle(client, lifecycle, role)
    export(role, lambda: is_empty(client))
    assert [span.name for _, spans in receiver.requests for span in spans] == ["order", "A"] * 3
    assert len({span.span_id for span in receiver.spans()}) == 2
    assert totals(traced, role) == {"failed": 2, "sent": 1, "spans": 2, "rejected": 1}
    assert "rejected 1 of 2: too\\nold" in caplog.text


def test_what_is_refused_for_good_takes_nothing_else_with_it(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    receiver.answers = [(400, "", {}), (400, "bad", {}), (200, "not JSON", {})]
    for number in range(2):
        start_workflow(traced, "@flow order * A", [], workflow_id=f"w{number}")
    settle(client, lifecycle)
    role.step()
    export(role, lambda: is_empty(client))
    assert [len(spans) for _, spans in receiver.requests] == [2, 1, 1]
    assert totals(traced, role) == {"refused": 1, "sent": 1, "spans": 1}


def test_a_history_that_nobody_can_read_holds_up_no_other(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    for number in range(2):
        start_workflow(traced, "@flow order * A", [], workflow_id=f"w{number}")
    settle(client, lifecycle)
    client.rpush(keys.facts("workflow:w0"), "1000 word")
    role.step()
    export(role, lambda: is_empty(client))
    assert names(receiver) == ["order"]
    assert totals(traced, role) == {"sent": 1, "spans": 1, "dropped": 1}


def test_a_workflow_that_is_deleted_before_its_export_is_counted(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    lifecycle, role = stepper(Lifecycle(traced)), stepper(Traces(traced))
    id = start_workflow(traced, "* A", []).id
    settle(client, lifecycle)
    delete_workflow(traced, id)
    export(role, lambda: is_empty(client) and bool(totals_of(role)))
    assert totals(traced, role) == {"dropped": 1}
    assert receiver.requests == []


def totals_of(role: Stepper) -> bool:
    return bool(role.consumer.totals._numbers)


def test_a_test_goes_through_the_role(
    client: redis.Redis, traced: Store, stepper: Make, receiver: SpanServer
) -> None:
    with pytest.raises(Conflict, match="no traces role"):
        send_test(traced)
    role = stepper(Traces(traced))
    alive(client, traced, role)
    for answer, problem in (
        ((200, "{}", {}), None),
        ((401, "who?", {}), "it answers 401 Unauthorized: who?"),
    ):
        receiver.answers = [answer]
        result = run_test(traced, role)
        assert result["problem"] == problem
        assert result["trace_id"] == receiver.spans()[-1].trace_id.hex()
    assert is_empty(client)
    assert send_test(traced, wait_seconds=0)["problem"] == "the role traces has not reported within 0 s"
    assert is_empty(client)


def run_test(store: Store, role: Stepper) -> dict[str, Any]:
    import threading

    results: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: results.append(send_test(store)))
    thread.start()
    eventually(lambda: role.step() or bool(results))  # type: ignore[func-returns-value]
    thread.join()
    return results[0]


def test_headers_and_addresses_are_those_of_the_settings(receiver: SpanServer) -> None:
    settings = Settings(traces_endpoint=f"{receiver.url}/v1/traces", traces_headers={"X-Token": "secret"})
    body = json.dumps(describe()).encode()
    assert SpanReceiver(settings).post(body) == (0, "")
    assert receiver.requests[0][0]["x-token"] == "secret"
    for wrong, place in (
        ({"traces_endpoint": "word"}, "traces.endpoint"),
        ({"traces_headers": {"Host": "a"}}, "traces.headers.Host"),
        ({"traces_headers": {"X": "a\nb"}}, "traces.headers.X"),
        ({"traces_allow": ("/tmp",)}, "traces.allow"),
    ):
        with pytest.raises(BadSettings) as raised:
            SpanReceiver(replace(settings, **wrong))
        assert raised.value.place == place


def describe() -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": []}]}]}


def test_a_host_name_may_lead_to_the_public_internet_only(
    receiver: SpanServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lfr.outbound.delivery_failed import DeliveryFailed

    monkeypatch.setattr(
        "lfr.outbound.timed_socket._call_getaddrinfo",
        lambda host, port, flags: [(2, ("10.0.0.7", port))],
    )
    with pytest.raises(DeliveryFailed, match=r"traces\.allow"):
        SpanReceiver(Settings(traces_endpoint="http://spans.example:4318")).post(b"{}")
