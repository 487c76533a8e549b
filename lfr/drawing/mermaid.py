"""Flow -> mermaid."""

from __future__ import annotations

import json
import re
from typing import Final

from lfr.flow import Flow, Step, StepKind

LONGEST_VALUE: Final = 40
"""Characters of a literal or of parameters that are shown."""

_UNSAFE = re.compile(r"[^\w .,:;=/()\[\]{}@$?!'→…-]|(?<![^\W_])_|_(?![^\W_])")
"""A `_` inside of a word marks nothing up."""


def to_mermaid(flow: Flow, *, vertical: bool = False, docs: bool = True) -> str:
    """The flow as a mermaid flowchart, from left to right or, if `vertical`, from top to bottom.

    Nodes are called `s` and the step's index. A subflow is drawn as a frame around its own steps, with
    its start and its end as small circles. `>` before a name says that the step merges its input, `*`
    that it runs once for each item; a guard is written under the name. Names are escaped: no name of a
    task can change the drawing. With `docs`, what the flow says of itself and of its tasks stands in
    comments.
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
    """The documentation, as lines that mermaid leaves alone: they begin with `%%`, and are no directive."""
    told = [*flow.doc.splitlines()]
    told += [f"{name}: {line}" for name, doc in flow.docs.items() for line in doc.splitlines()]
    return [f"%% {''.join(char if char.isprintable() else ' ' for char in line)}" for line in told]


def _shape(step: Step) -> str:
    """The node's brackets, with its label between them."""
    match step.kind:
        case StepKind.START:
            return '(["start"])'
        case StepKind.END:
            return f'(["{_escaped("> end" if step.merge else "end")}"])'
        case StepKind.SUBFLOW:
            return '((" "))'
        case StepKind.SUBFLOW_END:
            return f'(("{_escaped(">") if step.merge else " "}"))'
        case StepKind.LITERAL:
            return f'[/"{_escaped(_cut(json.dumps(step.value, ensure_ascii=False)))}"/]'
        case StepKind.RESOURCE:
            return f'[("{_label(step)}")]'
    return f'["{_label(step)}"]'


def _label(step: Step) -> str:
    marks = [mark for mark, is_set in ((">", step.merge), ("*", step.iterate)) if is_set]
    name = _escaped(" ".join([*marks, step.name or _cut(step.uri)]).strip())
    if step.guard is None:
        return name
    guard = _escaped("? " + " ".join(step.guard.split()))
    return f"{name}<br>{guard}" if name else guard


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _escaped(text: str) -> str:
    """What could end a label, begin markup or be taken for an entity, as mermaid's `#number;`."""
    return _UNSAFE.sub(lambda char: f"#{ord(char[0])};", text)
