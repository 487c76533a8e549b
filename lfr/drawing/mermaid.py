"""Draws a flow as a mermaid flowchart."""

from __future__ import annotations

import re

from lfr.drawing.labels import label_lines
from lfr.flow import Flow, Step, StepKind

_UNSAFE = re.compile(r"[^\w .,:;=/()\[\]{}@$?!'→…-]|(?<![^\W_])_|_(?![^\W_])")
"""Characters to escape. A `_` inside a word needs no escape: it is not markup there."""


def to_mermaid(flow: Flow, *, vertical: bool = False, docs: bool = True) -> str:
    """Return the flow as a mermaid flowchart, from left to right or, if `vertical`, from top to bottom.

    The id of a node is `s` and the step's index. A subflow is a frame around its own steps, with small
    circles for its start and end. Labels are escaped, so that none can change the drawing. With `docs`, the
    documentation of the flow and of its tasks becomes comments.
    """
    lines = _comments(flow) if docs else []
    lines += [f"flowchart {'TB' if vertical else 'LR'}"]
    depth = 1
    for step in flow.steps:
        if step.kind is StepKind.SUBFLOW:
            lines.append(f'{"  " * depth}subgraph f{step.index}["{_label(step) or " "}"]')
            depth += 1
        lines.append(f"{'  ' * depth}s{step.index}{_shape(step)}")
        if step.kind is StepKind.SUBFLOW_END:
            depth -= 1
            lines.append(f"{'  ' * depth}end")
    lines.extend(f"  s{source} --> s{target}" for source, target in flow.edges)
    return "\n".join(lines) + "\n"


def _comments(flow: Flow) -> list[str]:
    """Return the documentation as comments, which begin with `%%`. `%%{` in one would be a directive."""
    lines = [*flow.doc.splitlines()]
    lines += [f"{name}: {line}" for name, doc in flow.docs.items() for line in doc.splitlines()]
    printable_lines = ("".join(char if char.isprintable() else " " for char in line) for line in lines)
    return [f"%% {line.replace('%{', '% {')}" for line in printable_lines]


def _shape(step: Step) -> str:
    match step.kind:
        case StepKind.START | StepKind.END:
            return f'(["{_label(step)}"])'
        case StepKind.SUBFLOW:
            return '((" "))'
        case StepKind.SUBFLOW_END:
            return f'(("{_label(step) or " "}"))'
        case StepKind.LITERAL:
            return f'[/"{_label(step)}"/]'
        case StepKind.RESOURCE:
            return f'[("{_label(step)}")]'
    return f'["{_label(step)}"]'


def _label(step: Step) -> str:
    return "<br>".join(map(_escaped, label_lines(step)))


def _escaped(text: str) -> str:
    """Escape all that could end a label, or begin markup or an entity (`#number;`)."""
    return _UNSAFE.sub(lambda match: f"#{ord(match[0])};", text)
