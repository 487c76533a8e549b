"""Templates: text with holes that are filled with items of the input and the parameters.

    template = (text | "{{" | "}}" | hole)*
    hole     = "{" name key* "}"
    key      = "[" (bare | "quoted" | 'quoted') "]"

`my-{input[id]}`, `{input["order"]['id']}`, `{parameters[to][0]}`. A name says where to look, each key
leads one level further down: a member of an object by its name, an item of a list by its number, from
0. In quotes a key may hold anything; a backslash takes the next character as it is. `{{` and `}}` are
braces. That is all: no attributes, calls, formats or conversions, so a template can do nothing but look
items up.

What is filled in: text as it is; everything else as JSON (`3`, `1.5`, `true`, `null`, `{"a":[1]}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn, TypeAlias

from lfr.values.json import InvalidJson, Json, encode_json

MOST_CHARACTERS: Final = 16 * 1024 * 1024
"""How long a filled template may be: one hole, written many times, could hold a large input each time."""

_MOST_SHOWN: Final = 60


class TemplateError(ValueError):
    """A template that cannot be read, or not be filled; the text says why, for people."""


class BadTemplate(TemplateError):
    """A text that is no template. `column` is the place of the mistake, from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message}, at column {column} of the template")
        self.column = column


class MissingItem(TemplateError):
    """A hole for which there is no item; the text names both."""


Key: TypeAlias = str | int
"""A member's name, or a number: that of an item or, in an object, the member of that name."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place to be filled: where to look, and the way from there; `text` as it is written."""

    name: str
    path: tuple[Key, ...]
    text: str


class Piece(NamedTuple):
    """A part of a filled template. `is_filled_in` tells what was in a hole from what the author wrote."""

    text: str
    is_filled_in: bool


_KEY: Final = r"""\[(?: "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | [^]["'{}][^][{}]*+ )\]"""
_HOLE = re.compile(r"\{ (?P<name>[A-Za-z_]\w*+) (?P<path>(?:" + _KEY + r")*+) \}", re.VERBOSE | re.DOTALL)
_BEGINNING = re.compile(r"\{ (?:[A-Za-z_]\w*+ (?:" + _KEY + r")*+)?+", re.VERBOSE | re.DOTALL)
_EACH_KEY = re.compile(_KEY, re.VERBOSE | re.DOTALL)
_TEXT = re.compile(r"(?:[^{}]|\{\{|\}\})++")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def fill(template: str, names: Mapping[str, Json]) -> str:
    """The template with its holes filled; `names` says what `{input...}` and so on are looked up in.

    Raises BadTemplate if it cannot be read, MissingItem if something is not there, TemplateError if
    the result would be too long.
    """
    return "".join(piece.text for piece in pieces(template, names))


def fill_or_look_up(template: str, names: Mapping[str, Json]) -> Json:
    """As `fill`; but of a template that is one hole and nothing else the item itself, a number as a number.

    Raises as `fill`.
    """
    parts = parse_template(template)
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        return _look_up(parts[0], names)
    return fill(template, names)


def pieces(template: str, names: Mapping[str, Json]) -> Iterator[Piece]:
    """The parts of the filled template in order, for whoever must quote what is filled in.

    Raises as `fill`; BadTemplate before the first piece.
    """
    length = 0
    for part in parse_template(template):
        piece = Piece(part, False) if isinstance(part, str) else Piece(_as_text(part, names), True)
        length += len(piece.text)
        if length > MOST_CHARACTERS:
            raise TemplateError(f"what the template makes is longer than {MOST_CHARACTERS} characters")
        yield piece


def parse_template(template: str) -> list[str | Placeholder]:
    """The parts of a template: text (its braces single) and holes. Raises BadTemplate."""
    parts: list[str | Placeholder] = []
    at = 0
    while at < len(template):
        if text := _TEXT.match(template, at):
            parts.append(text[0].replace("{{", "{").replace("}}", "}"))
            at = text.end()
        elif hole := _HOLE.match(template, at):
            parts.append(Placeholder(hole["name"], tuple(_keys(hole["path"])), hole[0]))
            at = hole.end()
        else:
            _explain(template, at)
    return parts


def _keys(path: str) -> Iterator[Key]:
    for match in _EACH_KEY.finditer(path):
        key = match[0][1:-1]
        if key[0] in "\"'":
            yield _ESCAPED.sub(r"\1", key[1:-1])
        else:
            yield int(key) if _NUMBER.fullmatch(key) else key


def _explain(template: str, at: int) -> NoReturn:
    """Raise the BadTemplate for what begins here and is neither text nor a hole."""
    if template[at] == "}":
        raise BadTemplate('a single "}": a brace is written "}}"', at + 1)
    beginning = _BEGINNING.match(template, at)
    assert beginning is not None  # there is a "{"
    end = beginning.end()
    sign, column = template[end : end + 1], end + 1
    if not sign:
        raise BadTemplate('"{" is not closed; a brace is written "{{"', at + 1)
    if end == at + 1:
        raise BadTemplate('a name is missing behind "{", as in {input[id]}; a brace is written "{{"', column)
    if sign == ".":
        raise BadTemplate("a template only looks items up: write {input[id]}, not {input.id}", column)
    if sign in "!:":
        raise BadTemplate(f'a template has no formats and conversions: "{sign}"', column)
    if sign == "[":
        raise BadTemplate('this "[" holds no key that is closed by "]", as in {input[id]}', column)
    raise BadTemplate(f'cannot read "{sign}" here, only "[" and "}}"', column)


def _as_text(hole: Placeholder, names: Mapping[str, Json]) -> str:
    value = _look_up(hole, names)
    if isinstance(value, str):
        return value
    try:
        return encode_json(value)
    except InvalidJson as error:
        raise TemplateError(f"{_shown(hole.text)}: cannot be written as JSON: {error}") from None


def _look_up(hole: Placeholder, names: Mapping[str, Json]) -> Json:
    if hole.name not in names:
        known = " and ".join(names)
        raise MissingItem(f"{_shown(hole.text)}: there is no {_shown(hole.name)}; a template knows {known}")
    value = names[hole.name]
    for depth, key in enumerate(hole.path):
        try:
            value = _item(value, key)
        except LookupError:
            place = hole.name + "".join(f"[{key}]" for key in hole.path[:depth])
            place = "the input" if place == "input" else _shown(place)
            raise MissingItem(f"{_shown(hole.text)}: {place} {_lack(value, key)}") from None
    return value


def _item(value: Json, key: Key) -> Json:
    """Raises LookupError if there is none."""
    if isinstance(value, dict):
        return value[str(key)]
    if isinstance(value, list) and isinstance(key, int):
        return value[key]
    raise LookupError(key)


def _lack(value: Json, key: Key) -> str:
    """What to say of a value that has no item of this key: `has no "id"`."""
    if isinstance(value, dict):
        return f'has no "{_shown(str(key))}"'
    if isinstance(value, list):
        return f'is a list of {len(value)} and has no item "{_shown(str(key))}"'
    return f'is no object or list and has no "{_shown(str(key))}"'


def _shown(text: str) -> str:
    """Short, and in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_SHOWN else f"{line[:_MOST_SHOWN]}…"
