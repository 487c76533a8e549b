"""The texts of steps in drawings and lists, the same in every format."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import unquote

from lfr.flow import Flow, Step, StepKind
from lfr.values.texts import cut

MAX_LENGTH: Final = 40
"""Characters of a value or a URI that are shown."""


def label_lines(step: Step) -> list[str]:
    """Return the lines at a step: `>` (merge) or `*` (iterate) with its name; then `?` with its guard.

    A literal has its value in place of a name, a resource its URI. A step without all this has no lines.
    """
    marks = [mark for mark, is_set in ((">", step.merge), ("*", step.iterate)) if is_set]
    name = " ".join([*marks, _name(step)]).strip()
    guard = [] if step.guard is None else [f"? {' '.join(step.guard.split())}"]
    return [line for line in [name, *guard] if line]


def task_doc(flow: Flow, step: Step) -> str:
    """Return the flow's documentation of a step's task, or an empty text."""
    return flow.docs.get(step.name, "") if step.name else ""


def resource_title(uri: str, *, is_sink: bool) -> str:
    """Return the name of a resource in lists: load or store, and the last part of its path."""
    name = uri.partition("?")[0].rstrip("/").rpartition("/")[2]
    return f"{'store' if is_sink else 'load'} {shorten(unquote(name) or uri)}"


def shorten(text: str) -> str:
    """Return a text of `MAX_LENGTH` characters at most; `…` is the last one if it is cut."""
    return cut(text, MAX_LENGTH)


def _name(step: Step) -> str:
    match step.kind:
        case StepKind.START | StepKind.END:
            return step.kind.value
        case StepKind.LITERAL:
            return shorten(json.dumps(step.value, ensure_ascii=False))
        case StepKind.RESOURCE:
            return shorten(step.uri)
    return step.name
