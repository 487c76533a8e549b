"""Computes where each step of a flow is drawn: layers from left to right, subflows as boxes within.

A subflow is laid out first, by itself, and then becomes one large node of the scope around it, so its box
never overlaps a step that is not inside it. In a scope, the layer of a node is its longest path from the
start. An edge that spans several layers gets a lane in each of them, which keeps it off the nodes. The
order within a layer follows from the mean position of the neighbours, in a few sweeps. (Sugiyama's method)

The console has a layout of its own in JavaScript: it runs in the browser, adapts to the browser's fonts,
and uses dagre. This one draws an SVG on a machine that has neither a browser nor Node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lfr.flow import Edge, Flow, StepKind

LAYER_GAP: Final = 44.0
NODE_GAP: Final = 16.0
FRAME: Final = 14.0
"""The distance between the frame of a subflow and its content; a label adds `LABEL_HEIGHT` above."""

LABEL_HEIGHT: Final = 18.0
_LANE_HEIGHT: Final = 8.0
_SWEEPS: Final = 4
_MAX_LANES: Final = 200_000

Point: TypeAlias = tuple[float, float]
Size: TypeAlias = tuple[float, float]
"""Width and height."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Left, top, width and height, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The positions of all parts of a drawing.

    steps   by index: the rectangle of the step; for a subflow, of the circle at its start
    frames  by the index of a subflow: the frame around all of it
    edges   by edge: the points of its path, from the border of one step to that of the other; only these
            two points if it leads back
    """

    width: float
    height: float
    steps: Mapping[int, Rectangle]
    frames: Mapping[int, Rectangle]
    edges: Mapping[Edge, tuple[Point, ...]]


Node: TypeAlias = int
"""In a scope: the index of a step, the index of a nested subflow's start, or below -1 a lane."""


@dataclass(slots=True)
class _ScopeLayout:
    """The layout of one scope; positions are relative to its top left corner.

    lanes  by edge: the points of its lanes
    spans  by edge: where the layer of its source ends and that of its target begins; it bends in between
    """

    width: float = 0.0
    height: float = 0.0
    steps: dict[int, Rectangle] = field(default_factory=dict)
    frames: dict[int, Rectangle] = field(default_factory=dict)
    lanes: dict[Edge, list[Point]] = field(default_factory=dict)
    spans: dict[Edge, tuple[float, float]] = field(default_factory=dict)

    def insert(self, inner: _ScopeLayout, x: float, y: float) -> None:
        """Add the content of another scope with its top left corner at this point."""
        for target, source in ((self.steps, inner.steps), (self.frames, inner.frames)):
            for index, box in source.items():
                target[index] = Rectangle(box.x + x, box.y + y, box.width, box.height)
        for edge, points in inner.lanes.items():
            self.lanes[edge] = [(left + x, top + y) for left, top in points]
        for edge, (begin, end) in inner.spans.items():
            self.spans[edge] = (begin + x, end + x)


def lay_out(
    flow: Flow, sizes: Mapping[int, Size], label_widths: Mapping[int, float], *, vertical: bool
) -> Layout:
    """Compute the layout of a flow, from left to right or, if `vertical`, from top to bottom.

    `sizes` holds the size of each step, `label_widths` the width of the label of each subflow's frame.
    """
    if not vertical:
        return _lay_out_flow(flow, sizes, label_widths, vertical=False)
    transposed = {index: (height, width) for index, (width, height) in sizes.items()}
    return _transpose(_lay_out_flow(flow, transposed, label_widths, vertical=True))


def _transpose(layout: Layout) -> Layout:
    def transpose(box: Rectangle) -> Rectangle:
        return Rectangle(box.y, box.x, box.height, box.width)

    return Layout(
        layout.height,
        layout.width,
        {index: transpose(box) for index, box in layout.steps.items()},
        {index: transpose(box) for index, box in layout.frames.items()},
        {edge: tuple((y, x) for x, y in points) for edge, points in layout.edges.items()},
    )


def _lay_out_flow(
    flow: Flow, sizes: Mapping[int, Size], label_widths: Mapping[int, float], *, vertical: bool
) -> Layout:
    scope_of, parent_of = _scopes(flow)
    nodes: dict[int, list[Node]] = defaultdict(list)
    for step in flow.steps:
        nodes[scope_of[step.index]].append(step.index)
        if step.kind is StepKind.SUBFLOW:
            nodes[parent_of[step.index]].append(step.index)
    edges: dict[int, list[Edge]] = defaultdict(list)
    for source, target in flow.edges:
        leaves = flow.steps[source].kind is StepKind.SUBFLOW_END
        scope = parent_of[scope_of[source]] if leaves else scope_of[source]
        edges[scope].append((source, target))
    boxes: dict[int, _ScopeLayout] = {}
    for step in reversed(flow.steps):  # inner subflows first: they begin later
        if step.kind is StepKind.SUBFLOW:
            inner = _lay_out_scope(step.index, nodes[step.index], edges[step.index], sizes, boxes, scope_of)
            label_width = label_widths.get(step.index, 0.0)
            boxes[step.index] = _framed(inner, step.index, label_width, vertical=vertical)
    whole = _lay_out_scope(-1, nodes[-1], edges[-1], sizes, boxes, scope_of)
    paths = {edge: _path(whole, *edge) for edge in flow.edges}
    return Layout(whole.width, whole.height, whole.steps, whole.frames, paths)


def _scopes(flow: Flow) -> tuple[list[int], dict[int, int]]:
    """Return the scope of each step, and the scope around each subflow, by index.

    A scope is -1 for the flow, or a subflow's index; the start and end of a subflow are in its own scope.
    """
    scope_of: list[int] = []
    parent_of: dict[int, int] = {}
    open_scopes = [-1]
    for step in flow.steps:
        if step.kind is StepKind.SUBFLOW:
            parent_of[step.index] = open_scopes[-1]
            open_scopes.append(step.index)
        scope_of.append(open_scopes[-1])
        if step.kind is StepKind.SUBFLOW_END:
            open_scopes.pop()
    return scope_of, parent_of


def _lay_out_scope(
    scope: int,
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    sizes: Mapping[int, Size],
    boxes: Mapping[int, _ScopeLayout],
    scope_of: Sequence[int],
) -> _ScopeLayout:

    def node_of(step: int) -> Node:
        return step if scope_of[step] == scope else scope_of[step]

    def size(node: Node) -> Size:
        if node < -1:
            return 0.0, _LANE_HEIGHT
        box = boxes.get(node)
        return (box.width, box.height) if box else sizes[node]

    layers = _Layers(nodes, [(edge, node_of(edge[0]), node_of(edge[1])) for edge in edges])
    columns = layers.ordered()
    layout = _ScopeLayout()
    tops = _tops(columns, layers, {node: size(node)[1] for column in columns for node in column})
    x = 0.0
    borders: list[tuple[float, float]] = []
    for column in columns:
        width = max((size(node)[0] for node in column), default=0.0)
        borders.append((x, x + width))
        for node in column:
            own_width, height = size(node)
            left, top = x + (width - own_width) / 2, tops[node]
            if node < -1:
                lane = layout.lanes.setdefault(layers.lane_of[node], [])
                lane += ((x, top + height / 2), (x + width, top + height / 2))
            elif node in boxes:
                layout.insert(boxes[node], left, top)
            else:
                layout.steps[node] = Rectangle(left, top, own_width, height)
        x += width + LAYER_GAP
        layout.height = max([layout.height, *(tops[node] + size(node)[1] for node in column)])
    layout.width = max(0.0, x - LAYER_GAP)
    for edge in edges:
        source, target = layers.layer[node_of(edge[0])], layers.layer[node_of(edge[1])]
        layout.spans[edge] = (borders[source][1], borders[target][0])
    return layout


def _framed(inner: _ScopeLayout, index: int, label_width: float, *, vertical: bool) -> _ScopeLayout:
    """Put a frame around a scope, with room for the label above.

    A vertical layout is transposed later: room at the left becomes room above.
    """
    before = FRAME + (LABEL_HEIGHT if label_width else 0.0)
    if vertical:
        framed = _ScopeLayout(inner.width + before + FRAME, max(inner.height, label_width) + 2 * FRAME)
        framed.insert(inner, before, FRAME + max(0.0, label_width - inner.height) / 2)
    else:
        framed = _ScopeLayout(max(inner.width, label_width) + 2 * FRAME, inner.height + before + FRAME)
        framed.insert(inner, FRAME + max(0.0, label_width - inner.width) / 2, before)
    framed.frames[index] = Rectangle(0.0, 0.0, framed.width, framed.height)
    return framed


class _Layers:
    """The nodes of a scope by layer, with lanes in layers that an edge only passes."""

    def __init__(self, nodes: Sequence[Node], edges: Sequence[tuple[Edge, Node, Node]]) -> None:
        forward = [each for each in edges if each[2] > each[1]]  # the others lead back
        self.nodes = nodes
        self.before: dict[Node, list[Node]] = {node: [] for node in nodes}
        self.after: dict[Node, list[Node]] = {node: [] for node in nodes}
        self.lane_of: dict[Node, Edge] = {}
        self.layer: dict[Node, int] = dict.fromkeys(nodes, 0)
        for _, source, target in sorted(forward, key=lambda each: each[1]):  # those into a node come first
            self.layer[target] = max(self.layer[target], self.layer[source] + 1)
        self.layer[max(nodes)] = max(self.layer.values())  # the end of a scope is in its last layer
        for edge, source, target in forward:
            self._connect(edge, source, target)

    def _connect(self, edge: Edge, source: Node, target: Node) -> None:
        first, last = self.layer[source], self.layer[target]
        if len(self.lane_of) + last - first > _MAX_LANES:
            last = first + 1
        before = source
        for between in range(first + 1, last):
            lane = -2 - len(self.lane_of)
            self.lane_of[lane] = edge
            self.layer[lane] = between
            self.before[lane], self.after[lane] = [], []
            self._join(before, lane)
            before = lane
        self._join(before, target)

    def _join(self, source: Node, target: Node) -> None:
        self.after[source].append(target)
        self.before[target].append(source)

    def ordered(self) -> list[list[Node]]:
        """Return the nodes of each layer, from top to bottom.

        The first order is that of the text, with lanes between the ends of their edges.
        """
        rank = {node: float(node) for node in self.nodes}
        for lane, (source, target) in self.lane_of.items():
            rank[lane] = (source + target) / 2
        columns: list[list[Node]] = [[] for _ in range(max(self.layer.values()) + 1)]
        for node in sorted(rank, key=lambda node: (rank[node], node)):
            columns[self.layer[node]].append(node)
        for sweep in range(_SWEEPS):
            neighbours = self.before if sweep % 2 == 0 else self.after
            for column in columns if sweep % 2 == 0 else reversed(columns):
                self._sort(column, neighbours, columns)
        return columns

    def _sort(
        self, column: list[Node], neighbours: Mapping[Node, list[Node]], columns: Sequence[Sequence[Node]]
    ) -> None:
        rank: dict[Node, float] = {}
        for layer in {self.layer[each] for node in column for each in neighbours[node]}:
            last = max(1, len(columns[layer]) - 1)
            rank.update({node: number / last for number, node in enumerate(columns[layer])})
        old = {node: number / max(1, len(column) - 1) for number, node in enumerate(column)}
        column.sort(key=lambda node: _mean([rank[each] for each in neighbours[node]], old[node]))


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _tops(
    columns: Sequence[Sequence[Node]], layers: _Layers, heights: Mapping[Node, float]
) -> dict[Node, float]:
    """Return the top of each node, as near to its neighbours as the order allows."""
    tops: dict[Node, float] = {}
    totals = [sum(heights[node] + NODE_GAP for node in column) for column in columns]
    for column, total in zip(columns, totals, strict=True):
        y = (max(totals) - total) / 2
        for node in column:
            tops[node] = y
            y += heights[node] + NODE_GAP
    for sweep in range(_SWEEPS):
        neighbours = layers.before if sweep % 2 == 0 else layers.after
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            _align_column(column, neighbours, tops, heights)
    least = min(tops.values(), default=0.0)
    return {node: top - least for node, top in tops.items()}


def _align_column(
    column: Sequence[Node],
    neighbours: Mapping[Node, list[Node]],
    tops: dict[Node, float],
    heights: Mapping[Node, float],
) -> None:
    """Move the nodes of a layer towards their neighbours without overlap; runs of touching nodes move as one.

    (The pool adjacent violators algorithm)
    """
    runs: list[tuple[float, int, float]] = []  # the ideal top, the number of nodes, the height
    for node in column:
        current = tops[node] + heights[node] / 2
        middle = _mean([tops[each] + heights[each] / 2 for each in neighbours[node]], current)
        ideal, count, height = middle - heights[node] / 2, 1, heights[node] + NODE_GAP
        while runs and runs[-1][0] + runs[-1][2] > ideal:
            ideal_above, count_above, height_above = runs.pop()
            weighted = ideal_above * count_above + (ideal - height_above) * count
            ideal = weighted / (count_above + count)
            count, height = count_above + count, height + height_above
        runs.append((ideal, count, height))
    remaining = iter(column)
    for top, count, _ in runs:
        y = top
        for _ in range(count):
            node = next(remaining)
            tops[node] = y
            y += heights[node] + NODE_GAP


def _path(whole: _ScopeLayout, source: int, target: int) -> tuple[Point, ...]:
    one, other = whole.steps[source], whole.steps[target]
    begin = (one.x + one.width, one.y + one.height / 2)
    end = (other.x, other.y + other.height / 2)
    if target <= source:
        return (begin, end)
    bend, straighten = whole.spans[source, target]
    lanes = whole.lanes.get((source, target), ())
    between = ((bend, begin[1]), *lanes, (straighten, end[1]))
    return (begin, *(point for point in between if not _meet(point, begin) and not _meet(point, end)), end)


def _meet(one: Point, other: Point) -> bool:
    """Return whether points coincide: a curve between them gives an arrow no direction."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) < 1
