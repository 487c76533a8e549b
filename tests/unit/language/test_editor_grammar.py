"""The grammar for editors gives each token of the lexer the same offsets and a scope for its kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lfr.language.lexer import Lexer, TokenKind
from tests.conformance.cases import RIGHT, Case, case_id

GRAMMAR = json.loads((Path(__file__).parents[3] / "docs" / "littleflow.tmLanguage.json").read_text())

SCOPES = {
    TokenKind.NAME: "entity.name.function",
    TokenKind.LABEL: "entity.name.label",
    TokenKind.ARROW: "keyword.operator.arrow",
    TokenKind.GUARD: "string.regexp.guard",
    TokenKind.LITERAL: "meta.literal",
    TokenKind.RESOURCE: "markup.underline.link",
    TokenKind.PARAMETERS: "meta.parameters",
    TokenKind.DECLARATION: "keyword.declaration",
    TokenKind.DOC: "string.quoted.docstring",
    **dict.fromkeys(
        (TokenKind.ITERATE, TokenKind.MERGE, TokenKind.QUESTION, TokenKind.BAR), "keyword.operator"
    ),
    **dict.fromkeys((TokenKind.SEMICOLON, TokenKind.EQUALS), "keyword.operator"),
    **dict.fromkeys((TokenKind.OPEN_BRACE, TokenKind.CLOSE_BRACE), "punctuation.section"),
    **dict.fromkeys((TokenKind.OPEN_BRACKET, TokenKind.CLOSE_BRACKET), "punctuation.section"),
}
"""The scope of each kind of token, without the name of the language at its end."""


class Span(NamedTuple):
    """A range of a text with its scope."""

    scope: str
    start: int
    end: int


def rules(patterns: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rules of a list of patterns, in order."""
    for pattern in patterns:
        name = pattern.get("include", "")
        if name.startswith("#"):
            included = GRAMMAR["repository"][name[1:]]
            yield from (
                rules(included["patterns"])
                if "patterns" in included and "begin" not in included
                else [included]
            )
        elif not name:  # the grammar of another language is left to the editor
            yield pattern


def first_match(patterns: list[dict[str, Any]], text: str, offset: int) -> tuple[Any, Any] | None:
    """Return the first rule that matches from an offset on, with its match."""
    matches = [
        (match.start(), number, rule, match)
        for number, rule in enumerate(rules(patterns))
        if (match := re.compile(rule.get("match") or rule["begin"], re.MULTILINE).search(text, offset))
    ]
    return min(matches, key=lambda each: each[:2])[2:] if matches else None


def end_of(rule: dict[str, Any], text: str, offset: int) -> int:
    """Return the offset after a rule with `begin` and `end`. Its `begin` has matched up to this offset."""
    while True:
        end = re.compile(rule["end"], re.MULTILINE).search(text, offset)
        inner = first_match(rule.get("patterns", []), text, offset)
        if inner is None or (end is not None and end.start() <= inner[1].start()):
            assert end is not None, f"{rule} never ends"
            return end.end()
        offset = inner[1].end() if "match" in inner[0] else end_of(inner[0], text, inner[1].end())


def highlight(text: str) -> list[Span]:
    """Return the spans of a text as an editor computes them."""
    spans, offset = [], 0
    while (rule_match := first_match(GRAMMAR["patterns"], text, offset)) is not None:
        rule, match = rule_match
        offset = match.end() if "match" in rule else end_of(rule, text, match.end())
        spans.append(Span(rule["name"], match.start(), offset))
    return spans


def lexed(text: str) -> list[Span]:
    """Return the spans of the lexer's tokens."""
    lexer, spans = Lexer(text), []
    while (token := lexer.next()).kind is not TokenKind.END:
        spans.append(Span(f"{SCOPES[token.kind]}.littleflow", token.offset, token.end))
    return spans


def test_every_kind_of_token_has_a_scope() -> None:
    assert set(SCOPES) == set(TokenKind) - {TokenKind.UNKNOWN, TokenKind.END}


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_every_case_has_the_spans_of_the_lexer(case: Case) -> None:
    text = case["flow"]
    spans = [span for span in highlight(text) if not span.scope.startswith("comment.")]
    assert spans == lexed(text)


@pytest.mark.parametrize(
    "text",
    [
        "a-b->c:d :x-y→z",
        "@task a = b (- k: v -) '''doc # no comment''' { c }",
        '@flow f """a "quoted" doc""" a',
        "? `$.a # no comment` b|c() (  ) ",
        '({"a": "}) ](", "b": [1, {"c": "\\""}]}) x',
        '<{"a": [1]}> -> <[1, 2]> <> < > <- a: 1 -> <http://host/a-b?c=d#e>',
        "a # a comment -> b `\nc",
        "[ > a * b ] = ;",
        "(-\n- 1\n- {b: 2}\n-) x",
    ],
)
def test_texts_beyond_the_cases_have_the_spans_of_the_lexer(text: str) -> None:
    spans = [span for span in highlight(text) if not span.scope.startswith("comment.")]
    assert spans == lexed(text)
