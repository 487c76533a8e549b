"""Draws a flow as littleflow does: as a mermaid state diagram, in which its console finds states by id."""

from __future__ import annotations

import re
from typing import Final

from lfr.flow import Flow, Step, StepKind

_UNSAFE_IN_ID: Final = re.compile(r"[^\w.]")
_UNSAFE_IN_LABEL: Final = re.compile(r'["\\;#<>&%{}\x00-\x1f\x7f]')


def to_state_diagram(flow: Flow, *, vertical: bool = False) -> str:
    """Return the flow as a state diagram, from left to right or, if `vertical`, from top to bottom.

    The id of a task's state is its name and index, as `wait_COLON_delay.3`.
    """
    lines = ["stateDiagram-v2"]
    if not vertical:
        lines.append("  direction LR")
    for step in flow.steps:
        match step.kind:
            case StepKind.SUBFLOW:
                lines.append(f"  state {_state(step)} <<fork>>")
            case StepKind.SUBFLOW_END:
                lines.append(f"  state {_state(step)} <<join>>")
            case StepKind.TASK | StepKind.RESOURCE | StepKind.LITERAL:
                label = _UNSAFE_IN_LABEL.sub(" ", task_name(step) or "value")
                lines.append(f'  state "{label}" as {_state(step)}')
    lines += [
        f"  {_state(flow.steps[source])}-->{_state(flow.steps[target])}" for source, target in flow.edges
    ]
    return "\n".join(lines) + "\n"


def task_name(step: Step) -> str:
    """Return the name of a step that is a task for littleflow, resources included; else an empty text."""
    if step.kind is StepKind.RESOURCE:
        return "store" if step.sink else "load"
    return step.name if step.kind is StepKind.TASK else ""


def _state(step: Step) -> str:
    match step.kind:
        case StepKind.START | StepKind.END:
            return "[*]"
        case StepKind.SUBFLOW:
            return f"_start_{step.index}_"
        case StepKind.SUBFLOW_END:
            return f"_end_{step.index}_"
        case StepKind.LITERAL:
            return f"_value_{step.index}_"
    name = task_name(step).replace(":", "_COLON_").replace("-", "_HYPHEN_")
    return f"{_UNSAFE_IN_ID.sub('_', name)}.{step.index}"
