"""Draws a flow as DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lfr.drawing.labels import label_lines, task_doc
from lfr.flow import Flow, Step, StepKind

_SHAPES: Final = {
    StepKind.START: 'shape=box, style="rounded,filled"',
    StepKind.END: 'shape=box, style="rounded,filled"',
    StepKind.TASK: "shape=box",
    StepKind.SUBFLOW: "shape=circle, width=0.2",
    StepKind.SUBFLOW_END: "shape=circle, width=0.2",
    StepKind.LITERAL: "shape=parallelogram",
    StepKind.RESOURCE: "shape=cylinder",
}


def to_dot(flow: Flow, *, vertical: bool = False, docs: bool = True) -> str:
    """Return the flow as a directed graph, from left to right or, if `vertical`, from top to bottom.

    A subflow is a cluster around its own steps, with circles for its start and end. With `docs`, the
    documentation of the flow and of its tasks becomes tooltips.
    """
    return "\n".join(_lines(flow, vertical, docs)) + "\n"


def _lines(flow: Flow, vertical: bool, docs: bool) -> Iterator[str]:
    yield f"digraph {_quoted(flow.name or 'flow')} {{"
    yield f"  rankdir={'TB' if vertical else 'LR'}"
    yield '  node [fontname="sans-serif"]'
    if docs and flow.doc:
        yield f"  tooltip={_quoted(flow.doc)}"
    depth = 1
    for step in flow.steps:
        if step.kind is StepKind.SUBFLOW:
            yield f"{'  ' * depth}subgraph cluster_{step.index} {{"
            depth += 1
            yield f"{'  ' * depth}label={_quoted(_joined(step))}"
        yield f"{'  ' * depth}s{step.index} [{_node(flow, step, docs)}]"
        if step.kind is StepKind.SUBFLOW_END:
            depth -= 1
            yield f"{'  ' * depth}}}"
    for source, target in flow.edges:
        yield f"  s{source} -> s{target}"
    yield "}"


def _node(flow: Flow, step: Step, docs: bool) -> str:
    is_circle = step.kind in (StepKind.SUBFLOW, StepKind.SUBFLOW_END)
    label = (">" if step.merge else "") if is_circle else _joined(step)
    doc = task_doc(flow, step) if docs else ""
    tooltip = f", tooltip={_quoted(doc)}" if doc else ""
    return f"label={_quoted(label)}, {_SHAPES[step.kind]}{tooltip}"


def _joined(step: Step) -> str:
    return "\n".join(label_lines(step))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{"".join(char if char.isprintable() else " " for char in escaped)}"'
