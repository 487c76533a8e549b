"""Labels: their grammar and bounds, and those that `@flow` sets."""

from __future__ import annotations

import pytest

from lfr.errors import BadInput
from lfr.labels import MAX_LABELS, declared_labels, merge_labels, parse_label, parse_labels
from lfr.language import FlowError, compile_flow
from lfr.values.json import Json


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, {}),
        ({"tenant": 7, "prio": "high"}, {"tenant": "7", "prio": "high"}),
        ({"dry.run": True, "A-b_c": 1.5}, {"dry.run": "true", "A-b_c": "1.5"}),
        ({"city": "São Paulo = big"}, {"city": "São Paulo = big"}),
    ],
)
def test_labels_are_texts(labels: Json, expected: dict[str, str]) -> None:
    assert parse_labels(labels) == expected


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels is [], but must be an object"),
        ({"1st": "x"}, 'a label\'s name is "1st", but must be a letter, then'),
        ({"a" * 64: "x"}, "a label's name is"),
        ({"a b": "x"}, "a label's name is"),
        ({"a": ""}, 'labels.a is "", but must be a number'),
        ({"a": None}, "labels.a is null"),
        ({"a": "x" * 101}, "labels.a is"),
        ({"a": " x"}, "labels.a is"),
        ({"a": "x\ny"}, "labels.a is"),
        ({"a": "\ud800"}, "labels.a is"),
        ({"a": [1]}, "labels.a is [1]"),
        ({f"a{n}": 1 for n in range(21)}, "labels has 21 members, but must have up to 20"),
    ],
)
def test_what_cannot_be_a_label_is_named(labels: Json, message: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_labels(labels)
    assert message in str(error.value)


def test_an_option_is_a_label() -> None:
    assert parse_label("tenant=7") == ("tenant", "7")
    assert parse_label("equation=a=b") == ("equation", "a=b")
    for text in ("tenant", "=7", "tenant=", "a b=c"):
        with pytest.raises(BadInput):
            parse_label(text)


def test_the_own_labels_replace_those_of_the_flow() -> None:
    flow = compile_flow("@flow f (- labels: {tenant: 7, team: red} -) A")
    assert merge_labels(flow.parameters, {"tenant": "8", "a": "b"}) == {
        "a": "b",
        "team": "red",
        "tenant": "8",
    }
    with pytest.raises(BadInput, match="would have 22 labels"):
        merge_labels(flow.parameters, {f"a{n}": "x" for n in range(MAX_LABELS)})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("labels: 7", "1:21: labels is 7"),
        ("labels: {tenant: [7]}", "1:21: labels.tenant is [7]"),
        ("labels: {1st: 7}", '1:21: a label\'s name is "1st"'),
        ("label: {tenant: 7}", "1:12: @flow knows labels, but not label"),
    ],
)
def test_the_compiler_finds_what_cannot_be_a_label(parameters: str, message: str) -> None:
    with pytest.raises(FlowError) as error:
        compile_flow(f"@flow f (- {parameters} -) A")
    assert message.partition(": ")[2] in str(error.value)
    assert declared_labels({"labels": 7}) == declared_labels({"labels": {"1": 2}}) == {}
