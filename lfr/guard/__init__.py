"""Guards: the text after `?` in a flow, and whether it lets its step run.

A guard is a path into the step's input, and holds if the path leads to at least one value; which
value does not matter. The path is littleflow's, not that of RFC 9535: a filter `[?(...)]` tests the
value that it stands behind, not the members of it, so it is `$[*][?(@.n=0)]` that asks for members.

    path     = ("$" | "@") { "." member | ".." (member | selectors) | selectors }
    member   = NAME | "*" | "length" "(" ")"
    selectors = "[" selector { "," selector } "]"
    selector = STRING | INTEGER | [INTEGER] ":" [INTEGER] [":" [INTEGER]] | "*" | "?" test
    test     = either { ("and" | "&&") either }
    either   = plain { ("or" | "||") plain }
    plain    = { "not" | "!" } ( "(" test ")" | value [ sign value ] )
    sign     = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="
    value    = path | NUMBER | STRING | "true" | "false" | "null"

`$` is the whole input, `@` the value that the filter tests. White space is free between all of these.
Beware: `or` binds more closely than `and`, as it does in littleflow; put parentheses where both meet.
`length()` leads to the number of items of a list, or of characters of a text. A comparison holds if it
does for any pair of values, so with a path that leads nowhere it never does.

A guard never runs code, and its work is bounded: what it meets twice it looks at once, so a path
costs time in proportion to the input. Only `..` in filters behind `..` can cost more, and there is a
limit to that. Neither a deep guard nor a deep input makes it recurse deeply.
"""

from __future__ import annotations

from dataclasses import dataclass

from lfr.guard.ast import GuardError, Path
from lfr.guard.evaluate import Evaluation
from lfr.guard.parse import read_guard
from lfr.values.json import Json

__all__ = ["Guard", "GuardError", "parse_guard"]


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard that has been read. `text` is without back quotes.

    mixed_at  where, from 0, a test begins that mixes `and` and `or` without parentheses; None if none does
    """

    text: str
    path: Path
    mixed_at: int | None = None

    def holds(self, value: Json) -> bool:
        """Whether the step may run on this input. Raises GuardError if that is too much work."""
        return bool(Evaluation(value).values(self.path, value))


def parse_guard(text: str) -> Guard:
    """Read a guard, given without its back quotes. Raises GuardError."""
    return Guard(text, *read_guard(text))
