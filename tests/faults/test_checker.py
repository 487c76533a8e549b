"""The checker finds what is wrong: a check that never fails would prove nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.checker import _check_executions, _find_doubled_facts
from tests.faults.findings import Findings
from tests.faults.generate import Plan
from tests.faults.journal import Hit, Journal
from tests.faults.oracle import expect
from tests.faults.syntax import Call, Program, Scope, Statement, Step, number_steps
from tests.faults.workers.behaviour import digest

FACTS = ["=0", "+1", "-1", "+2", "-2", "=3", "finished"]


@pytest.fixture
def plan() -> Plan:
    """A workflow of two tasks, `one:mark -> many:pair`."""
    steps = [Step([Call("one:mark")]), Step([Call("many:pair")])]
    program = Program(Scope([Statement(steps)]))
    number_steps(program)
    return Plan(7, program, {}, expect(program, {}))


def line(plan: Plan, index: int, **changes: Any) -> dict[str, Any]:
    """Return an execution as a worker logs it."""
    execution = plan.expectation.executions[(), index]
    right = {"workflow": plan.id, "index": index, "attempt": 1, "task": execution.call.name}
    return right | {"input": digest(execution.input), "at": 100.0 + index, "slot": "one.1"} | changes


def check(plan: Plan, lines: list[dict[str, Any]], *hits: Hit) -> Findings:
    """Check executions; `hits` are faults."""
    findings, journal = Findings(), Journal()
    for hit in hits:
        journal.hits[hit.slot].append(hit)
    load: Any = SimpleNamespace(earlier={})
    _check_executions(load, plan, lines, FACTS, journal, findings)
    return findings


def test_what_is_right_is_clean(plan: Plan) -> None:
    assert check(plan, [line(plan, 1), line(plan, 2)]).is_clean
    assert list(_find_doubled_facts(plan, FACTS)) == []


def test_a_task_that_was_not_executed_is_lost(plan: Plan) -> None:
    findings = check(plan, [line(plan, 1)])
    assert len(findings.lost) == 1 and not findings.doubled and not findings.invented


def test_an_attempt_that_was_executed_twice_needs_a_fault_of_its_worker(plan: Plan) -> None:
    lines = [line(plan, 1), line(plan, 1, slot="one.2", at=103.5), line(plan, 2)]
    assert len(check(plan, lines).doubled) == 1
    assert len(check(plan, lines, Hit("kill", "many.1", 102.0, 103.0)).doubled) == 1  # it hit another one
    assert len(check(plan, lines, Hit("kill", "one.1", 98.0, 99.0)).doubled) == 1  # it was over before
    assert len(check(plan, lines, Hit("server killed", "*", 94.0, 97.0)).doubled) == 1
    assert check(plan, lines, Hit("server killed", "*", 94.0, 98.0)).is_clean  # a worker still waited
    assert check(plan, lines, Hit("kill", "one.1", 102.0, 103.0)).is_clean
    assert check(plan, lines, Hit("freeze", "one.2", 98.0, 103.0)).is_clean
    assert check(plan, lines, Hit("server killed", "*", 102.0, 103.0)).is_clean


@pytest.mark.parametrize(
    "changes",
    [{"index": 5}, {"input": "another"}, {"attempt": 2}, {"workflow": "workflow:f7/1.0"}],
    ids=str,
)
def test_an_execution_that_nothing_asks_for_is_invented(plan: Plan, changes: dict[str, Any]) -> None:
    findings = check(plan, [line(plan, 1), line(plan, 2), line(plan, 1) | changes])
    assert len(findings.invented) == 1


@pytest.mark.parametrize("word", ["-1", "+2", "-2.2", "~2", "!1", "^1"])
def test_an_attempt_or_a_step_that_ends_twice_is_found(plan: Plan, word: str) -> None:
    assert list(_find_doubled_facts(plan, [*FACTS, word]))
