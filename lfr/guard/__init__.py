"""Parses and evaluates guards, the expressions after `?` in a flow that decide whether a step runs.

A guard is a path into the step's input. It holds if the path leads to at least one value; the value itself
does not matter. Paths are those of littleflow, not of RFC 9535: a filter `[?(...)]` tests the value before
it, not that value's members, so `$[*][?(@.n=0)]` tests members.

    path     = ("$" | "@") { "." member | ".." (member | selectors) | selectors }
    member   = NAME | "*" | "length" "(" ")"
    selectors = "[" selector { "," selector } "]"
    selector = STRING | INTEGER | [INTEGER] ":" [INTEGER] [":" [INTEGER]] | "*" | "?" test
    test     = either { ("and" | "&&") either }
    either   = plain { ("or" | "||") plain }
    plain    = { "not" | "!" } ( "(" test ")" | value [ operator value ] )
    operator = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
    value    = path | NUMBER | STRING | "true" | "false" | "null"

`$` is the whole input, `@` the value that the filter tests. White space is allowed between all tokens.
`or` binds more closely than `and`, as in littleflow; parentheses make the order clear. `length()` is the
number of items of a list or of characters of a text. A comparison holds if it holds for at least one pair
of values, so it never holds if one of its paths leads nowhere.

A guard never runs code, and its work is bounded: each try of a selector on a value is a look, whether it
finds something or not, and all guards of a transition share a budget of looks. A value that is reached twice
is visited once, so a path takes time in proportion to the input and to its selectors. Neither a deep guard
nor a deep input causes deep recursion.
"""

from __future__ import annotations

from dataclasses import dataclass

from lfr.guard.ast import GuardError, Path
from lfr.guard.evaluate import Evaluation
from lfr.guard.parse import parse_path
from lfr.values.json import Json
from lfr.values.work import LookBudget

__all__ = ["Guard", "GuardError", "parse_guard"]


@dataclass(frozen=True, slots=True)
class Guard:
    """A parsed guard.

    mixed_offset  the offset of the first test that mixes `and` and `or` without parentheses, or None
    """

    path: Path
    mixed_offset: int | None = None

    def holds(self, input: Json, budget: LookBudget | None = None) -> bool:
        """Return whether the step may run on this input. Raises GuardError if that takes more looks at values
        than the budget has; None: one of MAX_LOOKS."""
        return bool(Evaluation(input, budget or LookBudget()).values(self.path, input))


def parse_guard(text: str) -> Guard:
    """Parse a guard that is given without its back quotes. Raises GuardError."""
    return Guard(*parse_path(text))
