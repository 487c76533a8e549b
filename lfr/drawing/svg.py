"""Flow -> SVG: one picture that stands for itself, light or dark as its reader has it; no script, no font.

With the states of steps it is a picture of a workflow: each state has a colour and a sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from itertools import pairwise
from typing import Final

from lfr.drawing.labels import label_lines, task_doc
from lfr.drawing.layout import Places, Rectangle, place
from lfr.flow import Flow, Step, StepKind
from lfr.states import StepState

_MARGIN: Final = 16.0
_LINE: Final = 16.0
_BACK: Final = 28.0
"""How far outside edges run that lead back."""

_CIRCLE: Final = 14.0
_PADDING: Final = 12.0

_NARROW: Final = frozenset("fijltrI.,:;|!'()[]{} ")
_WIDE: Final = frozenset("mwMW@%→…")

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (section 2.2)."""

_UNSEEN: Final = "\N{REPLACEMENT CHARACTER}"

_SIGNS: Final = {
    StepState.PENDING: "",
    StepState.RUNNING: "▶",
    StepState.DONE: "✓",
    StepState.SKIPPED: "↷",
    StepState.FAILED: "✕",
}

_STYLE: Final = """
svg{font:13px ui-sans-serif,system-ui,sans-serif;
--line:#8b949e;--text:#1f2328;--node:#fff;--frame:#6e77811a;--page:#fff}
rect,path,circle,ellipse{stroke:var(--line);stroke-width:1.2;fill:var(--node)}
text{fill:var(--text);text-anchor:middle;dominant-baseline:central}
.guard,.caption{fill:var(--line);font-size:11px}
.frame{fill:var(--frame);stroke-dasharray:4 3} .edge{fill:none}
.label{paint-order:stroke;stroke:var(--page);stroke-width:4} .left{text-anchor:start}
.page{fill:var(--page);stroke:none} .head{fill:var(--line);stroke:none}
.end rect{rx:16px} .literal path{fill:var(--node)}
.PENDING{opacity:.62} .RUNNING rect,.RUNNING path{stroke:#0969da;stroke-width:2.4}
.DONE rect,.DONE path,.DONE circle{stroke:#1a7f37;stroke-width:2}
.SKIPPED rect,.SKIPPED path{stroke-dasharray:3 3} .FAILED rect,.FAILED path{stroke:#cf222e;stroke-width:2.6}
@media(prefers-color-scheme:dark){svg{--text:#e6edf3;--node:#161b22;--frame:#6e76811f;--page:#0d1117}}
"""


def to_svg(
    flow: Flow,
    *,
    vertical: bool = False,
    docs: bool = True,
    states: Mapping[int, StepState] | None = None,
) -> str:
    """The flow as an SVG document, from left to right or, if `vertical`, from top to bottom.

    With `docs`, the flow's own stands below it, and those of its tasks where a pointer rests. `states` by
    index make it the picture of a workflow.
    """
    sizes = {step.index: _size(step) for step in flow.steps}
    labels = {step.index: _width(_label(step)) for step in flow.steps if step.kind is StepKind.SUBFLOW}
    places = place(flow, sizes, labels, vertical=vertical)
    caption = flow.doc.splitlines() if docs else []
    return "\n".join(_lines(flow, places, caption, vertical, docs, states or {})) + "\n"


def _lines(
    flow: Flow,
    places: Places,
    caption: list[str],
    vertical: bool,
    docs: bool,
    states: Mapping[int, StepState],
) -> Iterator[str]:
    back = _BACK if any(target <= source for source, target in flow.edges) else 0.0
    margin = _MARGIN + back
    width = max([places.width, *map(_width, caption)]) + 2 * margin
    height = places.height + 2 * margin + _LINE * len(caption)
    box = f'viewBox="{-margin:g} {-margin:g} {width:.0f} {height:.0f}"'
    extent = f'width="{width:.0f}" height="{height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {box} {extent} role="img">'
    yield f"<title>{_text(flow.name or 'flow')}</title><style>{_STYLE}</style>"
    yield '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    yield ' orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>'
    yield f'<rect class="page" x="{-margin:g}" y="{-margin:g}" {extent}/>'
    for frame in places.frames.values():
        yield f'<rect class="frame" rx="10" {_box(frame)}/>'
    for edge, points in places.edges.items():
        is_back = edge[1] <= edge[0]
        path = _around(places, points, vertical) if is_back else _curve(points, vertical)
        yield f'<path class="edge" marker-end="url(#head)" d="{path}"/>'
    for index, frame in places.frames.items():
        yield from _frame_label(flow.steps[index], frame, vertical)
    for step in flow.steps:
        yield from _node(step, places.steps[step.index], task_doc(flow, step) if docs else "", states)
    for number, line in enumerate(caption):
        y = places.height + back + _LINE * (number + 1)
        yield f'<text class="caption" x="{places.width / 2:.1f}" y="{y:.1f}">{_text(line)}</text>'
    yield "</svg>"


def _frame_label(step: Step, at: Rectangle, vertical: bool) -> Iterator[str]:
    """What is written at the top of a frame: beside the edge that comes in there, if there is room."""
    if label := _label(step):
        x, classes = (at.x + 10, "guard label left") if vertical else (at.x + at.width / 2, "guard label")
        yield f'<text class="{classes}" x="{x:.1f}" y="{at.y + 12:.1f}">{_text(label)}</text>'


def _node(step: Step, at: Rectangle, doc: str, states: Mapping[int, StepState]) -> Iterator[str]:
    state = states.get(step.index)
    classes = " ".join([step.kind.value, *([state.value] if state else [])])
    yield f'<g class="{classes}">'
    if doc or state:
        told = ": ".join(
            part for part in (f"{step.name} {state.value if state else ''}".strip(), doc) if part
        )
        yield f"<title>{_text(told)}</title>"
    yield _shape(step, at)
    lines = [] if step.kind in (StepKind.SUBFLOW, StepKind.SUBFLOW_END) else label_lines(step)
    if lines and state and _SIGNS[state]:
        lines[0] = f"{_SIGNS[state]} {lines[0]}"
    top = at.y + at.height / 2 - _LINE * (len(lines) - 1) / 2
    for number, line in enumerate(lines):
        kind = ' class="guard"' if number else ""
        yield f'<text{kind} x="{at.x + at.width / 2:.1f}" y="{top + _LINE * number:.1f}">{_text(line)}</text>'
    yield "</g>"


def _shape(step: Step, at: Rectangle) -> str:
    middle = at.y + at.height / 2
    match step.kind:
        case StepKind.START | StepKind.END:
            return f'<rect rx="{at.height / 2:.1f}" {_box(at)}/>'
        case StepKind.SUBFLOW | StepKind.SUBFLOW_END:
            return f'<circle cx="{at.x + at.width / 2:.1f}" cy="{middle:.1f}" r="{at.width / 2 - 2:.1f}"/>'
        case StepKind.LITERAL:
            x, y, right, bottom = at.x, at.y, at.x + at.width, at.y + at.height
            return f'<path d="M{x + 8:.1f} {y:.1f}H{right:.1f}L{right - 8:.1f} {bottom:.1f}H{x:.1f}z"/>'
        case StepKind.RESOURCE:
            return f'<rect rx="2" stroke-dasharray="1 2" {_box(at)}/>'
    return f'<rect rx="6" {_box(at)}/>'


def _curve(points: tuple[tuple[float, float], ...], vertical: bool) -> str:
    """A path through the points that leaves and arrives along the flow's direction."""
    told = "M{:.1f} {:.1f}".format(*points[0])
    for (x, y), (to_x, to_y) in pairwise(points):
        if vertical:
            half = (to_y - y) / 2
            told += f"C{x:.1f} {y + half:.1f} {to_x:.1f} {to_y - half:.1f} {to_x:.1f} {to_y:.1f}"
        else:
            half = (to_x - x) / 2
            told += f"C{x + half:.1f} {y:.1f} {to_x - half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return told


def _around(places: Places, points: tuple[tuple[float, float], ...], vertical: bool) -> str:
    """An edge that leads back: out of one node, along the border of the picture, and into the other."""
    (x, y), (to_x, to_y) = points[0], points[-1]
    bow = _BACK
    if vertical:
        side = places.width + bow
        return (
            f"M{x:.1f} {y:.1f}C{x:.1f} {y + bow:.1f} {side:.1f} {y + bow:.1f} {side:.1f} {y:.1f}"
            f"V{to_y:.1f}C{side:.1f} {to_y - bow:.1f} {to_x:.1f} {to_y - bow:.1f} {to_x:.1f} {to_y:.1f}"
        )
    side = places.height + bow
    return (
        f"M{x:.1f} {y:.1f}C{x + bow:.1f} {y:.1f} {x + bow:.1f} {side:.1f} {x:.1f} {side:.1f}"
        f"H{to_x:.1f}C{to_x - bow:.1f} {side:.1f} {to_x - bow:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    )


def _size(step: Step) -> tuple[float, float]:
    if step.kind in (StepKind.SUBFLOW, StepKind.SUBFLOW_END):
        return _CIRCLE, _CIRCLE
    lines = label_lines(step)
    width = (
        max(map(_width, lines), default=20.0)
        + 2 * _PADDING
        + (16.0 if step.kind is StepKind.LITERAL else 0.0)
    )
    return width + 14.0, _LINE * max(1, len(lines)) + 14.0


def _label(step: Step) -> str:
    return "  ".join(label_lines(step))


def _width(text: str) -> float:
    """About how wide a text is drawn: fonts differ, so there is some room in it."""
    return sum(map(_width_of_char, text))


def _width_of_char(char: str) -> float:
    if char in _NARROW:
        return 4.4
    return 11.5 if char in _WIDE or ord(char) > 0x1100 else 7.6


def _box(at: Rectangle) -> str:
    return f'x="{at.x:.1f}" y="{at.y:.1f}" width="{at.width:.1f}" height="{at.height:.1f}"'


def _text(text: str) -> str:
    """A text as XML, whatever it holds. What turns the direction of writing is shown, not obeyed."""
    shown = (char if char.isprintable() or char == "\n" else _UNSEEN for char in text)
    return escape(_NOT_IN_XML.sub(_UNSEEN, "".join(shown)))
