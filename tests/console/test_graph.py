"""The graph of a large flow: what is drawn of it, search, failed steps, map, keys, wheel."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.console.installation import Installation
from tests.support.waiting import eventually

MOST_ELEMENTS = 4000
"""The limit of elements in a graph, however large its flow is."""

CHAINS, LENGTH = 90, 20
LARGE = "@flow large\n" + "\n".join(
    " -> ".join(f"chain{chain}:s{place}" for place in range(LENGTH)) for chain in range(CHAINS)
)


@pytest.fixture(scope="module")
def large(installation: Installation) -> str:
    """A workflow of 1,802 steps. Two have ended; one has failed: 41, the first of the third chain."""
    id = installation.lfr.run(LARGE, {})
    for index in (1, 2):
        installation.end(id, index, {})
    installation.end(id, 41, reason="the far side answered 503")
    installation.until(id, "FAILED")
    return id


@pytest.fixture
def graph(installation: Installation, large: str, page: Page) -> Page:
    page.emulate_media(reduced_motion="reduce")
    page.goto(installation.page(large, view="graph"))
    expect(node(page, 41)).to_contain_text("Failed")  # the first view is where it failed
    return page


def node(page: Page, index: int) -> Locator:
    return page.locator(f'.graph .node[data-index="{index}"]')


def is_in_sight(page: Page, index: int) -> bool:
    """Return whether the middle of a node is in the picture, and nothing lies over it."""
    return bool(
        page.evaluate(
            """(index) => {
              const node = document.querySelector(`.graph .node[data-index="${index}"]`);
              if (!node) return false;
              const { left, top, width, height } = node.getBoundingClientRect();
              return node.contains(document.elementFromPoint(left + width / 2, top + height / 2));
            }""",
            index,
        )
    )


def count_elements(page: Page) -> int:
    return int(page.evaluate("document.querySelectorAll('.graph *').length"))


def zoom(page: Page) -> float:
    """Return the zoom of the picture: 1 is full size."""
    transform = page.locator(".graph-picture > g").get_attribute("transform") or ""
    match = re.search(r"scale\(([\d.e-]+)\)", transform)
    assert match is not None
    return float(match[1])


def test_the_document_holds_what_is_in_sight(graph: Page) -> None:
    assert count_elements(graph) < MOST_ELEMENTS
    for _ in range(12):  # from a few nodes in sight to all
        graph.keyboard.press("-")
        assert count_elements(graph) < MOST_ELEMENTS
    expect(graph.locator(".graph-overview")).to_be_visible()
    assert graph.locator(".graph .node").count() < 10
    expect(node(graph, 41).locator("text").first).to_be_hidden()  # too small to read
    graph.keyboard.press("0")
    expect(graph.locator(".graph-overview")).to_have_count(0)
    expect(graph.locator(".graph .node").nth(5)).to_be_visible()
    assert zoom(graph) == pytest.approx(1)
    picture = graph.locator(".graph-picture").bounding_box()
    assert picture is not None
    before = graph.locator(".graph .node").first.get_attribute("data-index")
    middle = (picture["x"] + picture["width"] / 2, picture["y"] + picture["height"] / 2)
    for _ in range(6):
        graph.mouse.move(*middle)
        graph.mouse.down()
        graph.mouse.move(middle[0] - 500, middle[1] - 200, steps=5)
        graph.mouse.up()
        assert count_elements(graph) < MOST_ELEMENTS
    expect(graph.locator(".graph .node").nth(5)).to_be_visible()
    assert graph.locator(".graph .node").first.get_attribute("data-index") != before


def test_a_node_on_the_canvas_is_named_and_chosen(graph: Page) -> None:
    graph.keyboard.press("f")
    expect(graph.locator(".graph-overview")).to_be_visible()
    box = node(graph, 41).bounding_box()  # Tab leads there, so it is in the document
    assert box is not None
    at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    other = (at[0], at[1] + box["height"] * 1.3)  # the first of the next chain
    graph.mouse.move(*other)
    expect(graph.locator(".graph-label")).to_contain_text("61 chain3:s0")
    graph.mouse.click(*other)
    expect(graph.get_by_role("complementary", name="Step 61")).to_be_visible()
    graph.keyboard.press("Escape")


def test_a_step_is_searched(graph: Page) -> None:
    graph.keyboard.press("/")
    field = graph.get_by_role("searchbox", name="Find a step")
    expect(field).to_be_focused()
    graph.keyboard.type("s19")
    result = graph.locator(".graph-search").get_by_role("status")
    expect(result).to_have_text(re.compile(r"1 of 90\s*: 20 chain0:s19"))
    expect(node(graph, 20)).to_have_class(re.compile("found"))
    assert is_in_sight(graph, 20)
    graph.keyboard.press("Enter")
    expect(result).to_contain_text("2 of 90")
    expect(node(graph, 40)).to_have_class(re.compile("found"))
    assert is_in_sight(graph, 40)
    graph.keyboard.press("Shift+Enter")
    graph.keyboard.press("Shift+Enter")
    expect(result).to_contain_text("90 of 90")
    field.fill("1777")
    expect(result).to_contain_text("1 of 1: 1777 chain88:s16")
    assert is_in_sight(graph, 1777)
    field.fill("failed")
    expect(result).to_contain_text("41 chain2:s0")
    field.fill("nobody")
    expect(result).to_have_text("No step matches")
    graph.keyboard.press("Escape")
    expect(field).to_have_value("")
    expect(field).not_to_be_focused()


def test_the_next_failed_step(graph: Page) -> None:
    graph.get_by_role("searchbox", name="Find a step").fill("1700")
    expect(node(graph, 1700)).to_be_visible()
    graph.keyboard.press("Escape")
    graph.get_by_role("button", name="Next failed 1").click()
    expect(graph.get_by_role("complementary", name="Step 41")).to_contain_text("answered 503")
    expect(node(graph, 41)).to_have_class(re.compile("chosen"))
    expect(graph).to_have_url(re.compile("step=41"))
    graph.keyboard.press("f")
    graph.keyboard.press("n")
    assert zoom(graph) > 0.5
    assert is_in_sight(graph, 41)
    graph.keyboard.press("Escape")


def test_the_map_moves_the_view(graph: Page) -> None:
    small = graph.get_by_role("img", name="Map of the whole graph")
    box = small.bounding_box()
    assert box is not None
    graph.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] - 4)
    expect(node(graph, CHAINS * LENGTH)).to_be_visible()
    graph.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] - 4)
    graph.mouse.down()
    graph.mouse.move(box["x"] + 14, box["y"] + 4, steps=4)
    graph.mouse.up()
    expect(node(graph, 1)).to_be_visible()


def test_keys_lead_along_the_edges(graph: Page) -> None:
    graph.locator(".graph .node[tabindex='0']").focus()
    expect(node(graph, 41)).to_be_focused()
    for _ in range(LENGTH - 1):
        graph.keyboard.press("ArrowRight")
    expect(node(graph, 60)).to_be_focused()
    assert is_in_sight(graph, 60)
    graph.keyboard.press("ArrowDown")
    expect(node(graph, 80)).to_be_focused()
    graph.keyboard.press("ArrowLeft")
    expect(node(graph, 79)).to_be_focused()
    graph.keyboard.press("f")  # the node with the focus stays in the document
    expect(node(graph, 79)).to_be_focused()
    graph.keyboard.press("Enter")
    expect(graph.get_by_role("complementary", name="Step 79")).to_be_visible()
    graph.keyboard.press("Escape")


def test_the_wheel_scrolls_the_page_until_the_graph_is_clicked(graph: Page) -> None:
    graph.set_viewport_size({"width": 1000, "height": 600})
    picture = graph.locator(".graph-picture").bounding_box()
    assert picture is not None
    at = (picture["x"] + picture["width"] / 2, min(560, picture["y"] + 60))
    begin = zoom(graph)
    graph.mouse.move(*at)
    graph.mouse.wheel(0, 150)
    eventually(lambda: graph.evaluate("scrollY > 0"))
    assert zoom(graph) == begin
    expect(graph.locator(".graph-hint")).to_contain_text("Hold Ctrl")
    graph.evaluate("scrollTo(0, 0)")
    graph.keyboard.down("Control")
    graph.mouse.wheel(0, 100)
    graph.keyboard.up("Control")
    expect(graph.locator(".graph-hint")).to_have_count(0)
    assert zoom(graph) < begin
    graph.locator(".graph-picture").click(position={"x": 5, "y": 5})
    clicked = zoom(graph)
    graph.mouse.wheel(0, 100)
    expect(graph.locator(".graph-picture > g")).not_to_have_attribute(
        "transform", re.compile(f"scale\\({clicked}\\)")
    )
    assert graph.evaluate("scrollY") == 0


def test_the_picture_is_accessible(graph: Page) -> None:
    for key in ("0", "f"):
        graph.keyboard.press(key)
        violations = Axe().run(graph, ".graph").response["violations"]
        assert not [(each["id"], each["nodes"][0]["html"][:120]) for each in violations]
