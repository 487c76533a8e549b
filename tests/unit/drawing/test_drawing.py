"""Drawings of flows: nothing overlaps, nothing is missing, and all texts are escaped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given

from lfr.drawing.dot import to_dot
from lfr.drawing.layout import Rectangle, lay_out
from lfr.drawing.mermaid import to_mermaid
from lfr.drawing.svg import to_svg
from lfr.flow import Flow, StepKind
from lfr.language import compile_flow
from tests.conformance.cases import RIGHT, Case, case_id
from tests.support.flows import acyclic_flows, chain, fan

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[3]


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def encloses(outer: Rectangle, inner: Rectangle) -> bool:
    return (
        outer.x < inner.x
        and outer.y < inner.y
        and inner.x + inner.width < outer.x + outer.width
        and inner.y + inner.height < outer.y + outer.height
    )


def assert_layout_is_sound(flow: Flow, *, vertical: bool) -> None:
    sizes = {step.index: (30.0 + 7 * (step.index % 9), 20.0 + step.index % 5) for step in flow.steps}
    label_widths = {step.index: 5.0 * (step.index % 40) for step in flow.steps}
    layout = lay_out(flow, sizes, label_widths, vertical=vertical)
    assert layout == lay_out(flow, sizes, label_widths, vertical=vertical)
    for index, box in layout.steps.items():
        assert (box.width, box.height) == pytest.approx(sizes[index])
    assert not any(overlap(one, other) for one, other in combinations(layout.steps.values(), 2))
    for index, frame in layout.frames.items():
        end = flow.steps[index].end
        for other, box in layout.steps.items():
            assert encloses(frame, box) if index <= other <= end else not overlap(frame, box)
    for (source, target), points in layout.edges.items():
        one, other = layout.steps[source], layout.steps[target]
        if vertical:
            assert points[0] == pytest.approx((one.x + one.width / 2, one.y + one.height))
            assert points[-1] == pytest.approx((other.x + other.width / 2, other.y))
        else:
            assert points[0] == pytest.approx((one.x + one.width, one.y + one.height / 2))
            assert points[-1] == pytest.approx((other.x, other.y + other.height / 2))
    assert set(layout.edges) == set(flow.edges)


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
@pytest.mark.parametrize("vertical", [False, True])
def test_every_case_has_a_layout(case: Case, vertical: bool) -> None:
    assert_layout_is_sound(compile_flow(case["flow"]), vertical=vertical)


@given(acyclic_flows())
def test_any_flow_has_a_layout(flow: Flow) -> None:
    assert_layout_is_sound(flow, vertical=False)


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_every_case_is_drawn_completely(case: Case) -> None:
    flow = compile_flow(case["flow"])
    for options in ({}, {"vertical": True, "docs": False}):
        root = ET.fromstring(to_svg(flow, **options))
        assert len(root.findall(f"{SVG}g")) == len(flow.steps)
        assert len(root.findall(f"{SVG}path[@class='edge']")) == len(flow.edges)
    assert to_dot(flow).count(" -> ") >= len(flow.edges)


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
@pytest.mark.parametrize("vertical", [False, True])
def test_arrows_point_along_the_flow(case: Case, vertical: bool) -> None:
    """An arrow has the direction of the last two points of its path, so these must differ."""
    flow = compile_flow(case["flow"])
    root = ET.fromstring(to_svg(flow, vertical=vertical))
    paths = root.findall(f"{SVG}path[@class='edge']")
    assert paths or not flow.edges
    for path in paths:
        *_, x, y, to_x, to_y = map(float, re.findall(r"-?[\d.]+", path.attrib["d"]))
        across, along = (abs(to_x - x), to_y - y) if vertical else (abs(to_y - y), to_x - x)
        assert across == 0 and along > 0


def test_the_label_of_a_frame_is_drawn_over_edges() -> None:
    for vertical in (False, True):
        parts = list(ET.fromstring(to_svg(compile_flow("a -> ? `$.b` { c } -> d"), vertical=vertical)))
        label = next(number for number, part in enumerate(parts) if part.text == "? $.b")
        edges = [number for number, part in enumerate(parts) if part.get("class") == "edge"]
        assert label > max(edges)
        assert ("left" in parts[label].attrib["class"]) == vertical


def hostile_flow() -> Flow:
    """Return a flow whose texts try to end a label or to begin markup."""
    flow = compile_flow("@flow x '''d'''\n@task a '''d'''\n? `$[\"</text><script>\"]` a -> <http://h/\"'&x>")
    doc = "<script>alert(1)</script> ]]> & \"'\\ \u202e\x07 --> %%{init}%%\nend"
    return Flow(flow.steps, flow.edges, name=doc, doc=doc, docs={"a": doc})


def test_hostile_texts_are_escaped() -> None:
    flow = hostile_flow()
    root = ET.fromstring(to_svg(flow))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "style", "defs", "marker", "path", "rect", "g", "text", "circle"),
    }
    assert not re.search(r"\bon\w+=|href|\x07|\u202e", to_svg(flow))
    for line in to_dot(flow).splitlines():
        assert line.count('"') - line.count('\\"') in (0, 2, 4, 6)
        assert line.isprintable()
    comments = [line for line in to_mermaid(flow).splitlines() if "script" in line]
    assert comments and all(line.startswith("%% ") for line in comments if "alert" in line)


def test_docs_can_be_left_out() -> None:
    flow = compile_flow("@flow f '''of the flow'''\n@task a '''of the task'''\na")
    for draw in (to_svg, to_dot, to_mermaid):
        assert "of the flow" in draw(flow) and "of the task" in draw(flow)
        assert "of the" not in draw(flow, docs=False)


@pytest.mark.parametrize("flow", [chain(*("t" for _ in range(3000))), fan(3000)], ids=["chain", "fan"])
def test_large_flows_are_drawn(flow: Flow) -> None:
    assert to_svg(flow).count("<g ") == len(flow.steps)


def test_a_loop_is_drawn_beside_the_nodes_and_within_the_picture() -> None:
    flow = compile_flow("a -> b; c -> :start")
    assert any(target <= source for source, target in flow.edges)
    for vertical in (False, True):
        root = ET.fromstring(to_svg(flow, vertical=vertical))
        left, top, width, height = map(float, root.attrib["viewBox"].split())
        for path in root.findall(f"{SVG}path[@class='edge']"):
            numbers = re.findall(r"-?[\d.]+", path.attrib["d"])
            assert all(min(left, top) <= float(number) <= max(width, height) for number in numbers)


def test_the_picture_in_the_documentation() -> None:
    flow = compile_flow((ROOT / "examples" / "demo.flow").read_text())
    assert (ROOT / "docs" / "demo.svg").read_text() == to_svg(flow), (
        "lfr graph examples/demo.flow --format svg"
    )


def test_a_subflow_is_a_frame() -> None:
    flow = compile_flow("a -> { b c } -> d")
    assert "subgraph cluster_2" in to_dot(flow)
    assert (
        [step.kind for step in flow.steps].count(StepKind.SUBFLOW) == to_svg(flow).count('class="frame"') == 1
    )
