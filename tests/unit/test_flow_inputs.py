"""Declared inputs: the errors in them, and the check of an input at each start."""

from __future__ import annotations

import pytest
import yaml

from lfr.errors import BadInput
from lfr.flow_inputs import complete_input, find_input_faults
from lfr.language import FlowError, compile_flow
from lfr.language.input_declarations import input_names
from lfr.local import run_local
from lfr.values.json import Json
from lfr.values.work import LookBudget

PARAMETERS = {
    "inputs": {
        "branch": {"type": "string", "required": True, "pattern": "^[a-z]+$"},
        "level": {"enum": ["debug", 1], "default": "debug"},
        "tries": {"type": "integer", "minimum": 1, "maximum": 5},
        "more": {"type": "object"},
    }
}


def test_each_error_in_a_declaration_has_its_place() -> None:
    text = """@flow f (- inputs: {
  a: {type: text},
  b: {typ: string},
  c: {type: string, minimum: 1},
  d: {type: integer, default: x},
  e: {type: string, pattern: '(?=a)'},
  f: {required: true, default: 1},
  g: 3,
  h: {type: number, minimum: 3, maximum: 2},
  i: {type: string, enum: []}
} -)
A"""
    with pytest.raises(FlowError) as error:
        compile_flow(text)
    assert [(each.line, each.column) for each in error.value.errors] == [
        (2, 7),
        (3, 7),
        (4, 21),
        (5, 22),
        (6, 21),
        (7, 23),
        (8, 3),
        (9, 21),
        (10, 21),
    ]
    messages = [f"{each.message} {each.hint}" for each in error.value.errors]
    assert messages[0].startswith('inputs.a.type is "text", but must be one of string, number')
    assert "does not know typ: did you mean type?" in messages[1]
    for parameters in ("inputs: [a]", "input: {a: {type: string}}"):
        with pytest.raises(FlowError, match="inputs"):
            compile_flow(f"@flow f (- {parameters} -) A")


def test_defaults_are_filled_in() -> None:
    assert complete_input(PARAMETERS, {"branch": "x"}) == {"branch": "x", "level": "debug"}
    given = {"branch": "x", "level": 1, "tries": 5, "more": {"any": []}}
    assert complete_input(PARAMETERS, given) == given
    assert complete_input({"owner": "me"}, [1]) == [1]
    assert complete_input({"inputs": "of an earlier version"}, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("input", "message"),
    [
        ({}, "input.branch is missing: a text"),
        ({"branch": "X"}, 'input.branch is "X", but must be a text that matches ^[a-z]+$'),
        ({"branch": 1}, "input.branch is 1, but must be a text"),
        ({"branch": "x" * 2001}, "must be a text of up to 2000 characters"),
        ({"branch": "x", "level": True}, 'input.level is true, but must be one of "debug", 1'),
        ({"branch": "x", "tries": 9}, "input.tries is 9, but must be 5 or less"),
        ({"branch": "x", "tries": True}, "input.tries is true, but must be a whole number"),
        ({"branch": "x", "trys": 1}, "input.trys is unknown: did you mean tries?"),
        ([1], "input is [1], but must be an object with some of branch, level, tries, more"),
        ({"tries": 0, "zzz": 1}, "tries is 0, but must be 1 or more; input.zzz is unknown: it takes branch"),
    ],
)
def test_all_that_does_not_fit_is_named(input: Json, message: str) -> None:
    with pytest.raises(BadInput) as error:
        complete_input(PARAMETERS, input)
    assert message in str(error.value)


HEAVY = {"type": "string", "pattern": "(.?){120}b?$"}


def test_the_work_of_patterns_has_a_bound() -> None:
    """Each of these texts takes a second by itself: hundreds of them would stop a lifecycle for minutes."""
    text = "a" * 2000
    with pytest.raises(BadInput, match="would take more than 100,000 looks"):
        complete_input({"inputs": {"x": HEAVY}}, {"x": text})
    for keyword, value in (("enum", [text] * 400), ("default", text)):
        [fault] = find_input_faults({"inputs": {"x": {**HEAVY, keyword: value}}})
        assert "would take more than 100,000 looks" in fault.message


def test_inputs_that_are_checked_together_share_a_budget() -> None:
    parameters = {"inputs": {"x": {"type": "string", "pattern": "^a+$"}}}
    shared = LookBudget(25_000)
    for _ in range(2):
        complete_input(parameters, {"x": "a" * 2000}, shared)
    with pytest.raises(BadInput, match="would take more than 25,000 looks"):
        complete_input(parameters, {"x": "a" * 2000}, shared)


def test_a_start_does_not_check_the_declarations_again() -> None:
    """To compare each value of an enum with all others took minutes, at each start."""
    many = {"inputs": {"x": {**HEAVY, "enum": ["a" * 2000] * 1000}}}
    assert complete_input(many, {}) == {}
    [fault] = find_input_faults({"inputs": {"x": {"enum": list(range(1001))}}})
    assert fault.message == "inputs.x.enum has more than 1,000 values"


def test_a_local_run_checks_its_input() -> None:
    text = "@flow f (- inputs: {n: {type: integer, default: 3}} -)\nA"
    assert run_local(text, lambda input: input, None) == {"n": 3}
    with pytest.raises(BadInput, match=r"input\.n"):
        run_local(text, lambda input: input, {"n": "x"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@flow f (- inputs: {b: {}, c: {}, a: {}} -) 'x' -> y", ["b", "c", "a"]),
        ("@task t (- {z: 1} -)\n@flow f (- inputs: {b: {}, a: {}} -)\nt -> (", ["b", "a"]),
        ("@flow f\nx", []),
        ("@flow f (- inputs: {b: -)\nx", []),
        ("x\n@flow f (- inputs: {b: {}, a: {}} -)", []),
        ("", []),
    ],
)
def test_the_order_of_the_text(text: str, names: list[str]) -> None:
    assert input_names(text) == names


@pytest.mark.parametrize("what", ["inputs: {%s}", "inputs: {a: {%s}}"])
def test_many_mistakes_do_not_read_the_text_again_for_each(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request to check a flow holds thousands of them: that took minutes."""
    reads = []
    read = yaml.SafeLoader.get_single_node
    monkeypatch.setattr(yaml.SafeLoader, "get_single_node", lambda self: reads.append(1) or read(self))
    members = ", ".join(f"a{number}: {{type: none}}" for number in range(100))
    with pytest.raises(FlowError) as caught:
        compile_flow(f"@flow f (- {what % members} -) A")
    assert len(caught.value.errors) == 100
    assert len(reads) < 5
