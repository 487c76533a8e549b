"""Flows as JSON and back, and their digests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lfr.flow import Flow, Step, StepKind
from lfr.language import compile_flow
from tests.conformance.cases import RIGHT, Case, case_id


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_a_flow_survives_encoding(case: Case) -> None:
    flow = compile_flow(case["flow"])
    decoded = Flow.from_dict(json.loads(flow.canonical_json))
    assert decoded == flow
    assert decoded.digest == flow.digest


@pytest.mark.parametrize("parameters", [{"k": 1}, [0], False, "", 0, "text"])
def test_parameters_of_any_type_survive_encoding(parameters: object) -> None:
    step = Step(1, StepKind.TASK, "a", parameters=parameters)
    assert Step.from_dict(step.to_dict()) == step


@pytest.mark.parametrize(
    ("text", "parameters"),
    [("@flow f A", None), ("@flow f () A", None), ("@flow f (- {owner: ann} -) A", {"owner": "ann"})]
    + [(f"@flow f (- {value} -) A", json.loads(value)) for value in ("[1]", "0", "false", '""')],
)
def test_parameters_of_the_flow_are_kept(text: str, parameters: object) -> None:
    flow = compile_flow(text)
    assert flow.parameters == parameters
    assert Flow.from_dict(json.loads(flow.canonical_json)) == flow
    assert ("parameters" in flow.to_dict()) == (parameters is not None)


def test_the_digest_depends_on_the_flow_and_not_on_its_text() -> None:
    flow = compile_flow('a ({"x": 1, "y": [true]}) → b')
    assert flow.digest == compile_flow("# comment\na (- {y: [yes], x: 1} -)\n-> b;").digest
    assert flow.digest != compile_flow('a ({"x": 1, "y": [1]}) → b').digest
    assert flow.digest != compile_flow('@flow f; a ({"x": 1, "y": [true]}) → b').digest


def test_the_digest_is_the_same_in_every_process() -> None:
    text = (
        "@task a ({\"x\": {\"z\": 1, \"y\": 2}}) '''é'''\n@task b '''b''' a → b|c :l → ? `$.a` { d }; :l → e"
    )
    script = f"from lfr.language import compile_flow; print(compile_flow({text!r}).digest)"
    for seed in "12":
        process = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed},
        )
        assert process.stdout.strip() == compile_flow(text).digest


def test_the_digest_is_stable() -> None:
    """Flows are stored under their digest: a change would orphan every stored flow."""
    flow = compile_flow('@flow f a ({"x": 1}) → > b; <[1]> → ? `$.a` { c } → d')
    assert flow.canonical_json == (
        '{"edges":[[0,1],[0,3],[1,2],[2,8],[3,4],[4,5],[5,6],[6,7],[7,8]],"name":"f","steps":['
        '{"index":0,"kind":"start"},{"index":1,"kind":"task","name":"a","parameters":{"x":1}},'
        '{"index":2,"kind":"task","merge":true,"name":"b"},{"index":3,"kind":"literal","value":[1]},'
        '{"end":6,"guard":"$.a","index":4,"kind":"subflow"},{"index":5,"kind":"task","name":"c"},'
        '{"index":6,"kind":"subflow-end"},{"index":7,"kind":"task","name":"d"},{"index":8,"kind":"end"}]}'
    )
