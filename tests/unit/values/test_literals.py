"""JSON and YAML literals in a flow: values, refusals and their locations."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.flow import StepKind
from lfr.language import FlowError, compile_flow
from lfr.values import yaml as limits


def parameters(text: str) -> Any:
    (step,) = (step for step in compile_flow(f"a {text}").steps if step.kind is StepKind.TASK)
    return step.parameters


def refusal(text: str) -> str:
    """Return the message of the error, which is located at the opening bracket."""
    with pytest.raises(FlowError) as caught:
        compile_flow(f"b\n→ a {text}")
    first = caught.value.errors[0]
    assert (first.line, first.column) == (2, 5)
    return first.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('({"a": 1, "a": 2})', {"a": 2}),
        ('({"a": "\\u00e9\\ud83d\\ude00"})', {"a": "é😀"}),
        ('({"a":\n\t[1.5, -2e3, true, null]\n})', {"a": [1.5, -2000.0, True, None]}),
        ("([" + "9" * 4000 + "])", [int("9" * 4000)]),
        ('({"a": "# no comment"})', {"a": "# no comment"}),
    ],
)
def test_json(text: str, value: Any) -> None:
    assert parameters(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(- 2001-01-02 -)", "2001-01-02"),
        ("(- [2001-01-02, 2001-01-02 03:04:05Z] -)", ["2001-01-02", "2001-01-02 03:04:05Z"]),
        ("(- {2001-01-02: 1, on: 2, 3: 4, ~: 5} -)", {"2001-01-02": 1, "on": 2, "3": 4, "~": 5}),
        ("(- [on, No, 010, 1:30, 0x1F, 1_000, 1e3, .5] -)", [True, False, 8, 90, 31, 1000, "1e3", 0.5]),
        ("(- {=: =} -)", {"=": "="}),
        ("(- {a: 1, a: 2} -)", {"a": 2}),
        ("(- a: &x [1]\n b: *x -)", {"a": [1], "b": [1]}),
        ("(- {x: &x {p: 1, q: 1}, y: {<<: *x, q: 2}} -)", {"x": {"p": 1, "q": 1}, "y": {"p": 1, "q": 2}}),
        ("(- {x: {<<: [{p: 1}, {p: 2, q: 2}]}} -)", {"x": {"p": 1, "q": 2}}),
        ("(- |\n  two\n  lines\n-)", "two\nlines\n"),
        ("(- a: 1\nb: 2\n-)", {"a": 1, "b": 2}),
        ("(-\n  a: 1\n  b: 2\n-)", {"a": 1, "b": 2}),
        ("(-\ta: 1-)", {"a": 1}),
        ("(- text # comment\n-)", "text"),
        ("(- a -> b → c -)", "a -> b → c"),
        ("(-\n- x\n- y\n-)", ["x", "y"]),
        ("(- a--)", "a-"),
        ('(- {"\\ud83d\\ude00": "a\\ud83d\\ude00b"} -)', {"😀": "a😀b"}),  # JSON is YAML
    ],
)
def test_yaml(text: str, value: Any) -> None:
    assert parameters(text) == value


@pytest.mark.parametrize("form", ["({})", "(-{}-)"])
def test_a_hundred_levels_are_not_too_deep(form: str) -> None:
    assert parameters(form.replace("{}", "[" * 100 + "1" + "]" * 100))
    assert "100 levels" in refusal(form.replace("{}", "[" * 101 + "]" * 101))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("({)", "expecting property name"),
        ('({"a": NaN})', "NaN is not JSON"),
        ("([-Infinity])", "-Infinity is not JSON"),
        ("([1e999])", "too big"),
        ("([" + "9" * 5000 + "])", "4000 digits"),
        ('(["\\ud800"])', "surrogate"),
        ('({"\\udc00": 1})', "surrogate"),
        ("([" + "[" * 100_000, "100 levels"),
        ("([1, 2] )", "expected ) right after the value"),
        ('({"a": "\n"})', "control character"),
    ],
)
def test_invalid_json(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '(- !!python/object/apply:os.system ["id"] -)',
            "!!python/object/apply:os.system is not JSON, at line 2",
        ),
        ("(- !!python/name:os.system -)", "is not JSON, at line 2, column 8"),
        ("(- !!binary aGk= -)", "!!binary is not JSON"),
        ("(- !!set {a, b} -)", "!!set is not JSON"),
        ("(- !!omap [a: 1] -)", "!!omap is not JSON"),
        ("(- !!timestamp [1] -)", "!!timestamp is not JSON"),
        ("(- !mine x -)", "!mine is not JSON"),
        ("(- !!str [a] -)", "!!str is not JSON"),
        ("(- .nan -)", ".nan is not JSON"),
        ("(- [-.inf] -)", "-.inf is not JSON"),
        ("(- {[a]: b} -)", "a key must be text"),
        ("(- {!!binary aGk=: b} -)", "a key must be text"),
        ("(- {<<: 1} -)", "mappings only"),
        ("(- !!int x -)", "is not a !!int"),
        ("(- !!bool x -)", "is not a !!bool"),
        ("(- !!int '' -)", "is not a !!int"),
        ("(- 0b_ -)", "is not a !!int"),
        ("(- " + "9" * 5000 + " -)", "4000 digits"),
        ('(- "\\ud800" -)', "surrogate"),
        ('(- "\\UFFFFFFFF" -)', "too big"),
        ("(- %YAML 1.1 -)", "line 2"),
        ("(- *x -)", "undefined alias"),
        ("(- &x [*x] -)", "inside itself"),
        ("(- &x {<<: *x} -)", "inside itself"),
        ("(- a\n---\nb -)", "single document"),
        ("(- \0 -)", "special characters"),
        ("(-" + " -" * 100_000 + "\n-)", "levels"),
        pytest.param("(- " + "[" * 100_000 + " -)", "levels", marks=pytest.mark.slow),
        ("(- " + "{a: " * 100_000 + " -)", "characters; write it as JSON"),
        ("(- " + "x" * limits.MAX_YAML_LENGTH + "-)", "characters; write it as JSON"),
    ],
)
def test_invalid_yaml(text: str, message: str) -> None:
    assert message in refusal(text)


def ninefold(first: str, line: str) -> str:
    """Return nine lines, each of which refers to the one before it nine times."""
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    refs = ((key, ", ".join(["*" + before] * 9)) for before, key in pairs)
    return first + "".join(line.format(key=key, refs=ref) for key, ref in refs)


@pytest.mark.parametrize(
    "bomb",
    [
        ninefold("a: &a [x]\n", "{key}: &{key} [{refs}]\n"),
        ninefold("a: &a {k: x}\n", "{key}: &{key} {{<<: [{refs}]}}\n"),
        f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]\n",
    ],
    ids=["aliases", "merges", "text"],
)
@pytest.mark.slow
def test_an_alias_bomb_is_refused(bomb: str) -> None:
    assert "all its aliases written out" in refusal(f"(-\n{bomb}-)")


def test_a_literal_is_an_object_or_a_list() -> None:
    assert [
        compile_flow(f"{text} → a").steps[1].value for text in ("<>", "<- ~ ->", "<[]>", "<- [1] ->")
    ] == [
        {},
        {},
        [],
        [1],
    ]
    with pytest.raises(FlowError, match="object or a list"):
        compile_flow("<- text -> → a")


def test_a_short_text_does_not_become_a_large_value() -> None:
    """A flow may have many literals, each of which would be allowed alone."""
    doubled = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 15))
    text = f"(-\na0: &a0 {{x: 1}}\n{doubled}-)"
    assert len(text) < 500
    assert "all its aliases written out" in refusal(text)
    shared = "(-\nbase: &base {x: 1, y: 2}\n" + "".join(f"k{n}: *base\n" for n in range(1000)) + "-)"
    assert len(parameters(shared)) == 1001
