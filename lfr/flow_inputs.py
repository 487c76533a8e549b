"""What a flow declares about the input of its workflows: `@flow f (- inputs: {NAME: {type: ...}} -)`.

The keywords are those of JSON Schema for one member of an object, but for `required`, which stands with the
member itself. The compiler reads the declarations, and each start checks its input by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lfr.errors import BadInput
from lfr.values.checks import abbreviate, mismatch, read_whole_number, suggestion
from lfr.values.json import Json
from lfr.values.pattern import MAX_LOOKS, MAX_TEXT, BadPattern, compile_pattern
from lfr.values.work import LookBudget, TooMuchWork

INPUTS_KEY: Final = "inputs"
"""The key among the parameters of `@flow` that holds the declarations."""

_MAX_FAULTS: Final = 10
"""How many faults of an input one message names."""

_MAX_MEMBERS: Final = 100
"""How many members `UnfitInput` names."""

_MAX_ENUM: Final = 1_000
"""How many values an enum has."""

_TYPES: Final[Mapping[str, tuple[str, Callable[[Json], bool]]]] = {
    "string": ("a text", lambda value: isinstance(value, str)),
    "number": ("a number", lambda value: type(value) in (int, float)),
    "integer": ("a whole number", lambda value: read_whole_number(value) is not None),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "object": ("an object", lambda value: isinstance(value, dict)),
    "array": ("a list", lambda value: isinstance(value, list)),
}

_KEYWORDS: Final = (
    "type",
    "required",
    "default",
    "enum",
    "minimum",
    "maximum",
    "pattern",
    "title",
    "description",
)

_KEYWORD_TYPES: Final = {
    "required": "boolean",
    "enum": "array",
    "minimum": "number",
    "maximum": "number",
    "pattern": "string",
    "title": "string",
    "description": "string",
}


class InputFault(NamedTuple):
    """A fault in the declarations: the keys that lead to it in the parameters of `@flow`, and a message."""

    path: tuple[str, ...]
    message: str


class MemberFault(NamedTuple):
    """A member of an input that does not fit: its name, empty for the input as a whole, and a message."""

    name: str
    message: str


class UnfitInput(BadInput):
    """The input of a workflow does not fit the declarations. `members`: the first 100 that do not."""

    def __init__(self, faults: Sequence[MemberFault]) -> None:
        more = f"; and {len(faults) - _MAX_FAULTS} more" if len(faults) > _MAX_FAULTS else ""
        messages = "; ".join(fault.message for fault in faults[:_MAX_FAULTS])
        super().__init__(f"the input does not fit the flow: {messages}{more}")
        self.members = tuple(faults[:_MAX_MEMBERS])


def find_input_faults(parameters: Json) -> list[InputFault]:
    """Return each fault in what the parameters of `@flow` declare about inputs."""
    budget = LookBudget(MAX_LOOKS)
    try:
        return _find_faults(parameters, budget)
    except TooMuchWork as error:
        words = f"to check its own values by its patterns would take {error}"
        return [InputFault((INPUTS_KEY,), f"{INPUTS_KEY} cannot be used: {words}")]


def _find_faults(parameters: Json, budget: LookBudget | None) -> list[InputFault]:
    """Do as `find_input_faults`; without a budget, do not look whether defaults and enums fit. Raises
    TooMuchWork."""
    if isinstance(parameters, dict) and "input" in parameters:
        return [InputFault(("input",), f"@flow knows {INPUTS_KEY}, but not input")]
    if not isinstance(parameters, dict) or INPUTS_KEY not in parameters:
        return []
    declarations = parameters[INPUTS_KEY]
    if not isinstance(declarations, dict):
        message = mismatch(INPUTS_KEY, declarations, "an object, as {branch: {type: string}}")
        return [InputFault((INPUTS_KEY,), message)]
    return [
        InputFault((INPUTS_KEY, name, *keywords), message)
        for name, declaration in declarations.items()
        for keywords, message in _faults_of(f"{INPUTS_KEY}.{name}", declaration, budget)
    ]


def declared_inputs(parameters: Json) -> dict[str, dict[str, Json]]:
    """Return the declarations by name; none if they have faults: an earlier version has compiled them."""
    if not isinstance(parameters, dict) or INPUTS_KEY not in parameters or _find_faults(parameters, None):
        return {}
    inputs: dict[str, dict[str, Json]] = parameters[INPUTS_KEY]
    return inputs


def complete_input(parameters: Json, input: Json, shared: LookBudget | None = None) -> Json:
    """Return the input of a workflow with the defaults that the parameters of its `@flow` declare.

    Raises UnfitInput that names each member that does not fit. A flow without declarations takes any input.
    The looks of its patterns count in a `shared` budget, too.
    """
    declarations = declared_inputs(parameters)
    if not declarations:
        return input
    try:
        faults = list(_faults_of_input(declarations, input, LookBudget(MAX_LOOKS, shared)))
    except TooMuchWork as error:
        faults = [MemberFault("", f"to check it by its patterns would take {error}: give shorter texts")]
    if faults:
        raise UnfitInput(faults)
    defaults = {name: each["default"] for name, each in declarations.items() if "default" in each}
    return {**defaults, **input}


def _faults_of_input(
    declarations: Mapping[str, Mapping[str, Json]], input: Json, budget: LookBudget
) -> Iterator[MemberFault]:
    if not isinstance(input, dict):
        yield MemberFault("", mismatch("input", input, f"an object with some of {', '.join(declarations)}"))
        return
    for name, declaration in declarations.items():
        if name in input:
            if expected := _misfit(declaration, input[name], budget):
                yield MemberFault(name, mismatch(f"input.{name}", input[name], expected))
        elif declaration.get("required"):
            words = _TYPES[declaration["type"]][0] if "type" in declaration else "any value"
            yield MemberFault(name, f"input.{name} is missing: {words}")
    for name in input.keys() - declarations.keys():
        hint = suggestion(name, declarations) or f"it takes {', '.join(declarations)}"
        short_name = abbreviate(name)[1:-1]
        yield MemberFault(short_name, f"input.{short_name} is unknown: {hint}")


def _misfit(declaration: Mapping[str, Json], value: Json, budget: LookBudget) -> str:
    """Return what a value must be; an empty text if it is so. Raises TooMuchWork."""
    words, fits = _TYPES[declaration["type"]] if "type" in declaration else ("", _is_any)
    if not fits(value):
        return words
    if "enum" in declaration and not any(_is_same(value, each) for each in declaration["enum"]):
        return f"one of {', '.join(map(abbreviate, declaration['enum']))}"
    if "minimum" in declaration and value < declaration["minimum"]:
        return f"{declaration['minimum']} or more"
    if "maximum" in declaration and value > declaration["maximum"]:
        return f"{declaration['maximum']} or less"
    if "pattern" in declaration:
        if len(value) > MAX_TEXT:
            return f"a text of up to {MAX_TEXT} characters"
        if not compile_pattern(declaration["pattern"]).search(value, budget):
            return f"a text that matches {declaration['pattern']}"
    return ""


def _faults_of(
    member: str, declaration: Json, budget: LookBudget | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the faults of one declaration, each with the keyword that has it, if it is one of a keyword."""
    if not isinstance(declaration, dict):
        yield (), mismatch(member, declaration, "an object, as {type: string}")
        return
    is_sound = True
    for keyword, value in declaration.items():
        if message := _fault_of_keyword(member, keyword, value):
            is_sound = False
            yield (keyword,), message
    if not is_sound:
        return
    yield from _contradictions(member, declaration)
    if budget is not None:
        yield from _unfit_values(member, declaration, budget)


def _fault_of_keyword(member: str, keyword: str, value: Json) -> str:
    if keyword not in _KEYWORDS:
        hint = suggestion(keyword, _KEYWORDS) or f"it takes {', '.join(_KEYWORDS)}"
        return f"{member} does not know {keyword}: {hint}"
    if keyword == "type" and not (isinstance(value, str) and value in _TYPES):
        return mismatch(f"{member}.type", value, f"one of {', '.join(_TYPES)}")
    if keyword in _KEYWORD_TYPES:
        words, fits = _TYPES[_KEYWORD_TYPES[keyword]]
        if not fits(value):
            return mismatch(f"{member}.{keyword}", value, words)
    if keyword == "enum" and not value:
        return f"{member}.enum is empty: no value would fit"
    if keyword == "enum" and len(value) > _MAX_ENUM:
        return f"{member}.enum has more than {_MAX_ENUM:,} values"
    if keyword == "pattern":
        try:
            compile_pattern(value)
        except BadPattern as error:
            return f"{member}.pattern cannot be used: {error}"
    return ""


def _contradictions(member: str, declaration: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    type = declaration.get("type")
    for keyword, types in (
        ("minimum", ("number", "integer")),
        ("maximum", ("number", "integer")),
        ("pattern", ("string",)),
    ):
        if keyword in declaration and type not in types:
            yield (keyword,), f"{member}.{keyword} goes with type: {' or '.join(types)}"
            return
    if "minimum" in declaration and declaration["minimum"] > declaration.get(
        "maximum", declaration["minimum"]
    ):
        yield ("minimum",), f"{member}.minimum is above its maximum: no value would fit"
    if "default" in declaration and declaration.get("required"):
        yield ("default",), f"{member} is required, so its default would never be used"


def _unfit_values(
    member: str, declaration: dict[str, Any], budget: LookBudget
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a fault for each value of the enum, and for the default, that does not fit. Raises
    TooMuchWork."""
    others = {keyword: value for keyword, value in declaration.items() if keyword != "enum"}
    for value in declaration.get("enum", ()):
        if expected := _misfit(others, value, budget):
            yield ("enum",), mismatch(f"a value of {member}.enum", value, expected)
    if "default" in declaration and (expected := _misfit(declaration, declaration["default"], budget)):
        yield ("default",), mismatch(f"{member}.default", declaration["default"], expected)


def _is_any(value: Json) -> bool:
    return True


def _is_same(value: Json, other: Json) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)
