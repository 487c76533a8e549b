"""The search of patterns: as Python's for all that both know, and in a bounded number of steps."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.values.pattern import MAX_TEXT, BadPattern, compile_pattern
from lfr.values.work import LookBudget, TooMuchWork

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "^", "$", "()"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "{,}"[:0]])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("ab1", max_size=8))
def test_it_finds_what_re_finds(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).search(text, LookBudget(10**9)) == (re.search(pattern, text) is not None)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "^(a?){30}a{30}$", "a*a*a*a*a*b"])
def test_no_pattern_hangs(pattern: str) -> None:
    """Python's search would not end in years."""
    assert compile_pattern(pattern).search("a" * MAX_TEXT, LookBudget(10**9)) is False


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "a)",
        "[",
        "[z-a]",
        "*",
        "a**",
        "a*?",
        "(?=a)",
        "(?P<n>a)",
        r"(a)\1",
        "a{2,1}",
        "{",
        "a{9999}",
        "\\",
        "(a{20}){40}",
        "(" * 30 + ")" * 30,
        "[[a]]",
        "[a--b]",
    ],
)
def test_what_it_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        compile_pattern(pattern)


def test_each_instruction_that_is_followed_counts() -> None:
    with pytest.raises(TooMuchWork):
        compile_pattern("(.?){120}b").search("a" * MAX_TEXT, LookBudget(100_000))
    budget = LookBudget(100_000)
    assert compile_pattern("^[a-z0-9-]+$").search("a" * MAX_TEXT, budget)
    assert budget.used < 6 * MAX_TEXT
