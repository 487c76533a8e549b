"""The canonical layout: the same flow with the same comments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.language import FlowError
from lfr.language.formatter import format_flow
from lfr.language.lexer import Lexer, TokenKind
from tests.conformance.cases import RIGHT, Case, case_id
from tests.support.texts import assert_layout_is_sound

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").rglob("*.flow"))


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_every_case(case: Case) -> None:
    assert_layout_is_sound(case["flow"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_flow(text) == text


def tokens(text: str) -> list[str]:
    """Return the tokens of a flow as they are written."""
    lexer, words = Lexer(text), []
    while (token := lexer.next()).kind is not TokenKind.END:
        words.append(text[token.offset : token.end])
    return words


GAPS = st.sampled_from([" ", "\n", "\n\n\n", "\t", "\r\n", "  # a\n", "\n# b\n", "\n\n  #c\n#d\n\n", " #\n"])


@given(st.sampled_from(RIGHT), st.data())
def test_comments_and_blanks_are_allowed_between_any_tokens(case: Case, data: Any) -> None:
    words = tokens(case["flow"])
    gaps = data.draw(st.lists(GAPS, min_size=len(words) + 1, max_size=len(words) + 1))
    first, *rest = gaps
    assert_layout_is_sound(first + "".join(word + gap for word, gap in zip(words, rest, strict=True)))


LONG = " -> ".join(f"a-rather-long-name-{number}" for number in range(8))


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("a→b", "a -> b\n"),
        ("a;b;c", "a\nb\nc\n"),
        ("a->:x ;  :x->b", "a -> :x\n:x -> b\n"),
        ("a->:x;b->:x;:x->c", "a -> :x;\nb -> :x\n:x -> c\n"),
        ("a|b(-k: 1-)|c()", "a | b (- k: 1 -) | c()\n"),
        ("*a->>b->?`$.x`{c d}", "* a -> > b -> ? `$.x` { c  d }\n"),
        ("[ a b ] → c", "{ a  b } -> c\n"),
        ("{a->b c}", "{ a -> b; c }\n"),
        ("{a :x :x->b}", "{ a :x; :x -> b }\n"),
        ("{a b *c ?`$`d}", "{ a  b  * c  ? `$` d }\n"),
        ("<>->a-><u>(-k: 1-)", "<> -> a -> <u> (- k: 1 -)\n"),
        ("@task a;{b}", "@task a;\n{ b }\n"),
        ("@task a{b};c", "@task a { b }\nc\n"),
        ("\ufeffa\r\n\r\n\r\n\r\nb\r\n", "a\n\nb\n"),
        ("# one\n\n\n# two\na # three\n# four", "# one\n\n# two\na  # three\n# four\n"),
        ("a # x\nlong-one # y", "a         # x\nlong-one  # y\n"),
        ("a # x\n-> b", "a  # x\n  -> b\n"),
        ("a -> # x\nb", "a  # x\n  -> b\n"),
        ("a ->\n# x\nb", "a\n  # x\n  -> b\n"),
        ("{ # x\na }", "{\n  # x\n  a\n}\n"),
        ("{ a\n# x\n} -> b", "{\n  a\n  # x\n} -> b\n"),
        ("a (-\n  k: 1\n-) -> b", "a (-\n  k: 1\n-) -> b\n"),
        (LONG, LONG.replace(" -> ", "\n  -> ") + "\n"),
        (f"x -> {{ {LONG} }} -> y", "x -> {\n  " + LONG.replace(" -> ", "\n    -> ") + "\n} -> y\n"),
        (
            f"@task a '''{'word ' * 20}'''\na",
            f"@task a\n'''{'word ' * 20}'''\na\n",
        ),
    ],
)
def test_the_canonical_layout(text: str, formatted: str) -> None:
    assert format_flow(text) == formatted


def test_a_text_with_errors_is_refused() -> None:
    with pytest.raises(FlowError):
        format_flow("a -> -> b")
