"""The grammar for editors says of each token what the scanner says: its place, and a scope for its kind."""

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
"""The scope of each kind of token, without the name of the language behind it."""


class Span(NamedTuple):
    """A part of a text with its scope."""

    scope: str
    start: int
    end: int


def rules(patterns: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rules of a list of patterns, in order."""
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


def first_rule(patterns: list[dict[str, Any]], text: str, at: int) -> tuple[Any, Any] | None:
    """The rule that matches first behind `at`; of several at one place, the one that stands first."""
    found = [
        (match.start(), number, rule, match)
        for number, rule in enumerate(rules(patterns))
        if (match := re.compile(rule.get("match") or rule["begin"], re.MULTILINE).search(text, at))
    ]
    return min(found, key=lambda each: each[:2])[2:] if found else None


def closed(rule: dict[str, Any], text: str, at: int) -> int:
    """Where a rule with `begin` and `end` ends that began before `at`."""
    while True:
        end = re.compile(rule["end"], re.MULTILINE).search(text, at)
        inner = first_rule(rule.get("patterns", []), text, at)
        if inner is None or (end is not None and end.start() <= inner[1].start()):
            assert end is not None, f"{rule} never ends"
            return end.end()
        at = inner[1].end() if "match" in inner[0] else closed(inner[0], text, inner[1].end())


def highlight(text: str) -> list[Span]:
    """The spans of a text, as an editor finds them."""
    spans, at = [], 0
    while (found := first_rule(GRAMMAR["patterns"], text, at)) is not None:
        rule, match = found
        at = match.end() if "match" in rule else closed(rule, text, match.end())
        spans.append(Span(rule["name"], match.start(), at))
    return spans


def scanned(text: str) -> list[Span]:
    """The spans that the scanner finds."""
    scanner, spans = Lexer(text), []
    while (token := scanner.next()).kind is not TokenKind.END:
        spans.append(Span(f"{SCOPES[token.kind]}.littleflow", token.offset, token.end))
    return spans


def test_every_kind_of_token_has_a_scope() -> None:
    assert set(SCOPES) == set(TokenKind) - {TokenKind.UNKNOWN, TokenKind.END}


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_every_case_is_seen_as_the_scanner_sees_it(case: Case) -> None:
    text = case["flow"]
    spans = [span for span in highlight(text) if not span.scope.startswith("comment.")]
    assert spans == scanned(text)


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
def test_what_the_cases_do_not_have(text: str) -> None:
    spans = [span for span in highlight(text) if not span.scope.startswith("comment.")]
    assert spans == scanned(text)
