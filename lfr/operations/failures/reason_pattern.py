"""The pattern of a reason: what remains of it without what differs from one failure to the next.

order 4711 of ann@example.org: no answer from 10.0.0.7:443 within 30 s
order <n> of <address>: no answer from <address> within <n> s
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MAX_REASON: Final = 300
"""Characters of a reason that count: those that lists show."""

_NUMBER: Final = "<n>"
_TIME: Final = "<time>"
_ADDRESS: Final = "<address>"
_TEXT: Final = "<text>"

# A quote opens a text unless a word or a placeholder stands before it, as in "can't". Without an end, as
# where the reason is cut, the text goes on to the end.
_QUOTED: Final = "|".join(
    rf"(?<![\w>]){quote}(?:[^{quote}\\]|\\.)+(?:{quote}|\\?$)" for quote in ("'", '"', "`")
)
_CLOCK: Final = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?"
_ZONE: Final = r"\ ?(?:Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d)"
_HEX: Final = r"[0-9A-Fa-f]"

_VARIABLE: Final = re.compile(
    rf"""
      (?P<placeholder> <(?:n|time|address|text)> )
    | (?P<text> {_QUOTED} )
    # A number that names a cause stays: HTTP 503, exit code 137, [Errno 111], signal 9.
    | (?P<code> (?<!\w) (?: HTTP(?:/\d(?:\.\d)?)? | status(?:[ ]code)? | exit(?:[ ]code|[ ]status)? | code
                          | errno | signal ) (?: [ ]is )? [ :=]{{0,2}} -?\d{{1,5}} (?!\w) )
    # So that no other is tried at each letter of most words.
    | (?P<plain> (?<!workflow:) [^\W\d_]+ (?![\w@.+:-]) )
    | (?P<time> (?<!\w) (?: \d{{4}}-\d\d-\d\d (?: [T ] {_CLOCK} )? | \d{{1,2}}:\d\d:\d\d(?:[.,]\d+)? )
                (?:{_ZONE})? (?!\w) )
    | (?P<address> (?<!\w) (?:
            0x{_HEX}+
          | [\w.+-]+@\w[\w-]*(?:\.\w[\w-]*)+
          | \d{{1,3}}(?:\.\d{{1,3}}){{3}} (?: :\d{{1,5}} )?
          | \[? (?=[:0-9A-Fa-f]*\d) {_HEX}{{0,4}} (?: :{_HEX}{{0,4}} ){{2,7}} (?: \] (?: :\d{{1,5}} )? )?
        ) (?!\w) )
    | (?P<id> (?<!\w) (?: {_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}} (?!\w)
                        | (?<=workflow:) \w(?:[\w.:/-]*\w)? ) )
    | (?P<number> (?<![^\W_>]) -? \d (?: [eE][+-]\d | [.,:]\d | [^\W_] )* )
    | (?P<word> (?<![^\W_>]) [^\W\d_]+ \d [^\W_]* )
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What differs from one failure to the next, what may not be taken for it, and words with digits."""

_PLACEHOLDERS: Final = {
    "text": _TEXT,
    "time": _TIME,
    "address": _ADDRESS,
    "id": _NUMBER,
    "number": _NUMBER,
}

_HEX_ID: Final = re.compile(rf"{_HEX}{{4,}}")
_TRAILING_DIGITS: Final = re.compile(r"[^\W\d_]+(?=\d+$)")
_SHORTEST_ID: Final = 6
"""Characters from which on a word with digits inside, such as `k8s`, counts as an id."""


@lru_cache(maxsize=4096)
def reason_pattern(reason: str) -> str:
    """Return the pattern of a reason, of which the first MAX_REASON characters count.

    Numbers and ids become `<n>`, times `<time>`, addresses `<address>`, quoted texts `<text>`, all white
    space a blank. It has at most MAX_REASON characters, and is the pattern of itself.
    """
    text, pattern = "", " ".join(reason[:MAX_REASON].split())
    while text != pattern:  # each turn leaves fewer digits, quotes and addresses, or a shorter text
        text = pattern
        pattern = _VARIABLE.sub(_replace, text)[:MAX_REASON].rstrip()
    return pattern


def _replace(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "word":
        return _replace_in_word(match[0])
    return _PLACEHOLDERS.get(kind or "", match[0])


def _replace_in_word(word: str) -> str:
    """Return what remains of a word that begins with a letter and has a digit: `worker17`, `a41f`, `k8s`."""
    if _HEX_ID.fullmatch(word):
        return _NUMBER
    name = _TRAILING_DIGITS.match(word)
    if name is not None:
        return f"{name[0]}{_NUMBER}"
    return _NUMBER if len(word) >= _SHORTEST_ID else word
