"""What `@flow` declares about inputs, labels and a schedule: its errors, each at its key in the text, and the
order of the inputs there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lfr.flow_inputs import declared_inputs, find_input_faults
from lfr.labels import find_label_faults
from lfr.language.ast import FlowText, Literal
from lfr.language.diagnostics import Problem
from lfr.language.parse import parse_first_declarations
from lfr.schedules.spec import find_schedule_faults

_OPENING: Final = "(-"
_CLOSING: Final = "-)"


def flow_parameter_problems(tree: FlowText, text: str) -> Iterator[Problem]:
    """Yield the errors in the declared inputs, in the labels and in the schedule of a flow."""
    for declaration in tree.declarations:
        if declaration.keyword == "flow" and declaration.parameters is not None:
            literal = declaration.parameters
            faults = [*find_input_faults(literal.value), *find_label_faults(literal.value)]
            for path, message in faults or find_schedule_faults(declaration.name, literal.value):
                yield Problem(_locate(literal, path, text), message)
            return


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
