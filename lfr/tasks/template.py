"""Templates: text with placeholders for values of the input and the parameters.

    template    = (text | "{{" | "}}" | placeholder)*
    placeholder = "{" name key* "}"
    key         = "[" (bare | "quoted" | 'quoted') "]"

`my-{input[id]}`, `{input["order"]['id']}`, `{parameters[to][0]}`. The name is `input` or `parameters`; each
key goes one level down: to a member of an object by name, to an item of a list by number, from 0. A key in
quotes may hold any character; a backslash escapes the next one. `{{` and `}}` are braces. There are no
attributes, calls, formats or conversions, so a template can only look values up.

Texts are filled in as they are, other values as JSON (`3`, `1.5`, `true`, `null`, `{"a":[1]}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn, TypeAlias

from lfr.values.json import InvalidJson, Json, encode_json
from lfr.values.texts import cut

MAX_CHARACTERS: Final = 16 * 1024 * 1024
"""The length of a filled template, at most: it may repeat a placeholder for a large value."""

_MAX_SHOWN: Final = 60


@dataclass(slots=True)
class CharacterBudget:
    """How many characters the templates of a task may still make together, of `limit` at first."""

    limit: int = MAX_CHARACTERS
    _used: int = 0

    def spend(self, count: int) -> None:
        """Count characters that a template has made. Raises TemplateError if there are too many."""
        self._used += count
        if self._used > self.limit:
            raise TemplateError(f"what the templates make is longer than {self.limit} characters")


class TemplateError(ValueError):
    """A template that cannot be parsed or filled; the text says why."""


class BadTemplate(TemplateError):
    """A text that is no template. `column` is that of the mistake, from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message}, at column {column} of the template")
        self.column = column


class MissingItem(TemplateError):
    """A placeholder for a value that does not exist; the text names both."""


Key: TypeAlias = str | int
"""A member's name, or a number: an item's, or the name of a member."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder: the name, the keys after it, and the `text` as it is written."""

    name: str
    path: tuple[Key, ...]
    text: str


class Piece(NamedTuple):
    """A part of a filled template. `is_filled_in`: it replaces a placeholder; else the author wrote it."""

    text: str
    is_filled_in: bool


_KEY: Final = r"""\[(?: "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | [^]["'{}][^][{}]*+ )\]"""
_PLACEHOLDER = re.compile(
    r"\{ (?P<name>[A-Za-z_]\w*+) (?P<path>(?:" + _KEY + r")*+) \}", re.VERBOSE | re.DOTALL
)
_BEGINNING = re.compile(r"\{ (?:[A-Za-z_]\w*+ (?:" + _KEY + r")*+)?+", re.VERBOSE | re.DOTALL)
_EACH_KEY = re.compile(_KEY, re.VERBOSE | re.DOTALL)
_TEXT = re.compile(r"(?:[^{}]|\{\{|\}\})++")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def fill(template: str, names: Mapping[str, Json], budget: CharacterBudget | None = None) -> str:
    """Return the filled template; `names` are the values behind `input`, `parameters` and so on. `budget` is
    for several templates together; None: MAX_CHARACTERS for this one.

    Raises BadTemplate if it cannot be parsed, MissingItem if a value does not exist, TemplateError if the
    result is too long.
    """
    return "".join(piece.text for piece in pieces(template, names, budget))


def fill_or_look_up(template: str, names: Mapping[str, Json], budget: CharacterBudget) -> Json:
    """Return the value itself if the template is one placeholder and nothing else, which counts as long as
    its JSON; else as `fill`."""
    parts = parse_template(template)
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        budget.spend(len(_as_text(parts[0], names)))
        return _look_up(parts[0], names)
    return fill(template, names, budget)


def pieces(
    template: str, names: Mapping[str, Json], budget: CharacterBudget | None = None
) -> Iterator[Piece]:
    """Yield the parts of the filled template, for callers that escape what is filled in.

    Raises as `fill`; BadTemplate before the first piece.
    """
    budget = budget or CharacterBudget()
    for part in parse_template(template):
        piece = Piece(part, False) if isinstance(part, str) else Piece(_as_text(part, names), True)
        budget.spend(len(piece.text))
        yield piece


def parse_template(template: str) -> list[str | Placeholder]:
    """Return the parts of a template: texts, with single braces, and placeholders. Raises BadTemplate."""
    parts: list[str | Placeholder] = []
    offset = 0
    while offset < len(template):
        if text := _TEXT.match(template, offset):
            parts.append(text[0].replace("{{", "{").replace("}}", "}"))
            offset = text.end()
        elif match := _PLACEHOLDER.match(template, offset):
            parts.append(Placeholder(match["name"], tuple(_keys(match["path"])), match[0]))
            offset = match.end()
        else:
            _explain(template, offset)
    return parts


def _keys(path: str) -> Iterator[Key]:
    for match in _EACH_KEY.finditer(path):
        key = match[0][1:-1]
        if key[0] in "\"'":
            yield _ESCAPED.sub(r"\1", key[1:-1])
        else:
            yield int(key) if _NUMBER.fullmatch(key) else key


def _explain(template: str, offset: int) -> NoReturn:
    """Raise BadTemplate for what begins here and is neither text nor a placeholder."""
    if template[offset] == "}":
        raise BadTemplate('a single "}": a brace is written "}}"', offset + 1)
    beginning = _BEGINNING.match(template, offset)
    assert beginning is not None  # there is a "{"
    end = beginning.end()
    char, column = template[end : end + 1], end + 1
    if not char:
        raise BadTemplate('"{" is not closed; a brace is written "{{"', offset + 1)
    if end == offset + 1:
        raise BadTemplate('a name is missing behind "{", as in {input[id]}; a brace is written "{{"', column)
    if char == ".":
        raise BadTemplate("a template only looks items up: write {input[id]}, not {input.id}", column)
    if char in "!:":
        raise BadTemplate(f'a template has no formats and conversions: "{char}"', column)
    if char == "[":
        raise BadTemplate('this "[" holds no key that is closed by "]", as in {input[id]}', column)
    raise BadTemplate(f'cannot read "{char}" here, only "[" and "}}"', column)


def _as_text(placeholder: Placeholder, names: Mapping[str, Json]) -> str:
    value = _look_up(placeholder, names)
    if isinstance(value, str):
        return value
    try:
        return encode_json(value)
    except InvalidJson as error:
        raise TemplateError(f"{_short(placeholder.text)}: cannot be written as JSON: {error}") from None


def _look_up(placeholder: Placeholder, names: Mapping[str, Json]) -> Json:
    if placeholder.name not in names:
        reason = f"there is no {_short(placeholder.name)}; a template knows {' and '.join(names)}"
        raise MissingItem(f"{_short(placeholder.text)}: {reason}")
    value = names[placeholder.name]
    for depth, key in enumerate(placeholder.path):
        try:
            value = _item(value, key)
        except LookupError:
            path = placeholder.name + "".join(f"[{key}]" for key in placeholder.path[:depth])
            subject = "the input" if path == "input" else _short(path)
            raise MissingItem(f"{_short(placeholder.text)}: {subject} {_lack(value, key)}") from None
    return value


def _item(value: Json, key: Key) -> Json:
    if isinstance(value, dict):
        return value[str(key)]
    if isinstance(value, list) and isinstance(key, int):
        return value[key]
    raise LookupError(key)


def _lack(value: Json, key: Key) -> str:
    name = _short(str(key))
    if isinstance(value, dict):
        return f'has no "{name}"'
    if isinstance(value, list):
        return f'is a list of {len(value)} and has no item "{name}"'
    return f'is no object or list and has no "{name}"'


def _short(text: str) -> str:
    return cut(" ".join(text.split()), _MAX_SHOWN)
