"""Random texts, and flows with random changes, compile to a valid flow or raise FlowError."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.texts import FLOWS, TOKENS, check_text


@st.composite
def changed_flows(draw: st.DrawFn) -> str:
    text: str = draw(st.sampled_from(FLOWS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 8)))
        text = text[:start] + draw(st.sampled_from(["", *TOKENS, *FLOWS])) + text[end:]
    return text


@given(st.text(max_size=60) | st.text(st.characters(), max_size=60))
def test_random_characters(text: str) -> None:
    check_text(text)


@settings(max_examples=3 * settings.default.max_examples)
@given(st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join))
@example("a (- a: 1 -) b (- b: 1 -)")
def test_random_tokens(text: str) -> None:
    check_text(text)


@settings(max_examples=3 * settings.default.max_examples)
@given(changed_flows())
def test_changed_flows(text: str) -> None:
    check_text(text)


@given(
    st.sampled_from(["(-{}-)", "<-{}->→a"]),
    st.text(st.sampled_from("[]{}:,-?&*!|>'\"%@`<=~ \n\t#ab10.\\"), max_size=30),
)
def test_random_yaml(form: str, body: str) -> None:
    check_text("a " * form.startswith("(") + form.replace("{}", body))
