"""Compiling texts, beyond the conformance cases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lfr.flow import Flow, StepKind
from lfr.language import compile_flow


def task_names(flow: Flow) -> list[str]:
    return [step.name for step in flow.steps if step.kind is StepKind.TASK]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a → b", "a->b"),
        ("a → b\n", "\ufeffa → b"),
        ("a → b\nc", "a\r\n→ b\r\nc"),
        ("a → b\nc", "a → b # comment\rc"),
        ("a → b", "\ta\t→\tb\t"),
        ("a → b", "a→b;"),
        ("a → { b c }", "a → [ b c ]"),
        ("a → { b c }", "a → { b; c; }"),
        ("a() → b", "a (\n# nothing\n) → b"),
        ("a → :x b; c → :x", "a → :x # still the label of b\n b; c → :x"),
        ("a :x → b; :x → c", "a\n:x → b; :x → c"),
        ("< > → a", "<> → a"),
        ("<> → a", "<- ~ -> → a"),
        ("<> → a", "<--> → a"),
        ("a ([])", "a"),
        ("a (--)", "a"),
        ("a (- null -)", "a"),
        ("a → > :end", "a → > :end;"),
        ("? ` $.x\n ` a", "? ` $.x\n `a"),
        ("a :x → :x; :x → b", "a → :x; :x → b"),
        ("a b", ":start → a; :start → b → :end"),
    ],
)
def test_two_ways_to_write_one_flow(text: str, same: str) -> None:
    assert compile_flow(text) == compile_flow(same)


def test_a_label_before_a_statement_without_a_semicolon_belongs_to_the_step_before() -> None:
    flow = compile_flow("a → b\n:x → c; :x → d")
    assert (2, 3) in flow.edges
    assert (2, 4) in flow.edges


def test_merge_on_a_label_behind_an_arrow_is_never_a_step() -> None:
    flow = compile_flow("a → > :x b; :x → c")
    assert task_names(flow) == ["a", "b", "c"]
    assert [step.name for step in flow.steps if step.merge] == ["c"]


def test_merge_reaches_every_consumer() -> None:
    flow = compile_flow("a → > :x; :x → b; :x → { c } → :x d; e → { f → > :end }")
    assert [step.index for step in flow.steps if step.merge] == [2, 3, 6, 10]


def test_the_name_and_the_documentation_of_a_flow() -> None:
    flow = compile_flow(
        "@flow nightly '''\n What it does.\n'''\n@task a \"\"\"Does A.\"\"\" @task b '''''' a → b"
    )
    assert (flow.name, flow.doc, flow.docs) == ("nightly", "What it does.", {"a": "Does A."})


@pytest.mark.parametrize(
    ("declarations", "use", "parameters"),
    [
        ('@task a ({"x": 1, "y": 1})', 'a ({"y": {"z": 2}})', {"x": 1, "y": {"z": 2}}),
        ('@task a ({"x": 1})', "a ()", {"x": 1}),
        ('@task a ({"x": 1})', "a ({})", {"x": 1}),
        ('@task a ({"x": 1})', "a ([])", {"x": 1}),
        ("@task a ([1])", "a ([2, 3])", [2, 3]),
        ("@task a ([1])", "a (- 5 -)", 5),
        ("@task a (- 5 -)", 'a ({"x": 1})', {"x": 1}),
        ('@task a ({"x": 1})', "a (- false -)", False),
        ("@task a = b ([1]) @task b = c ([2]) @task c ([3])", "a", [1]),
        ('@task a = b @task b = c ({"x": 2}) @task c ({"x": 3, "y": 3})', "a", {"x": 2, "y": 3}),
        ('@task a ({"x": 1}) @task a ({"y": 1})', "a", {"y": 1}),
    ],
)
def test_parameters_over_defaults(declarations: str, use: str, parameters: object) -> None:
    (step,) = (step for step in compile_flow(f"{declarations} ; {use}").steps if step.kind is StepKind.TASK)
    assert step.parameters == parameters


def test_an_alias_keeps_its_name_and_knows_the_task_at_the_end_of_the_chain() -> None:
    flow = compile_flow("a → b; @task a = b @task b = c")
    assert [(step.name, step.base, step.task) for step in flow.steps[1:3]] == [
        ("a", "c", "c"),
        ("b", "c", "c"),
    ]


def test_an_alias_of_a_subflow_is_that_subflow() -> None:
    flow = compile_flow("@task one { x → y } @task two = one; ? `$.a` two → > :end")
    assert (flow.steps[1].kind, flow.steps[1].name, flow.steps[1].guard) == (StepKind.SUBFLOW, "two", "$.a")
    assert task_names(flow) == ["x", "y"]


def test_declared_subflows_between_bars() -> None:
    flow = compile_flow("@task one { x → y } one|z")
    kinds = [step.kind for step in flow.steps]
    assert kinds[1:3] == [StepKind.SUBFLOW, StepKind.SUBFLOW]
    assert flow.steps[1].end == 7
    assert {(1, 2), (5, 7), (1, 6), (6, 7)} <= set(flow.edges)


def test_iteration_and_resources_are_steps() -> None:
    steps = compile_flow("a → * b\n→ <x>; { <y>() → * {c} }").steps
    assert [step.index for step in steps if step.iterate] == [2, 6]
    assert [(step.uri, step.sink) for step in steps if step.kind is StepKind.RESOURCE] == [
        ("x", True),
        ("y", False),
    ]


def test_yaml_is_not_imported_before_it_is_needed() -> None:
    script = (
        "import sys; from lfr.language import compile_flow; compile_flow('a ({}) → b'); "
        "before = 'yaml' in sys.modules; compile_flow('a (- 1 -)'); print(before, 'yaml' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout.split() == ["False", "True"]
