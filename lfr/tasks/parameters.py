"""Parses the parameters of a built-in task by its table in `catalogue`, and fills their templates.

Null counts as not given. Every message names the task, the parameter and the value.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from lfr.tasks.template import TemplateError, fill
from lfr.tasks.uri_policy import BadLocation
from lfr.values.checks import TEXT, Check, abbreviate, mismatch
from lfr.values.json import InvalidJson, Json


class BadParameter(ValueError):
    """A parameter that its task cannot use; the text names task, parameter and value."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a task: its name, the check of its value, a line of help, its default.

    is_needed   whether it is an error if it is not given; it has no default then
    from_input  whether a member of the input may override it
    instead     another parameter: exactly one of the two must be given
    """

    name: str
    check: Check
    help: str
    default: Json = None
    is_needed: bool = False
    from_input: bool = False
    instead: str = ""


def parse_parameters(
    task: str,
    table: Sequence[Parameter],
    parameters: Json,
    input: Json = None,
    input_names: Container[str] = (),
) -> dict[str, Any]:
    """Return the value of every parameter in the table, by name, as its check reads it. Raises BadParameter.

    Members of the input override those of `input_names`, if the table says that they may.

    One that is not given has its default, or None. Templates are not filled yet: see `fill_parameters`.
    Parameters that are not in the table are allowed, and left out: templates may use them.
    """
    if parameters is not None and not isinstance(parameters, dict):
        raise bad_parameter(task, "the parameters", parameters, "an object")
    members = input if isinstance(input, dict) else {}
    values: dict[str, Any] = {}
    for each in table:
        if each.from_input and each.name in input_names and members.get(each.name) is not None:
            values[each.name] = _parse(task, each, members[each.name], f"{each.name} in the input")
        else:
            values[each.name] = _parse(task, each, (parameters or {}).get(each.name), each.name)
    for each in table:
        if each.instead:
            _check_exactly_one(task, each.name, each.instead, parameters or {})
    return values


def _check_exactly_one(task: str, name: str, instead: str, parameters: Mapping[str, Json]) -> None:
    names = [each for each in (name, instead) if parameters.get(each) is not None]
    if not names:
        raise BadParameter(f"{task} needs one of the parameters {name} and {instead}")
    if len(names) > 1:
        both = " and ".join(f"{each} is {abbreviate(parameters[each])}" for each in names)
        raise BadParameter(f"{task}: {both}, but only one of them can be given")


def _parse(task: str, parameter: Parameter, value: Json, label: str) -> Any:
    """Return the value of a parameter, `label` in messages. Raises BadParameter."""
    if value is None and parameter.is_needed:
        raise BadParameter(f"{task} needs the parameter {parameter.name}, {parameter.check.words}")
    value = parameter.default if value is None else value
    if value is None:
        return None
    parsed = parameter.check.read(value)
    if parsed is None:
        raise bad_parameter(task, label, value, parameter.check.words)
    return parsed


def bad_parameter(task: str, name: str, value: Json, expected: str) -> BadParameter:
    """Return the error for a value that a parameter cannot have; `expected` says what it must be instead."""
    return BadParameter(f"{task}: {mismatch(name, value, expected)}")


@contextmanager
def errors_named(task: str, parameter: str) -> Iterator[None]:
    """Turn errors of templates, URIs and JSON inside the block into BadParameter for this parameter."""
    try:
        yield
    except (TemplateError, BadLocation, InvalidJson) as error:
        raise BadParameter(f"{task}: {parameter}: {error}") from None


@dataclass(frozen=True, slots=True)
class TemplateValue:
    """A parameter that is a template: its text, and the check of the filled text."""

    text: str
    check: Check


def or_template(check: Check) -> Check:
    """Return the check for a value that fits `check`, or a template that makes one (a `TemplateValue`)."""

    def read(value: Json) -> Any:
        if isinstance(value, str) and ("{" in value or "}" in value):
            return TemplateValue(value, check)
        return check.read(value)

    return Check(f"{check.words}; or a template", read)


def fill_parameters(task: str, values: Mapping[str, Any], names: Mapping[str, Json]) -> dict[str, Any]:
    """Return the values, each TemplateValue filled from `names` and then checked. Raises BadParameter."""
    filled = dict(values)
    for name, value in values.items():
        if isinstance(value, TemplateValue):
            with errors_named(task, name):
                text = fill(value.text, names)
            filled[name] = value.check.read(text)
            if filled[name] is None:
                raise bad_parameter(task, name, text, value.check.words)
    return filled


TEMPLATE: Final = Check(
    "a template", lambda value: TemplateValue(value, TEXT) if isinstance(value, str) else None
)
MATCH: Final = Check(
    "input, or an object of which the texts are templates",
    lambda value: value if value == "input" or isinstance(value, dict) else None,
)
