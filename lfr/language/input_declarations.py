"""What `@flow` declares about inputs, labels and a schedule: its errors, each at its key in the text, and the
order of the inputs there. Other parameters are for readers, unless they look like one of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lfr.flow_inputs import INPUTS_KEY, declared_inputs, find_input_faults
from lfr.labels import LABELS_KEY, find_label_faults
from lfr.language.ast import FlowText, Literal
from lfr.language.diagnostics import Problem
from lfr.language.parse import parse_first_declarations
from lfr.schedules.spec import SCHEDULE_KEY, find_schedule_faults
from lfr.step_options import RESERVED_KEY
from lfr.values.checks import suggestion
from lfr.values.json import Json

_KEYS: Final = (RESERVED_KEY, INPUTS_KEY, LABELS_KEY, SCHEDULE_KEY)

_OPENING: Final = "(-"
_CLOSING: Final = "-)"


def flow_parameter_problems(tree: FlowText, text: str) -> Iterator[Problem]:
    """Yield the errors in the declared inputs, in the labels and in the schedule of a flow."""
    for declaration in tree.declarations:
        if declaration.keyword == "flow" and declaration.parameters is not None:
            literal = declaration.parameters
            faults = [*find_input_faults(literal.value), *find_label_faults(literal.value)]
            faults = faults or [*_similar_keys(literal.value)]
            for path, message in faults or find_schedule_faults(declaration.name, literal.value):
                yield Problem(_locate(literal, path, text), message)
            return


def _similar_keys(parameters: Json) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a fault for each parameter that looks as if one of lfr's own were meant."""
    for key in parameters if isinstance(parameters, dict) else ():
        if key not in _KEYS and (hint := suggestion(key, _KEYS)):
            yield (key,), f"@flow knows {', '.join(_KEYS)}, but not {key}; {hint}"


def input_names(text: str) -> list[str]:
    """Return the names of the inputs that a flow text declares before its first statement, in the order of
    the text. A compiled flow has lost this order."""
    for declaration in parse_first_declarations(text):
        if declaration.keyword == "flow" and declaration.parameters is not None:
            return list(declared_inputs(declaration.parameters.value))
    return []


def _locate(literal: Literal, path: tuple[str, ...], text: str) -> int:
    """Return the offset of a key; that of the parameters if their end cannot be seen without parsing them."""
    from lfr.values.yaml import locate_key  # here: only mistakes need it

    start = literal.offset + len(_OPENING)
    body = text[start : text.find(_CLOSING, start)]
    offset = locate_key(body, path)
    return literal.offset if offset is None else start + offset
