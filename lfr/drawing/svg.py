"""Draws a flow as a self-contained SVG without scripts and fonts, light or dark as the reader prefers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from typing import Final

from lfr.drawing.labels import label_lines, task_doc
from lfr.drawing.layout import Layout, Point, Rectangle, Size, lay_out
from lfr.flow import Flow, Step, StepKind

_MARGIN: Final = 16.0
_LINE_HEIGHT: Final = 16.0
_BACK_MARGIN: Final = 28.0
"""The distance of edges that lead back from the rest of the picture."""

_CIRCLE: Final = 14.0
_PADDING: Final = 12.0

_NARROW_CHARS: Final = frozenset("fijltrI.,:;|!'()[]{} ")
_WIDE_CHARS: Final = frozenset("mwMW@%→…")

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow. (Section 2.2)"""

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

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
@media(prefers-color-scheme:dark){svg{--text:#e6edf3;--node:#161b22;--frame:#6e76811f;--page:#0d1117}}
"""


def to_svg(flow: Flow, *, vertical: bool = False, docs: bool = True) -> str:
    """Return the flow as an SVG document, from left to right or, if `vertical`, from top to bottom.

    With `docs`, the flow's documentation is a caption, and that of its tasks becomes tooltips.
    """
    return "\n".join(_lines(flow, vertical, docs)) + "\n"


def _lines(flow: Flow, vertical: bool, docs: bool) -> Iterator[str]:
    sizes = {step.index: _size(step) for step in flow.steps}
    subflows = (step for step in flow.steps if step.kind is StepKind.SUBFLOW)
    label_widths = {step.index: _text_width(_frame_text(step)) for step in subflows}
    layout = lay_out(flow, sizes, label_widths, vertical=vertical)
    caption = flow.doc.splitlines() if docs else []
    back_margin = _BACK_MARGIN if any(target <= source for source, target in flow.edges) else 0.0
    margin = _MARGIN + back_margin
    width = max([layout.width, *map(_text_width, caption)]) + 2 * margin
    height = layout.height + 2 * margin + _LINE_HEIGHT * len(caption)
    view_box = f'viewBox="{-margin:g} {-margin:g} {width:.0f} {height:.0f}"'
    extent = f'width="{width:.0f}" height="{height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {view_box} {extent} role="img">'
    yield f"<title>{_text(flow.name or 'flow')}</title><style>{_STYLE}</style>"
    yield '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    yield ' orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>'
    yield f'<rect class="page" x="{-margin:g}" y="{-margin:g}" {extent}/>'
    for frame in layout.frames.values():
        yield f'<rect class="frame" rx="10" {_attributes(frame)}/>'
    for edge, points in layout.edges.items():
        is_back = edge[1] <= edge[0]
        path = _back_path(layout, points, vertical) if is_back else _curve(points, vertical)
        yield f'<path class="edge" marker-end="url(#head)" d="{path}"/>'
    for index, frame in layout.frames.items():
        yield from _frame_label(flow.steps[index], frame, vertical)
    for step in flow.steps:
        yield from _node(step, layout.steps[step.index], task_doc(flow, step) if docs else "")
    for number, line in enumerate(caption):
        y = layout.height + back_margin + _LINE_HEIGHT * (number + 1)
        yield f'<text class="caption" x="{layout.width / 2:.1f}" y="{y:.1f}">{_text(line)}</text>'
    yield "</svg>"


def _frame_label(step: Step, box: Rectangle, vertical: bool) -> Iterator[str]:
    """Draw the label at the top of a frame; if vertical, left of the edge into it."""
    if label := _frame_text(step):
        x, classes = (box.x + 10, "guard label left") if vertical else (box.x + box.width / 2, "guard label")
        yield f'<text class="{classes}" x="{x:.1f}" y="{box.y + 12:.1f}">{_text(label)}</text>'


def _node(step: Step, box: Rectangle, doc: str) -> Iterator[str]:
    yield f'<g class="{step.kind.value}">'
    if doc:
        yield f"<title>{_text(f'{step.name}: {doc}')}</title>"
    yield _shape(step, box)
    lines = [] if step.kind in (StepKind.SUBFLOW, StepKind.SUBFLOW_END) else label_lines(step)
    x = box.x + box.width / 2
    top = box.y + box.height / 2 - _LINE_HEIGHT * (len(lines) - 1) / 2
    for number, line in enumerate(lines):
        attribute = ' class="guard"' if number else ""
        yield f'<text{attribute} x="{x:.1f}" y="{top + _LINE_HEIGHT * number:.1f}">{_text(line)}</text>'
    yield "</g>"


def _shape(step: Step, box: Rectangle) -> str:
    middle = box.y + box.height / 2
    match step.kind:
        case StepKind.START | StepKind.END:
            return f'<rect rx="{box.height / 2:.1f}" {_attributes(box)}/>'
        case StepKind.SUBFLOW | StepKind.SUBFLOW_END:
            return f'<circle cx="{box.x + box.width / 2:.1f}" cy="{middle:.1f}" r="{box.width / 2 - 2:.1f}"/>'
        case StepKind.LITERAL:
            x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
            return f'<path d="M{x + 8:.1f} {y:.1f}H{right:.1f}L{right - 8:.1f} {bottom:.1f}H{x:.1f}z"/>'
        case StepKind.RESOURCE:
            return f'<rect rx="2" stroke-dasharray="1 2" {_attributes(box)}/>'
    return f'<rect rx="6" {_attributes(box)}/>'


def _curve(points: tuple[Point, ...], vertical: bool) -> str:
    """Return a path through the points that begins and ends in the direction of the flow."""
    path = "M{:.1f} {:.1f}".format(*points[0])
    for (x, y), (to_x, to_y) in pairwise(points):
        right, down = (0.0, (to_y - y) / 2) if vertical else ((to_x - x) / 2, 0.0)
        path += f"C{x + right:.1f} {y + down:.1f} {to_x - right:.1f} {to_y - down:.1f} {to_x:.1f} {to_y:.1f}"
    return path


def _back_path(layout: Layout, points: tuple[Point, ...], vertical: bool) -> str:
    """Return the path of an edge that leads back: along the border of the picture."""
    (x, y), (to_x, to_y) = points[0], points[-1]
    bow = _BACK_MARGIN
    if vertical:
        side = layout.width + bow
        return (
            f"M{x:.1f} {y:.1f}C{x:.1f} {y + bow:.1f} {side:.1f} {y + bow:.1f} {side:.1f} {y:.1f}"
            f"V{to_y:.1f}C{side:.1f} {to_y - bow:.1f} {to_x:.1f} {to_y - bow:.1f} {to_x:.1f} {to_y:.1f}"
        )
    side = layout.height + bow
    return (
        f"M{x:.1f} {y:.1f}C{x + bow:.1f} {y:.1f} {x + bow:.1f} {side:.1f} {x:.1f} {side:.1f}"
        f"H{to_x:.1f}C{to_x - bow:.1f} {side:.1f} {to_x - bow:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    )


def _size(step: Step) -> Size:
    if step.kind in (StepKind.SUBFLOW, StepKind.SUBFLOW_END):
        return _CIRCLE, _CIRCLE
    lines = label_lines(step)
    slant = 16.0 if step.kind is StepKind.LITERAL else 0.0
    width = max(map(_text_width, lines), default=20.0) + 2 * _PADDING + slant
    return width + 14.0, _LINE_HEIGHT * max(1, len(lines)) + 14.0


def _frame_text(step: Step) -> str:
    return "  ".join(label_lines(step))


def _text_width(text: str) -> float:
    """Estimate the width of a text, with some room because fonts differ."""
    return sum(map(_char_width, text))


def _char_width(char: str) -> float:
    if char in _NARROW_CHARS:
        return 4.4
    return 11.5 if char in _WIDE_CHARS or ord(char) > 0x1100 else 7.6


def _attributes(box: Rectangle) -> str:
    return f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'


def _text(text: str) -> str:
    """Escape a text for XML; replace what is not printable, as marks of direction."""
    chars = (char if char.isprintable() or char == "\n" else _REPLACEMENT for char in text)
    return escape(_NOT_IN_XML.sub(_REPLACEMENT, "".join(chars)))
