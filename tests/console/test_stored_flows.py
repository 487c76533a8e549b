"""Stored flows on the start page: the list, the form of the declared inputs, and what a start refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from lfr.operations.stored_flows import FlowSource, apply_flows
from tests.console.browser_checks import Guard
from tests.console.conftest import DEADLINE_MS
from tests.console.contrast import too_faint
from tests.console.installation import Installation, installed
from tests.console.pages import flow_field, input_field, start_button

BUILD = """@flow build (- inputs: {
  branch: {type: string, required: true, pattern: '^[a-z0-9-]+$', title: Branch, description: what to build},
  level: {enum: [debug, release], default: debug},
  tries: {type: integer, minimum: 1, maximum: 5, default: 1},
  clean: {type: boolean, description: Start from an empty folder},
  push: {type: boolean, default: true},
  tags: {type: array} } -) '''
Builds a branch and publishes it.
'''
fetch -> compile
"""
HARM = "<img src=x onerror='window.harmed = 1'>"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """An installation with the flows build (two versions), plain and hostile."""
    with installed(tmp_path_factory.mktemp("stored")) as installation:
        inputs = f'{{x: {{title: "{HARM}", default: "{HARM}"}}}}'
        hostile = f"@flow hostile (- inputs: {inputs} -) '''{HARM}''' a"
        apply_flows(installation.store, [FlowSource("@flow build\nfetch")])
        texts = [BUILD, "@flow plain\na -> b", hostile]
        apply_flows(installation.store, [FlowSource(text) for text in texts])
        yield installation


def error_of(page: Page, field: Locator) -> Locator:
    """The error that describes a field to a screen reader."""
    expect(field).to_have_attribute("aria-invalid", "true")
    ids = (field.get_attribute("aria-describedby") or "").split()
    return page.locator(f"#{ids[-1]}")


def test_no_flow_is_stored_yet_and_then_there_is_one(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with installed(tmp_path_factory.mktemp("new")) as installation:
        page.goto(f"{installation.url}/start")
        page.get_by_role("link", name="Stored flows").click()
        expect(page.get_by_role("heading", name="No flow is stored yet")).to_be_visible()
        expect(page.locator(".empty pre")).to_have_text("lfr apply FILE")
        apply_flows(installation.store, [FlowSource("@flow later\na")])
        page.evaluate("dispatchEvent(new Event('focus'))")  # as when somebody comes back from a terminal
        expect(page.get_by_role("link", name="later")).to_be_visible()


def test_the_list_is_searched_and_a_flow_is_chosen_with_keys(stored: Installation, page: Page) -> None:
    page.goto(f"{stored.url}/start")
    expect(flow_field(page)).to_be_visible()
    page.get_by_role("link", name="Stored flows").click()
    rows = page.locator("table.flows tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Builds a branch and publishes it.")
    expect(rows.first.locator("[data-label=version]")).to_have_text("2")
    assert page.evaluate("window.harmed") is None
    search = page.get_by_role("searchbox", name="Search the stored flows")
    search.fill("PUBLISHES branch")
    expect(rows).to_have_count(1)
    expect(page.get_by_text("1 of 3 stored flows")).to_be_visible()
    expect(page).to_have_url(f"{stored.url}/start?view=stored&text=PUBLISHES+branch")
    page.reload()
    expect(search).to_have_value("PUBLISHES branch")
    search.blur()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stored.url}/start?flow=build")
    expect(page.get_by_role("heading", level=2, name="build")).to_be_visible()


def test_more_flows_than_a_page_has_are_searched_by_the_server(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with installed(tmp_path_factory.mktemp("many")) as installation:
        apply_flows(installation.store, [FlowSource(f"@flow f{n:04}\na") for n in range(1003)])
        page.goto(f"{installation.url}/start?view=stored")
        rows = page.locator("table.flows tbody tr")
        expect(rows).to_have_count(1000)
        expect(page.get_by_text("The first 1000 stored flows by name")).to_be_visible()
        search = page.get_by_role("searchbox", name="Search the stored flows")
        search.fill("f100")
        expect(page.get_by_text("3 stored flows whose names begin with f100")).to_be_visible()
        expect(rows).to_have_count(3)
        search.fill("")
        expect(rows).to_have_count(1000)


def test_fields_stand_for_the_declared_inputs(stored: Installation, page: Page) -> None:
    page.goto(f"{stored.url}/start?flow=build")
    names = ["Branch branch (required)", "level", "tries", "clean", "push", "tags", "Id"]
    expect(page.locator("form label")).to_have_text(names)  # in the order of the flow text
    branch = page.get_by_role("textbox", name=names[0])
    expect(branch).to_have_accessible_description("what to build. A text that matches ^[a-z0-9-]+$")
    assert branch.evaluate("(field) => [field.required, field.spellcheck]") == [True, False]
    expect(page.get_by_role("combobox", name="level")).to_have_value('"debug"')
    expect(page.get_by_role("combobox", name="level").locator("option")).to_have_text(["debug", "release"])
    tries = page.get_by_role("textbox", name="tries")
    expect(tries).to_have_value("1")
    expect(tries).to_have_accessible_description("A whole number from 1 to 5. Default: 1")
    expect(page.get_by_role("checkbox", name="clean")).not_to_be_checked()
    expect(page.get_by_role("checkbox", name="push")).to_be_checked()
    expect(page.get_by_role("textbox", name="tags")).to_have_accessible_description("A list, as JSON.")
    expect(page.locator(".command code")).to_have_text("lfr run --flow build@2")


def test_errors_stand_at_their_fields_until_they_are_changed(
    stored: Installation, page: Page, guard: Guard
) -> None:
    guard.expects("400")
    page.goto(f"{stored.url}/start?flow=build")
    branch, tries = page.get_by_label("Branch"), page.get_by_label("tries")
    tags = page.get_by_role("textbox", name="tags")
    tags.fill("[1")
    start_button(page).click()  # what is no JSON is not sent
    expect(error_of(page, tags)).to_contain_text("input.tags is not JSON")
    expect(tags).to_be_focused()
    tags.fill("[1]")
    expect(tags).to_have_attribute("aria-invalid", "false")
    tries.fill("9")
    tries.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Nothing has started: 2 fields need a change.")
    expect(error_of(page, branch)).to_have_text("input.branch is missing: a text")
    expect(error_of(page, tries)).to_contain_text("5 or less")
    expect(branch).to_be_focused()
    assert too_faint(page) == []
    page.keyboard.type("main")
    expect(branch).to_have_value("main")  # the focus stays where it is
    expect(branch).to_have_attribute("aria-invalid", "false")
    expect(tries).to_have_attribute("aria-invalid", "true")
    tries.fill("5")
    expect(page.get_by_role("alert")).to_have_count(0)
    start_button(page).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Running")


def test_a_start_goes_to_its_workflow_which_names_the_version(stored: Installation, page: Page) -> None:
    page.goto(f"{stored.url}/start?flow=build")
    page.get_by_label("Branch").fill("main")
    page.get_by_label("level").select_option("release")
    page.get_by_label("clean").check()
    page.get_by_text("An id of your own").click()
    page.get_by_label("Id", exact=True).fill("stored-1")
    input = """'{"branch": "main", "level": "release", "clean": true}'"""
    line = f"lfr run --flow build@2 --workflow-id stored-1 --input {input}"
    expect(page.locator(".command code")).to_have_text(line)
    start_button(page).click()
    expect(page).to_have_url(stored.page("workflow:stored-1"))
    workflow = stored.lfr.inspect("stored-1")
    whole = {"branch": "main", "level": "release", "tries": 1, "clean": True, "push": True}
    assert (workflow["input"], workflow["version"]) == (whole, 2)
    page.get_by_role("link", name="build@2").click()
    expect(page.get_by_label("Branch")).to_have_value("main")  # the draft outlives the page, the id does not
    expect(page.locator(".command code")).not_to_contain_text("stored-1")


def test_another_version_is_chosen(stored: Installation, page: Page) -> None:
    page.goto(f"{stored.url}/start?flow=build")
    version = page.get_by_role("combobox", name="Version")
    expect(version).to_have_value("2")
    version.select_option("1")
    expect(page).to_have_url(f"{stored.url}/start?flow=build%401")
    expect(page.get_by_text("not the latest")).to_be_visible()
    expect(input_field(page)).to_be_visible()  # this version declares no inputs
    input_field(page).fill('{"n": 12345678901234567890}')
    start_button(page).click()
    expect(page.get_by_role("link", name="build@1")).to_be_visible()
    page.get_by_role("link", name="Input and output").click()
    expect(page.locator(".values .tree").first).to_contain_text("12345678901234567890")


def test_the_error_of_an_id_stands_at_the_id(stored: Installation, page: Page, guard: Guard) -> None:
    guard.expects("409", "400")
    stored.lfr.run("@flow other\na", {}, "stored-other")
    page.goto(f"{stored.url}/start?flow=plain")
    page.get_by_text("An id of your own").click()
    id = page.get_by_label("Id", exact=True)
    id.fill("stored-other")
    start_button(page).click()
    expect(error_of(page, id)).to_contain_text(
        "already exists, with another flow or input: choose another id"
    )
    expect(id).to_be_focused()
    id.fill("two words")
    expect(id).to_have_attribute("aria-invalid", "false")
    start_button(page).click()
    expect(error_of(page, id)).to_contain_text("cannot be a workflow's id: letters, digits")


def test_a_flow_that_is_not_stored(stored: Installation, page: Page, guard: Guard) -> None:
    guard.expects("404", "400")
    page.goto(f"{stored.url}/start?flow=biuld")
    expect(page.locator(".trouble")).to_contain_text("build")
    page.goto(f"{stored.url}/start?flow=..%2Fsystem")
    expect(page.locator(".trouble")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Stored flows").first.click()
    expect(page.locator("table.flows")).to_be_visible()


def test_a_copy_is_edited(stored: Installation, page: Page) -> None:
    page.goto(f"{stored.url}/start?flow=plain")
    page.get_by_role("button", name="Edit a copy").click()
    expect(page).to_have_url(f"{stored.url}/start")
    expect(flow_field(page)).to_have_value("@flow plain\na -> b")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_list_and_form_on_a_phone(stored: Installation, browser: Browser, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 380, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(DEADLINE_MS)
    guard = Guard(context)
    page = context.new_page()
    for address, content in (
        ("view=stored", "table.flows"),
        ("flow=build", "form .field"),
        ("flow=hostile", "form .field"),
    ):
        page.goto(f"{stored.url}/start?{address}")
        expect(page.locator(content).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 380
        assert too_faint(page) == []
        assert page.evaluate("window.harmed") is None
    guard.check()
    context.close()
