"""What is written at a step, in every kind of picture."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import unquote

from lfr.flow import Flow, Step, StepKind

LONGEST: Final = 40
"""Characters of a value or a URI that are shown."""


def label_lines(step: Step) -> list[str]:
    """The lines at a step: its name with `>` for merge and `*` for iteration; its guard, after `?`."""
    marks = [mark for mark, is_set in ((">", step.merge), ("*", step.iterate)) if is_set]
    name = " ".join([*marks, _name(step)]).strip()
    guard = [] if step.guard is None else [f"? {' '.join(step.guard.split())}"]
    return [line for line in [name, *guard] if line]


def task_doc(flow: Flow, step: Step) -> str:
    """What the flow says of a step's task, or empty."""
    return flow.docs.get(step.name, "") if step.name else ""


def resource_title(uri: str, *, is_sink: bool) -> str:
    """What lists call a resource: what is done, and the last part of where it is."""
    place = uri.partition("?")[0].rstrip("/").rpartition("/")[2]
    return f"{'store' if is_sink else 'load'} {cut(unquote(place) or uri)}"


def cut(text: str) -> str:
    """A text, or its beginning."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _name(step: Step) -> str:
    match step.kind:
        case StepKind.START:
            return "start"
        case StepKind.END:
            return "end"
        case StepKind.LITERAL:
            return cut(json.dumps(step.value, ensure_ascii=False))
        case StepKind.RESOURCE:
            return cut(step.uri)
    return step.name
