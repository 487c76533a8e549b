"""Spans that are made of a history."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lfr.actor import Actor
from lfr.engine.transition import Fact
from lfr.language import compile_flow
from lfr.operations.inspect.history_state import HistoryState
from lfr.operations.traces.runs import TracedWorkflow, WorkflowRun, make_runs
from lfr.operations.traces.span import Span, _text, encode_requests, export_request
from lfr.states import WorkflowState
from lfr.store.workflows.history import History, HistoryEntry
from lfr.store.workflows.record import Record
from lfr.store.workflows.task_logs import LoggedAttempt
from lfr.trace_context import trace_of
from lfr.values.json import decode_json
from tests.support.span_receiver import attributes, parse_request

ID = "workflow:w"
FLOW = compile_flow("A -> B -> * C")
A, B, C = (step.index for step in FLOW.steps if step.name)


def traced(*entries: tuple[Any, ...], removed: Any = None, now_ms: int = 10_000) -> TracedWorkflow:
    """Return a workflow with this history: each entry is its time, its facts, a reason, an actor."""
    record = Record(
        *(ID, FLOW.digest, WorkflowState.RUNNING, 1000, 0, 0, 0, 0),
        *("order", 0, None, 0, ""),
        run="r",
        version=3,
        labels={"tenant": "7"},
    )
    parsed = [
        HistoryEntry(str(number), at_ms, tuple(map(Fact.parse, facts.split())), *more)
        for number, (at_ms, facts, *more) in enumerate(
            (*each, "") if len(each) == 2 else each for each in entries
        )
    ]
    evidence = {(A, 1): LoggedAttempt(evidence={"host": "web1", "process": 7, "cpu_seconds": 0.5})}
    return TracedWorkflow(record, FLOW, History(parsed, removed), evidence, trace_of(ID, "r"), now_ms)


def spans_of(workflow: TracedWorkflow, run: WorkflowRun) -> list[Span]:
    first = run.span(workflow, "")
    return [first, *run.spans, *(child.span for child in run.children)]


def shape(spans: list[Span]) -> list[tuple[str, int, int, Any]]:
    states = ("lfr.workflow.state", "lfr.step.state")
    return [
        (
            each.name,
            each.start_ms,
            each.end_ms,
            next(each.attributes[key] for key in states if key in each.attributes),
        )
        for each in spans
    ]


def test_a_workflow_with_a_retry_and_an_iteration() -> None:
    workflow = traced(
        (1000, f"=0 +{A}"),
        (1100, f"-{A} +{B}"),
        (1200, f"^{B}", "no disk"),
        (1250, f"+{B}.2"),
        (1260, f"+{B}.2"),  # a pause had held it back
        (1300, f"-{B}.2 +{C}"),
        (1310, f"+{C}/0 +{C}/1"),
        (1400, f"-{C}/0*"),
        (1500, f"-{C}/1"),
        (1510, f"-{C} =9 finished"),
    )
    [run] = make_runs(workflow)
    spans = spans_of(workflow, run)
    assert shape(spans) == [
        ("order", 1000, 1510, "FINISHED"),
        ("A", 1000, 1100, "DONE"),
        ("B", 1100, 1200, "FAILED"),
        ("B", 1250, 1300, "DONE"),
        ("* C", 1300, 1510, "DONE"),
        ("C [0]", 1310, 1400, "DONE"),
        ("C [1]", 1310, 1500, "DONE"),
    ]
    root, a, failed, retried, step, *items = spans
    assert {each.parent_id for each in (a, failed, retried, step)} == {root.id}
    assert {each.parent_id for each in items} == {step.id}
    trace = workflow.trace
    assert (failed.id, retried.id) == (trace.step_span_id(B, 1), trace.step_span_id(B, 2))
    assert items[0].id == trace_of(f"{ID}/{C}.0", "r").workflow_span_id()
    assert (failed.failure, [event.name for event in failed.events]) == ("no disk", ["retry"])
    parsed = parse_request(export_request(each.to_dict() for each in spans))
    assert attributes(parsed[0]) == {
        **{"lfr.workflow.id": ID, "lfr.flow.name": "order", "lfr.flow.version": 3, "lfr.label.tenant": "7"},
        "lfr.workflow.state": "FINISHED",
    }
    assert attributes(parsed[1]) == {
        **{"lfr.workflow.id": ID, "lfr.step.index": A, "lfr.step.state": "DONE", "lfr.task": "A"},
        **{"lfr.attempt": 1, "host.name": "web1", "process.pid": 7, "lfr.cpu_seconds": 0.5},
    }
    assert attributes(parsed[5])["lfr.simulated"] is True
    assert (parsed[2].status.code, parsed[2].status.message) == (2, "no disk")
    assert parsed[0].status.code == 0
    assert parsed[1].start_time_unix_nano == 1000 * 10**6


def test_each_restart_has_a_span_of_its_own() -> None:
    workflow = traced(
        (1000, f"+{A} +{B}"),
        (1100, f"!{A} failed", "no disk"),
        (1200, "restarted +1.2", "", Actor("ann@web1")),
        (1300, f"-{B}"),
        (1400, f"-{A}.2 finished"),
    )
    first, second = make_runs(workflow)
    assert shape(spans_of(workflow, first)) == [
        ("order", 1000, 1100, "FAILED"),
        ("A", 1000, 1100, "FAILED"),
        ("B", 1000, 1100, "RUNNING"),  # it goes on, and is cut where its workflow has ended
    ]
    assert first.span(workflow, "").failure == "no disk"
    spans = spans_of(workflow, second)
    assert shape(spans) == [
        ("order", 1200, 1400, "FINISHED"),
        ("B", 1200, 1300, "DONE"),
        ("A", 1200, 1400, "DONE"),
    ]
    assert spans[1].id == workflow.trace.step_span_id(B, 1, part=1) != first.spans[1].id


def test_a_step_without_an_input() -> None:
    workflow = traced((1000, f"+{A}"), (1100, f"^{A} !{A} !{B} failed", "its input is too big"))
    [run] = make_runs(workflow)
    assert shape(spans_of(workflow, run))[1:] == [("A", 1000, 1100, "FAILED"), ("B", 1100, 1100, "FAILED")]


def test_what_is_stopped_and_what_still_runs() -> None:
    stopped = traced((1000, f"+{A}"), (1500, "paused"), (2000, "terminated", "", Actor("ann@web1", "wrong")))
    [run] = make_runs(stopped)
    assert shape(spans_of(stopped, run)) == [
        ("order", 1000, 2000, "TERMINATED"),
        ("A", 1000, 2000, "STOPPED"),
    ]
    assert [(event.at_ms, event.name) for event in run.events] == [(1500, "paused"), (2000, "terminated")]
    late = traced((1000, f"+{A}"), (2000, "timed-out failed", "it took too long"))
    [run] = make_runs(late)
    assert shape(spans_of(late, run))[1:] == [("A", 1000, 2000, "STOPPED")]
    assert run.span(late, "").failure == "it took too long"
    running = traced((1000, f"+{A}"), now_ms=5000)
    [run] = make_runs(running)
    assert shape(spans_of(running, run)) == [("order", 1000, 5000, "RUNNING"), ("A", 1000, 5000, "RUNNING")]


def test_a_history_whose_oldest_entries_were_removed() -> None:
    whole = traced((1000, f"=0 +{A}"), (1100, f"-{A} +{C}"), (1110, f"+{C}/0 +{C}/1"), (1200, f"-{C}/0"))
    state = HistoryState()
    state.add(whole.history.entries)
    workflow = traced((1300, f"-{C}/1"), (1400, f"-{C} finished"), removed=state.to_dict())
    [run] = make_runs(workflow)
    assert shape(spans_of(workflow, run)) == [
        ("order", 1000, 1400, "FINISHED"),
        ("* C", 1100, 1400, "DONE"),
        ("C [1]", 1200, 1300, "DONE"),
    ]


def test_requests_are_bounded_and_have_each_span_once() -> None:
    span = Span("1" * 32, "2" * 16, "", "s", 1, 2, {"text": "é" * 5000})
    spans = [Span("1" * 32, f"{n:016x}", "", "s", 1, 2, span.attributes) for n in range(1, 2001)]
    requests = list(encode_requests(spans))
    assert len(requests) > 1
    assert all(len(request) < 3 * 2**20 for request, _ in requests)
    parsed = [parse_request(decode_json(request)) for request, _ in requests]
    assert [len(each) for each in parsed] == [count for _, count in requests]
    assert [each.span_id.hex() for spans in parsed for each in spans] == [each.id for each in spans]


class Model:
    """Makes histories as the engine does: any step starts, ends, fails, is retried, with items."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.at_ms = 1000
        self.attempts = Counter[int]()
        self.running: set[int] = set()
        self.items: dict[int, str] = {}
        self.is_over = False
        self.entries: list[tuple[Any, ...]] = []

    def word(self, symbol: str, index: int) -> str:
        attempt = self.attempts[index]
        return f"{symbol}{index}.{attempt}" if attempt > 1 else f"{symbol}{index}"

    def start(self, index: int) -> str:
        self.attempts[index] += 1
        self.running.add(index)
        return self.word("+", index)

    def step(self) -> None:
        self.at_ms += self.draw(st.integers(-5, 50))
        choices = ["restarted"] if self.is_over else ["terminated", "paused", "nothing"]
        if not self.is_over:
            choices += [f"+{index}" for index in (A, B, C) if index not in self.running]
            choices += ["items"] if C in self.running else []
        choices += [f"{symbol}{index}" for index in sorted(self.running) for symbol in "-!^~"]
        choices += [
            f"-{C}/{n}" for n, state in self.items.items() if state == "running" and C in self.running
        ]
        choice: str = self.draw(st.sampled_from(choices))
        self.entries.append((self.at_ms, *self.take(choice)))

    def take(self, choice: str) -> tuple[str, str]:
        if choice in ("paused", "nothing"):
            return ("paused" if choice == "paused" else "=0"), ""
        if choice == "terminated":
            self.is_over, self.running, self.items = True, set(), {}
            return choice, ""
        if choice == "restarted":
            self.is_over = False
            return f"restarted {self.start(A)}" if A not in self.running else choice, ""
        if choice == "items":
            new = len(self.items)
            self.items[new] = "running"
            return f"+{C}/{new}", ""
        if "/" in choice:
            self.items[int(choice.partition("/")[2])] = "done"
            return choice, ""
        symbol, index = choice[0], int(choice[1:])
        if symbol == "+":
            return self.start(index), ""
        word = self.word(symbol, index)
        self.running.discard(index)
        if symbol == "^":
            return (f"{word} {self.start(index)}" if self.draw(st.booleans()) else word), "again"
        if symbol == "!" and not self.is_over:
            self.is_over = True
            return f"{word} failed", "no disk"
        return word, "no disk" if symbol == "!" else ""


@given(data=st.data(), steps=st.integers(0, 40))
def test_each_span_lies_within_its_parent_and_has_an_id_of_its_own(data: Any, steps: int) -> None:
    model = Model(data.draw)
    for _ in range(steps):
        model.step()
    workflow = traced(*model.entries, now_ms=1000)
    runs = make_runs(workflow)
    spans = [span for run in runs for span in spans_of(workflow, run)]
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans)
    for span in spans:
        assert span.start_ms <= span.end_ms
        if span.parent_id:
            parent = by_id[span.parent_id]
            assert parent.start_ms <= span.start_ms
            assert span.end_ms <= parent.end_ms
    for before, after in pairwise(runs):
        assert before.end_ms <= after.start_ms
    assert len(parse_request(export_request(each.to_dict() for each in spans))) == len(spans)


def test_a_text_of_a_span_is_cut() -> None:
    assert len(_text("x" * 2000)) == 1000 and _text("x" * 1000) == "x" * 1000
