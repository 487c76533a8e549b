"""Random texts, and flows with random changes: a Flow that holds together, or a FlowError."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lfr.flow import Flow, Kind
from lfr.guard import parse_guard
from lfr.language import FlowError, compile_flow
from lfr.language.draw import to_mermaid
from tests.conformance.cases import CASES

FLOWS = [case["flow"] for case in CASES]
SIGNS = [*"→;|*>?{}[]()=`#\\\0\r\t1é", "->", "-)", "})", "])", "}>", "]>", "({", "([", "(-", "<{", "<[", "<-"]
WORDS = ["a", "b-c", ":x", ":start", ":end", "k:", "[v]", "!!x", "&y", "*y", "<<", "@task", "@flow", "@x"]
WHOLE = [
    "()",
    '({"k":1})',
    "([1])",
    "(- k: v -)",
    "<>",
    "<{}>",
    "<[]>",
    "<u>",
    "'''d'''",
    '"""',
    "'''",
    "`$.a`",
    "`a`",
]
TOKENS = SIGNS + WORDS + WHOLE


@st.composite
def changed_flows(draw: st.DrawFn) -> str:
    text: str = draw(st.sampled_from(FLOWS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(len(text), at + 8)))
        text = text[:at] + draw(st.sampled_from(["", *TOKENS, *FLOWS])) + text[until:]
    return text


def check(text: str) -> None:
    try:
        flow = compile_flow(text)
    except FlowError as error:
        assert_error_is_sound(error, text)
    else:
        assert_flow_is_sound(flow)


def assert_error_is_sound(error: FlowError, text: str) -> None:
    assert error.errors
    for each in error.errors:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert 1 <= each.line <= len(lines)
        assert 1 <= each.column <= len(lines[each.line - 1]) + 2
        assert each.message
    assert str(error).count("\n") >= 2


def assert_flow_is_sound(flow: Flow) -> None:
    assert [step.index for step in flow.steps] == list(range(len(flow.steps)))
    assert (flow.steps[0].kind, flow.steps[-1].kind) == (Kind.START, Kind.END)
    assert list(flow.edges) == sorted(set(flow.edges))
    assert all(0 <= source <= flow.last and 0 <= target <= flow.last for source, target in flow.edges)
    for step in flow.steps:
        if step.kind is Kind.SUBFLOW:
            assert flow.steps[step.end].kind is Kind.SUBFLOW_END
        if step.guard is not None:
            parse_guard(step.guard)
    assert Flow.from_dict(json.loads(flow.canonical_json)) == flow
    to_mermaid(flow)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(st.characters(), max_size=60))
def test_random_characters(text: str) -> None:
    check(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join))
@example("a (- a: 1 -) b (- b: 1 -)")
def test_random_tokens(text: str) -> None:
    check(text)


@settings(max_examples=300, deadline=None)
@given(changed_flows())
def test_changed_flows(text: str) -> None:
    check(text)


@settings(deadline=None)
@given(
    st.sampled_from(["(-{}-)", "<-{}->→a"]),
    st.text(st.sampled_from("[]{}:,-?&*!|>'\"%@`<=~ \n\t#ab10.\\"), max_size=30),
)
def test_random_yaml(form: str, body: str) -> None:
    check("a " * form.startswith("(") + form.replace("{}", body))
