"""What a task's parameters can be, and how they are read: by the table in `catalogue`.

Null says nothing: such a parameter counts as not given. What is wrong is told by task, parameter and
value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lfr.tasks.template import TemplateError, fill
from lfr.values.json import Json
from lfr.values.times import DURATION_FORMAT, format_duration, parse_duration, parse_timestamp

_MOST_SHOWN: Final = 40


class BadParameter(ValueError):
    """A parameter that its task cannot use; the text names task, parameter and value."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter can be: in words, and as a function from JSON to its value, None if it is none."""

    words: str
    read: Callable[[Json], Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a task: its name, what it can be, a line of help, what it is if it is not given.

    input_first  whether a member of the input is taken first, if one has that name
    instead      another parameter: just one of the two must be given
    """

    name: str
    kind: Kind
    help: str
    default: Json = None
    is_needed: bool = False
    input_first: bool = False
    instead: str = ""


def parse_parameters(
    task: str, table: Sequence[Parameter], given: Json, input: Json = None
) -> dict[str, Any]:
    """The value of every parameter in the table, from those that are given. Raises BadParameter.

    Others than those in the table are no mistake: templates may use them.
    """
    if given is not None and not isinstance(given, dict):
        raise bad_parameter(task, "the parameters", given, "an object")
    members = input if isinstance(input, dict) else {}
    values: dict[str, Any] = {}
    for each in table:
        if each.input_first and members.get(each.name) is not None:
            values[each.name] = _read(task, each, members[each.name], f"{each.name} in the input")
        else:
            values[each.name] = _read(task, each, (given or {}).get(each.name), each.name)
    for each in table:
        if each.instead:
            _check_one_of(task, each, values, given or {})
    return values


def _check_one_of(task: str, parameter: Parameter, values: Mapping[str, Any], given: Json) -> None:
    """Just one of two parameters must be given. Raises BadParameter."""
    name, instead = parameter.name, parameter.instead
    if values[name] is None and values[instead] is None:
        raise BadParameter(f"{task} needs one of the parameters {name} and {instead}")
    if values[name] is not None and values[instead] is not None:
        both = f"{name} is {_shown(given[name])} and {instead} is {_shown(given[instead])}"
        raise BadParameter(f"{task}: {both}, but only one of them can be given")


def _read(task: str, parameter: Parameter, given: Json, told: str) -> Any:
    """The value of one parameter, which reasons call `told`."""
    if given is None and parameter.is_needed:
        raise BadParameter(f"{task} needs the parameter {parameter.name}, {parameter.kind.words}")
    value = parameter.default if given is None else given
    if value is None:
        return None
    read = parameter.kind.read(value)
    if read is None:
        raise bad_parameter(task, told, value, parameter.kind.words)
    return read


def bad_parameter(task: str, name: str, value: Json, expected: str) -> BadParameter:
    """The reason why this value of a parameter cannot be used: what it must be instead."""
    verb = "are" if name.startswith("the ") else "is"
    return BadParameter(f"{task}: {name} {verb} {_shown(value)}, but must be {expected}")


def _shown(value: Json) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"


def is_unicode(text: str) -> bool:
    """Whether a text can be written in UTF-8: JSON may hold what cannot, such as `"\\ud800"`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole(least: int, most: int) -> Kind:
    """A whole number within these bounds."""

    def read(value: Json) -> int | None:
        return value if type(value) is int and least <= value <= most else None

    return Kind(f"a whole number from {least} to {most}", read)


def duration(least: float, most: float) -> Kind:
    """A duration as people write it, within these bounds in seconds; read as seconds."""

    def read(value: Json) -> float | None:
        found = parse_duration(value)
        return found if found is not None and least <= found <= most else None

    return Kind(f"{DURATION_FORMAT}; from {format_duration(least)} to {format_duration(most)}", read)


@dataclass(frozen=True, slots=True)
class TemplateValue:
    """A parameter that is a template: its text, and what it must be once it is filled."""

    text: str
    kind: Kind


def or_template(kind: Kind) -> Kind:
    """What is of this kind, or a template that makes it, which is read as `TemplateValue`."""

    def read(value: Json) -> Any:
        if isinstance(value, str) and ("{" in value or "}" in value):
            return TemplateValue(value, kind)
        return kind.read(value)

    return Kind(f"{kind.words}; or a template", read)


def fill_parameters(task: str, values: Mapping[str, Any], names: Mapping[str, Json]) -> dict[str, Any]:
    """The values that `parse_parameters` gave, templates filled. `names` is that of `template.fill`.

    Raises BadParameter.
    """
    filled = dict(values)
    for name, value in values.items():
        if isinstance(value, TemplateValue):
            try:
                text = fill(value.text, names)
            except TemplateError as error:
                raise BadParameter(f"{task}: {name}: {error}") from None
            filled[name] = value.kind.read(text)
            if filled[name] is None:
                raise bad_parameter(task, name, text, value.kind.words)
    return filled


def one_of(*texts: str) -> Kind:
    """One of these texts."""
    return Kind(f"one of {', '.join(texts)}", lambda value: value if value in texts else None)


def some_of(*texts: str) -> Kind:
    """One of these texts, or a list of them."""

    def read(value: Json) -> list[str] | None:
        listed = value if isinstance(value, list) else [value]
        return listed if all(text in texts for text in listed) else None

    return Kind(f"{', '.join(texts)}, or a list of these", read)


def _texts_by_name(value: Json) -> dict[str, str] | None:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        return None
    return value


def _words(value: Json) -> list[str] | None:
    if not isinstance(value, list):
        return None
    told = [json.dumps(item) if type(item) in (int, float) else item for item in value]
    return told if all(isinstance(item, str) for item in told) else None


def _match(value: Json) -> Json:
    return value if value == "input" or isinstance(value, dict) else None


TEXT: Final = Kind("a text", lambda value: value if isinstance(value, str) and is_unicode(value) else None)
FLAG: Final = Kind("true or false", lambda value: value if isinstance(value, bool) else None)
TEXTS_BY_NAME: Final = Kind("an object of texts", _texts_by_name)
WORDS: Final = Kind("a list of texts and numbers", _words)
TIME: Final = Kind("a time in ISO 8601, in UTC unless it names its zone", parse_timestamp)
TEMPLATE: Final = Kind(
    "a template", lambda value: TemplateValue(value, TEXT) if isinstance(value, str) else None
)
MATCH: Final = Kind("input, or an object of which the texts are templates", _match)
