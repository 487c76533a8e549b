"""What `@flow` declares about inputs, labels and a schedule: its errors, each at its key in the text, and the
order of the inputs there.

Flows of littleflow have parameters of any name, which mean nothing. So all are accepted if none is lfr's own,
and none looks like one. A flow with one of lfr's own is written for lfr: there any other is a mistake, unless
its name begins with `x-`, for readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

_FOR_READERS: Final = "x-"

_OPENING: Final = "(-"
_CLOSING: Final = "-)"


def flow_parameter_problems(tree: FlowText, text: str) -> Iterator[Problem]:
    """Yield the errors in the declared inputs, in the labels and in the schedule of a flow."""
    for declaration in tree.declarations:
        if declaration.keyword == "flow" and declaration.parameters is not None:
            literal = declaration.parameters
            faults = [*find_input_faults(literal.value), *find_label_faults(literal.value)]
            faults = faults or [*_unknown_keys(literal.value)]
            faults = faults or [*find_schedule_faults(declaration.name, literal.value)]
            offsets = _locate(literal, [path for path, _ in faults], text) if faults else []
            for (_, message), offset in zip(faults, offsets, strict=True):
                yield Problem(offset, message)
            return


def _unknown_keys(parameters: Json) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a fault for each parameter that is a mistake."""
    names = parameters if isinstance(parameters, dict) else {}
    is_for_lfr = any(key in names for key in _KEYS)
    for key in names:
        hint = suggestion(key, _KEYS)
        if key in _KEYS or key.startswith(_FOR_READERS) or not (hint or is_for_lfr):
            continue
        hint = hint or f"call it {_FOR_READERS}{key} if it is for readers"
        yield (key,), f"@flow knows {', '.join(_KEYS)}, but not {key}; {hint}"


def input_names(text: str) -> list[str]:
    """Return the names of the inputs that a flow text declares before its first statement, in the order of
    the text. A compiled flow has lost this order."""
    for declaration in parse_first_declarations(text):
        if declaration.keyword == "flow" and declaration.parameters is not None:
            return list(declared_inputs(declaration.parameters.value))
    return []


def _locate(literal: Literal, paths: Sequence[tuple[str, ...]], text: str) -> list[int]:
    """Return the offsets of keys; that of the parameters if their end cannot be seen without parsing them."""
    from lfr.values.yaml import KeyLocations  # here: only mistakes need it

    start = literal.offset + len(_OPENING)
    locations = KeyLocations(text[start : text.find(_CLOSING, start)])
    offsets = [locations.find(path) for path in paths]
    return [literal.offset if offset is None else start + offset for offset in offsets]
