"""The start page: writing, opening, dropping a flow; what is wrong with it; starting it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.console.browser_checks import Guard
from tests.console.installation import Installation
from tests.console.pages import drop_file, flow_field, input_field, start_button

WRONG = "@flow order\ncheck -> {\n  pay -> ship\n  pack (- count: 1 -\n} -> ship\n"


def test_errors_stand_at_their_place_while_typing(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/start")
    flow_field(page).fill(WRONG)
    finding = page.locator(".findings li").first
    expect(finding).to_contain_text("Error: these parameters are not closed")
    expect(finding.locator(".caret")).to_have_text("  pack (- count: 1 -\n       ^", use_inner_text=True)
    expect(page.locator(".gutter .marked")).to_have_text("4\n")
    expect(page.locator(".gutter")).to_have_text("1\n2\n3\n4\n5\n6\n", use_inner_text=True)
    expect(start_button(page)).to_be_disabled()
    expect(page.locator(".verdict")).to_have_text("1 error")
    flow_field(page).fill(WRONG.replace("1 -", "1 -)"))
    expect(page.locator(".verdict")).to_have_text("valid")
    expect(page.locator(".findings")).to_have_count(0)
    expect(page.get_by_role("heading", name="order")).to_be_visible()
    expect(page.locator(".graph .node")).not_to_have_count(0)
    expect(start_button(page)).to_be_enabled()


def test_the_place_of_an_error_is_gone_to_and_nothing_is_started(
    installation: Installation, page: Page
) -> None:
    page.goto(f"{installation.url}/start")
    flow_field(page).fill(WRONG)
    page.get_by_role("button", name="4:8").click()
    at = flow_field(page).evaluate("(area) => [area === document.activeElement, area.selectionStart]")
    assert at == [True, WRONG.index("(-")]
    expect(page.locator(".page > .trouble")).to_have_count(0)


def test_warnings_do_not_hinder(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/start")
    flow_field(page).fill("@task unused { x }\na -> b")
    expect(page.locator(".findings li")).to_contain_text("Warning: unused is declared and never used")
    expect(page.locator(".verdict")).to_have_text("valid, with 1 warning")
    page.locator(".graph-tools button", has_text="Fit").click()  # is beside the form, and not its button
    expect(page).to_have_url(f"{installation.url}/start")
    start_button(page).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running")


def test_what_is_typed_is_not_corrected(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/start")
    for field in (flow_field(page), input_field(page)):
        assert field.evaluate("(field) => field.spellcheck") is False


def test_an_input_that_is_not_json(installation: Installation, page: Page, guard: Guard) -> None:
    page.goto(f"{installation.url}/start")
    flow_field(page).fill("a")
    input_field(page).fill("{name: you}")
    expect(page.locator(".trouble")).to_contain_text("The input is not JSON:")
    expect(start_button(page)).to_be_disabled()
    input_field(page).fill('"text"')  # any JSON is an input
    expect(page.locator(".trouble")).to_have_count(0)
    start_button(page).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running")


def test_refusals_are_the_only_trouble(installation: Installation, page: Page, guard: Guard) -> None:
    guard.expects("409")
    page.goto(f"{installation.url}/start")
    flow_field(page).fill("a -> b")
    page.get_by_text("An id of your own").click()
    page.get_by_label("Id", exact=True).fill("mine-1")
    expect(page.locator(".command code")).to_have_text("lfr run FILE --workflow-id mine-1")
    start_button(page).click()
    expect(page).to_have_url(installation.page("workflow:mine-1"))

    page.get_by_role("link", name="Start", exact=True).click()  # the text is still there, the id is not
    expect(flow_field(page)).to_have_value("a -> b")
    page.get_by_text("An id of your own").click()
    page.get_by_label("Id", exact=True).fill("mine-1")
    start_button(page).click()
    expect(page).to_have_url(installation.page("workflow:mine-1"))

    page.go_back()
    flow_field(page).fill("a -> other")
    page.get_by_text("An id of your own").click()
    page.get_by_label("Id", exact=True).fill("mine-1")
    start_button(page).click()
    expect(page.locator(".trouble")).to_contain_text("already exists, with another flow or input")
    expect(page.locator(".trouble")).to_contain_text("choose another id")


def test_the_same_on_the_command_line(installation: Installation, page: Page, tmp_path: Path) -> None:
    page.goto(f"{installation.url}/start")
    file = tmp_path / "it's mine.flow"
    file.write_text("a -> b")
    page.get_by_label("Open a file").set_input_files(file)
    expect(flow_field(page)).to_have_value("a -> b")
    input_field(page).fill('{"who": "it\'s me"}')
    line = """lfr run 'it'\\''s mine.flow' --input '{"who": "it'\\''s me"}'"""
    expect(page.locator(".command code")).to_have_text(line)


def test_big_numbers_arrive_as_they_were_written(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/start")
    flow_field(page).fill("a -> b")
    input_field(page).fill('{"n": 12345678901234567890, "deep": [-98765432109876543210]}')
    start_button(page).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running")
    page.get_by_role("link", name="Input and output").click()
    tree = page.locator(".values .tree").first
    expect(tree).to_contain_text("n12345678901234567890")
    expect(tree).to_contain_text("0-98765432109876543210")


def test_a_flow_that_is_dropped_anywhere_is_read(
    installation: Installation, page: Page, guard: Guard
) -> None:
    page.goto(f"{installation.url}/system")
    drop_file(page, "dropped.flow", "@flow dropped\nx -> y")
    expect(page).to_have_url(f"{installation.url}/start")
    expect(flow_field(page)).to_have_value("@flow dropped\nx -> y")
    expect(page.get_by_role("heading", name="Flow dropped.flow")).to_be_visible()
    drop_file(page, "other.flow", "@flow other\nx -> z")
    expect(flow_field(page)).to_have_value("@flow other\nx -> z")
    guard.expects("400")
    drop_file(page, "no-archive.json", "{}")
    expect(page.locator("#notices")).to_contain_text("no-archive.json cannot be restored")


def test_a_long_flow_is_read_without_waiting(installation: Installation, page: Page, tmp_path: Path) -> None:
    page.goto(f"{installation.url}/start")
    file = tmp_path / "long.flow"
    file.write_text("\n".join([*(f"step-{number} ->" for number in range(3000)), "end"]))
    page.get_by_label("Open a file").set_input_files(file)
    expect(page.locator(".verdict")).to_have_text("valid")
    assert page.locator(".gutter > *").count() == 0  # one text, not an element for each line
    expect(page.locator(".graph-note")).to_contain_text("too many to see anything")


def test_a_flow_that_is_typed_outlives_a_reload(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/start")
    page.get_by_label("Flow", exact=True).fill("kept -> here")
    page.get_by_label("Input", exact=True).fill('{"a": 1}')
    page.reload()
    expect(page.get_by_label("Flow", exact=True)).to_have_value("kept -> here")
    expect(page.get_by_label("Input", exact=True)).to_have_value('{"a": 1}')
