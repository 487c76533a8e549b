"""Flow -> where each step is drawn: layers from left to right, subflows as boxes within.

A subflow is laid out first, by itself, and then is one large node of the scope that it stands in; so no
box ever meets a step that is not inside it. In a scope, a node's layer is its longest way from the start;
edges that pass over layers get places of their own in each, so that they pass between the nodes. The order
within a layer follows from the neighbours, by their mean, in a few sweeps. (Sugiyama's method)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lfr.flow import Flow, StepKind

BETWEEN_LAYERS: Final = 44.0
BETWEEN_NODES: Final = 16.0
FRAME: Final = 14.0
"""Between a subflow's frame and what is inside; the label of the frame has `LABEL` more above."""

LABEL: Final = 18.0
_LANE: Final = 8.0
_SWEEPS: Final = 4
_MOST_LANES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place: left, top, width, height, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is drawn.

    steps   by index: the step itself; of a subflow its start
    frames  by the index of a subflow: the frame around it
    edges   each with the points that it passes, from the edge of one node to that of another
    """

    width: float
    height: float
    steps: Mapping[int, Rectangle]
    frames: Mapping[int, Rectangle]
    edges: Mapping[tuple[int, int], tuple[tuple[float, float], ...]]


Node: TypeAlias = int
"""In a scope: a step by its index, a subflow that stands in it by that of its start, a lane below -1."""


@dataclass(slots=True)
class _Scope:
    """A scope that has been laid out: places within it, from its own corner."""

    width: float = 0.0
    height: float = 0.0
    steps: dict[int, Rectangle] = field(default_factory=dict)
    frames: dict[int, Rectangle] = field(default_factory=dict)
    lanes: dict[tuple[int, int], list[tuple[float, float]]] = field(default_factory=dict)
    spans: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    """By edge: where the layer of its source ends, and where that of its target begins: it bends between."""

    def take(self, inner: _Scope, x: float, y: float) -> None:
        """All that is in another scope, with its corner at this place."""
        for into, places in ((self.steps, inner.steps), (self.frames, inner.frames)):
            for index, place in places.items():
                into[index] = Rectangle(place.x + x, place.y + y, place.width, place.height)
        for edge, points in inner.lanes.items():
            self.lanes[edge] = [(left + x, top + y) for left, top in points]
        for edge, (begin, end) in inner.spans.items():
            self.spans[edge] = (begin + x, end + x)


def place(
    flow: Flow,
    sizes: Mapping[int, tuple[float, float]],
    labels: Mapping[int, float],
    *,
    vertical: bool = False,
) -> Places:
    """Where the steps of a flow are drawn: from left to right, or from top to bottom.

    `sizes` are the width and height of each step; `labels` the widths of what is written at the top of the
    frames of subflows.
    """
    if not vertical:
        return _place(flow, sizes, labels, vertical=False)
    turned = {index: (height, width) for index, (width, height) in sizes.items()}
    return _turned(_place(flow, turned, labels, vertical=True))


def _turned(places: Places) -> Places:
    """The same with right and down exchanged."""

    def turn(place: Rectangle) -> Rectangle:
        return Rectangle(place.y, place.x, place.height, place.width)

    return Places(
        places.height,
        places.width,
        {index: turn(place) for index, place in places.steps.items()},
        {index: turn(place) for index, place in places.frames.items()},
        {edge: tuple((y, x) for x, y in points) for edge, points in places.edges.items()},
    )


def _place(
    flow: Flow, sizes: Mapping[int, tuple[float, float]], labels: Mapping[int, float], *, vertical: bool
) -> Places:
    scope_of, around = _scopes(flow)
    nodes: dict[int, list[Node]] = defaultdict(list)
    for step in flow.steps:
        nodes[scope_of[step.index]].append(step.index)
        if step.kind is StepKind.SUBFLOW:
            nodes[around[step.index]].append(step.index)
    edges: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for source, target in flow.edges:
        leaves = flow.steps[source].kind is StepKind.SUBFLOW_END
        scope = around[scope_of[source]] if leaves else scope_of[source]
        edges[scope].append((source, target))
    boxes: dict[int, _Scope] = {}
    for step in reversed(flow.steps):  # the innermost first: they begin last
        if step.kind is StepKind.SUBFLOW:
            laid = _lay_out(step.index, nodes[step.index], edges[step.index], sizes, boxes, scope_of)
            label = labels.get(step.index, 0.0)
            boxes[step.index] = (
                _framed_to_turn(laid, step.index, label) if vertical else _framed(laid, step.index, label)
            )
    whole = _lay_out(-1, nodes[-1], edges[-1], sizes, boxes, scope_of)
    paths = {edge: _path(whole, *edge) for edge in flow.edges}
    return Places(whole.width, whole.height, whole.steps, whole.frames, paths)


def _scopes(flow: Flow) -> tuple[list[int], dict[int, int]]:
    """By index: the subflow that a step stands in, its own start and end among them, or -1; and by subflow:
    the one around it, or -1."""
    scope_of: list[int] = []
    around: dict[int, int] = {}
    open_ = [-1]
    for step in flow.steps:
        if step.kind is StepKind.SUBFLOW:
            around[step.index] = open_[-1]
            open_.append(step.index)
        scope_of.append(open_[-1])
        if step.kind is StepKind.SUBFLOW_END:
            open_.pop()
    return scope_of, around


def _lay_out(
    scope: int,
    nodes: Sequence[Node],
    edges: Sequence[tuple[int, int]],
    sizes: Mapping[int, tuple[float, float]],
    boxes: Mapping[int, _Scope],
    scope_of: Sequence[int],
) -> _Scope:
    """The nodes of one scope in layers, and what is inside of them."""

    def node(step: int) -> Node:
        return step if scope_of[step] == scope else scope_of[step]

    def size(node: Node) -> tuple[float, float]:
        if node < -1:
            return 0.0, _LANE
        box = boxes.get(node)
        return (box.width, box.height) if box else sizes[node]

    layers = _Layers(nodes, [(edge, node(edge[0]), node(edge[1])) for edge in edges])
    columns = layers.ordered()
    laid = _Scope()
    tops = _tops(columns, layers, {each: size(each)[1] for column in columns for each in column})
    x = 0.0
    borders: list[tuple[float, float]] = []
    for column in columns:
        width = max((size(each)[0] for each in column), default=0.0)
        borders.append((x, x + width))
        for each in column:
            own, height = size(each) if each >= -1 else (width, _LANE)
            left = x + (width - own) / 2
            _put(laid, layers, boxes, each, Rectangle(left, tops[each], own, height))
        x += width + BETWEEN_LAYERS
        laid.height = max([laid.height, *(tops[each] + size(each)[1] for each in column)])
    laid.width = max(0.0, x - BETWEEN_LAYERS)
    for edge in edges:
        source, target = layers.layer[node(edge[0])], layers.layer[node(edge[1])]
        laid.spans[edge] = (borders[source][1], borders[target][0])
    return laid


def _put(laid: _Scope, layers: _Layers, boxes: Mapping[int, _Scope], node: Node, at: Rectangle) -> None:
    if node < -1:
        middle = at.y + at.height / 2
        lane = laid.lanes.setdefault(layers.lane_of[node], [])
        lane += ((at.x, middle), (at.x + at.width, middle))
    elif node in boxes:
        laid.take(boxes[node], at.x, at.y)
    else:
        laid.steps[node] = at


def _framed(inner: _Scope, index: int, label: float) -> _Scope:
    """A scope with a frame around it, and room for the label above."""
    above = FRAME + (LABEL if label else 0.0)
    framed = _Scope(max(inner.width, label) + 2 * FRAME, inner.height + above + FRAME)
    framed.take(inner, FRAME + max(0.0, label - inner.width) / 2, above)
    framed.frames[index] = Rectangle(0.0, 0.0, framed.width, framed.height)
    return framed


def _framed_to_turn(inner: _Scope, index: int, label: float) -> _Scope:
    """The same for what is turned afterwards: what is above then, is at the left now."""
    above = FRAME + (LABEL if label else 0.0)
    framed = _Scope(inner.width + above + FRAME, max(inner.height, label) + 2 * FRAME)
    framed.take(inner, above, FRAME + max(0.0, label - inner.height) / 2)
    framed.frames[index] = Rectangle(0.0, 0.0, framed.width, framed.height)
    return framed


class _Layers:
    """The nodes of a scope by layer, with a lane in each layer that an edge only passes."""

    def __init__(self, nodes: Iterable[Node], edges: Sequence[tuple[tuple[int, int], Node, Node]]) -> None:
        self.nodes = list(dict.fromkeys(nodes))
        self.before: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        self.after: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        self.lane_of: dict[Node, tuple[int, int]] = {}
        forward = [each for each in edges if each[2] > each[1]]  # all others lead back
        for _, source, target in forward:
            self.before[target].append(source)
        self.layer = self._longest_ways()
        self.before = {node: [] for node in self.nodes}
        for edge, source, target in forward:
            self._connect(edge, source, target)

    def _longest_ways(self) -> dict[Node, int]:
        layer: dict[Node, int] = {}
        for node in sorted(self.nodes):  # an edge leads to a higher number
            layer[node] = max((layer[source] + 1 for source in self.before[node]), default=0)
        last = max(self.nodes)
        layer[last] = max(layer.values())  # the end of a scope stands at its end
        return layer

    def _connect(self, edge: tuple[int, int], source: Node, target: Node) -> None:
        first, last = self.layer[source], self.layer[target]
        if len(self.lane_of) + last - first > _MOST_LANES:
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
        """The layers, each from top to bottom."""
        columns: list[list[Node]] = [[] for _ in range(max(self.layer.values()) + 1)]
        for node in self._by_first_visit():
            columns[self.layer[node]].append(node)
        for sweep in range(_SWEEPS):
            neighbours = self.before if sweep % 2 == 0 else self.after
            for column in columns if sweep % 2 == 0 else reversed(columns):
                self._sort(column, neighbours, columns)
        return columns

    def _by_first_visit(self) -> list[Node]:
        """Lanes stand beside what they come from."""
        place = {node: float(node) for node in self.nodes}
        for lane, (source, target) in self.lane_of.items():
            place[lane] = (source + target) / 2
        return sorted(place, key=lambda node: (place[node], node))

    def _sort(
        self, column: list[Node], neighbours: Mapping[Node, list[Node]], columns: Sequence[Sequence[Node]]
    ) -> None:
        rank: dict[Node, float] = {}
        for layer in {self.layer[each] for node in column for each in neighbours[node]}:
            last = max(1, len(columns[layer]) - 1)
            rank.update({node: place / last for place, node in enumerate(columns[layer])})
        old = {node: place / max(1, len(column) - 1) for place, node in enumerate(column)}
        column.sort(key=lambda node: _mean([rank[each] for each in neighbours[node]], old[node]))


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _tops(
    columns: Sequence[Sequence[Node]], layers: _Layers, heights: Mapping[Node, float]
) -> dict[Node, float]:
    """The top of each node: as near to the middle of its neighbours as the order allows."""
    tops: dict[Node, float] = {}
    for column in columns:
        y = 0.0
        for node in column:
            tops[node] = y
            y += heights[node] + BETWEEN_NODES
    tallest = max(sum(heights[node] + BETWEEN_NODES for node in column) for column in columns)
    for column in columns:
        shift = (tallest - sum(heights[node] + BETWEEN_NODES for node in column)) / 2
        for node in column:
            tops[node] += shift
    for sweep in range(_SWEEPS):
        neighbours = layers.before if sweep % 2 == 0 else layers.after
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            _pull(column, neighbours, tops, heights)
    least = min(tops.values(), default=0.0)
    return {node: top - least for node, top in tops.items()}


def _pull(
    column: Sequence[Node],
    neighbours: Mapping[Node, list[Node]],
    tops: dict[Node, float],
    heights: Mapping[Node, float],
) -> None:
    """Move the nodes of a layer towards their neighbours, none over another: runs of nodes that touch move
    as one. (The pool adjacent violators algorithm)"""
    runs: list[tuple[float, int, float]] = []  # where the first wants to be, of how many, how tall
    for node in column:
        here = tops[node] + heights[node] / 2
        middle = _mean([tops[each] + heights[each] / 2 for each in neighbours[node]], here)
        wanted, count, tall = middle - heights[node] / 2, 1, heights[node] + BETWEEN_NODES
        while runs and runs[-1][0] + runs[-1][2] > wanted:
            before, more, above = runs.pop()
            wanted = (before * more + (wanted - above) * count) / (more + count)
            count, tall = count + more, tall + above
        runs.append((wanted, count, tall))
    left = iter(column)
    for top, count, _ in runs:
        y = top
        for _ in range(count):
            node = next(left)
            tops[node] = y
            y += heights[node] + BETWEEN_NODES


def _path(whole: _Scope, source: int, target: int) -> tuple[tuple[float, float], ...]:
    one, other = whole.steps[source], whole.steps[target]
    begin = (one.x + one.width, one.y + one.height / 2)
    end = (other.x, other.y + other.height / 2)
    if target <= source:
        return (begin, end)
    bend, straighten = whole.spans[source, target]
    lanes = whole.lanes.get((source, target), ())
    between = ((bend, begin[1]), *lanes, (straighten, end[1]))
    return (begin, *(point for point in between if not _meet(point, begin) and not _meet(point, end)), end)


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two points are one: a curve between them would have no direction, nor would its arrow."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) < 1
