"""Templates look values up and do nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.tasks.template import (
    MAX_CHARACTERS,
    BadTemplate,
    CharacterBudget,
    MissingItem,
    TemplateError,
    fill,
    fill_or_look_up,
    parse_template,
    pieces,
)

INPUT = {"id": "a7", "n": 3, "order": {"id": 12, "lines": [{"sku": "x"}, 1.5]}, "0": "zero", "a b": True}
NAMES = {"input": INPUT, "parameters": {"x": None, "to": ["ann", "bo"]}}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(), inner, min_size=1),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("my-{input[id]}", "my-a7"),
        ('my-{input["id"]}', "my-a7"),
        ("my-{input['id']}!", "my-a7!"),
        ("{input[order][id]}/{input[n]}", "12/3"),
        ("{input[order][lines][0][sku]}", "x"),
        ("{input[order][lines][1]}", "1.5"),
        ("{input[order][lines]}", '[{"sku":"x"},1.5]'),
        ("{input[0]}{input['0']}", "zerozero"),
        ("{input[a b]}", "true"),
        ("{parameters[x]}", "null"),
        ("{parameters[to][1]}", "bo"),
        ("{{}} }}{{ {{input[id]}}", "{} }{ {input[id]}"),
        ("{{{input[id]}}}", "{a7}"),
    ],
)
def test_what_a_template_makes(template: str, expected: str) -> None:
    assert fill(template, NAMES) == expected


def test_a_key_in_quotes_may_hold_anything() -> None:
    assert fill(r"""{input["a\"]}{b\\"]}""", {"input": {'a"]}{b\\': "found"}}) == "found"


def test_what_is_filled_in_is_no_template() -> None:
    assert fill("{input}", {"input": "{input[id]} {{"}) == "{input[id]} {{"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{input[name]}", '{input[name]}: the input has no "name"'),
        ("{input[order][sum]}", '{input[order][sum]}: input[order] has no "sum"'),
        ("{input[order][lines][2]}", 'input[order][lines] is a list of 2 and has no item "2"'),
        ("{input[order][lines][-1]}", 'input[order][lines] is a list of 2 and has no item "-1"'),
        ("{input[order][lines]['0']}", 'input[order][lines] is a list of 2 and has no item "0"'),
        ("{input[id][0]}", 'input[id] is no object or list and has no "0"'),
        ("{input[n][real]}", 'input[n] is no object or list and has no "real"'),
        ("{parameters[y]}", 'parameters has no "y"'),
        ("{output[id]}", "there is no output; a template knows input and parameters"),
        ("{input[__class__]}", 'the input has no "__class__"'),
    ],
)
def test_what_is_missing_is_named(template: str, reason: str) -> None:
    with pytest.raises(MissingItem) as caught:
        fill(template, NAMES)
    assert str(caught.value).endswith(reason)
    assert str(caught.value).startswith(template)


@pytest.mark.parametrize("input", [None, [], "text", 5, True])
def test_an_input_that_is_no_object_lacks_every_name(input: Any) -> None:
    with pytest.raises(MissingItem, match="the input"):
        fill("{input[id]}", {"input": input})


@pytest.mark.parametrize(
    ("template", "column", "message"),
    [
        ("a {input[id]", 3, "is not closed"),
        ("{", 1, "is not closed"),
        ("{input", 1, "is not closed"),
        ("a } b", 3, 'a single "}"'),
        ("{input[id]}}", 12, 'a single "}"'),
        ("{}", 2, "a name is missing"),
        ("{0}", 2, "a name is missing"),
        ("{ input}", 2, "a name is missing"),
        ("{input.id}", 7, "write {input[id]}, not {input.id}"),
        ("{input[id].x}", 11, "only looks items up"),
        ("{input!r}", 7, 'no formats and conversions: "!"'),
        ("{input[n]:>9999999999}", 10, 'no formats and conversions: ":"'),
        ("{input()}", 7, 'cannot read "("'),
        ("{input[]}", 7, "no key that is closed"),
        ("{input[id}", 7, "no key that is closed"),
        ("{input['id]}", 7, "no key that is closed"),
        ('{input["id"x]}', 7, "no key that is closed"),
        ("{input[{input[id]}]}", 7, "no key that is closed"),
    ],
)
def test_what_is_no_template_is_refused_with_its_column(template: str, column: int, message: str) -> None:
    with pytest.raises(BadTemplate, match=f"at column {column} of the template") as caught:
        parse_template(template)
    assert caught.value.column == column
    assert message in str(caught.value)


def test_pieces_distinguish_what_is_filled_in_from_what_was_written() -> None:
    assert [tuple(piece) for piece in pieces("/{input[id]}/{{x", NAMES)] == [
        ("/", False),
        ("a7", True),
        ("/{x", False),
    ]


def test_a_filled_template_is_not_endless() -> None:
    with pytest.raises(TemplateError, match="longer than"):
        fill("{input}" * 20, {"input": "x" * (MAX_CHARACTERS // 16)})


def test_reasons_are_short() -> None:
    with pytest.raises(MissingItem) as caught:
        fill("{input['" + "x\n" * 100_000 + "']}", NAMES)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_long_paths_and_long_templates_are_no_trouble() -> None:
    deep: Any = "end"
    for _ in range(100_000):
        deep = [deep]
    assert fill("{input" + "[0]" * 100_000 + "}" + "{{" * 100_000, {"input": deep}) == "end" + "{" * 100_000


@given(st.text() | st.text(alphabet="{}[]'\"\\input09.!:", max_size=30))
def test_any_text_is_filled_or_refused_with_a_column(text: str) -> None:
    try:
        fill(text, NAMES)
    except BadTemplate as error:
        assert 1 <= error.column <= len(text)
    except MissingItem:
        pass


@given(st.text())
def test_text_with_doubled_braces_comes_back(text: str) -> None:
    assert fill(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(values, st.data(), st.text())
def test_every_item_is_found_by_its_path(value: Any, data: st.DataObject, around: str) -> None:
    item, path = value, ""
    while isinstance(item, dict | list) and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(item) if isinstance(item, dict) else range(len(item))))
        item = item[key]
        quoted = str(key).replace("\\", "\\\\").replace('"', '\\"')
        path += f'["{quoted}"]' if isinstance(key, str) else f"[{key}]"
    written = around.replace("{", "{{").replace("}", "}}")
    filled = fill(f"{written}{{input{path}}}{written}", {"input": value})
    text = item if isinstance(item, str) else json.dumps(item, separators=(",", ":"))
    assert filled == around + text + around


@given(st.from_regex(r"[a-z]{0,5}(\{\{|\}\}|\{input\[[a-z]{1,3}\]\}){0,3}", fullmatch=True))
def test_what_python_formats_is_formatted_alike(template: str) -> None:
    class Every(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return key.upper()

    assert fill(template, {"input": Every()}) == template.format(input=Every())


def test_templates_share_a_budget_of_characters() -> None:
    budget = CharacterBudget(100)
    assert len(fill("{input}", {"input": "x" * 60}, budget)) == 60
    with pytest.raises(TemplateError, match="longer than 100 characters"):
        fill("{input}", {"input": "x" * 60}, budget)


def test_a_look_up_counts_as_its_json() -> None:
    budget = CharacterBudget(100)
    fill_or_look_up("{input}", {"input": ["x" * 60]}, budget)
    with pytest.raises(TemplateError, match="longer than 100 characters"):
        fill_or_look_up("{input}", {"input": ["x" * 60]}, budget)
