"""What is different between two versions of a flow, step by step, for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from lfr.flow import Flow, Step, StepKind
from lfr.values.json import Json

_KINDS = {StepKind.SUBFLOW_END: "}", StepKind.START: "start", StepKind.END: "end"}


def describe_changes(before: Flow, after: Flow) -> list[str]:
    """Return a line for each difference of two flows: `- ` and what only `before` has, `+ ` and what only
    `after` has. First what stands at `@flow`, then the steps, then the edges between them.

    A step is known by what it does, not by its index: one that only moves in the text is no difference.
    """
    sections = (
        (list(_declaration_lines(before)), list(_declaration_lines(after))),
        (_step_lines(before), _step_lines(after)),
        (_edge_lines(before), _edge_lines(after)),
    )
    lines = [line for old, new in sections for line in _differences(old, new)]
    if not lines and before.digest != after.digest:
        lines.append("~ the steps stand in another order")
    return lines


def _differences(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for mark, lines, others in (("-", old, new), ("+", new, old)):
        surplus = Counter(lines) - Counter(others)
        for line in lines:
            if surplus[line] > 0:
                surplus[line] -= 1
                yield f"{mark} {line}"


def _declaration_lines(flow: Flow) -> Iterator[str]:
    if flow.doc:
        yield f"documentation: {_one_line(flow.doc)}"
    if isinstance(flow.parameters, dict):
        for name, value in flow.parameters.items():
            yield f"@flow {name}: {_json(value)}"
    elif flow.parameters is not None:
        yield f"@flow {_json(flow.parameters)}"
    for name, doc in flow.docs.items():
        yield f"documentation of {name}: {_one_line(doc)}"


def _step_lines(flow: Flow) -> list[str]:
    return [_describe(step) for step in flow.steps if step.kind not in _KINDS]


def _edge_lines(flow: Flow) -> list[str]:
    names = [step_title(step) for step in flow.steps]
    return [f"{names[source]} -> {names[target]}" for source, target in flow.edges]


def _describe(step: Step) -> str:
    alias = f" = {step.base}" if step.base else ""
    guard = f"? `{_one_line(step.guard)}` " if step.guard is not None else ""
    marks = f"{'> ' if step.merge else ''}{'* ' if step.iterate else ''}"
    parameters = "" if step.parameters is None else f" (- {_json(step.parameters)} -)"
    return f"{step.kind.value}: {marks}{guard}{step_title(step)}{alias}{parameters}"


def step_title(step: Step) -> str:
    """Return what a step is called in a comparison: its name, its literal, its resource, or its bracket."""
    match step.kind:
        case StepKind.LITERAL:
            return _json(step.value)
        case StepKind.RESOURCE:
            return f"{'-> ' if step.sink else ''}<{step.uri}>"
        case StepKind.TASK:
            return step.name
        case StepKind.SUBFLOW:
            return f"{step.name}{{"
    return _KINDS[step.kind]


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())
