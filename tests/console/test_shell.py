"""What stands around every page: navigation, themes, help, dialogs, and addresses that lead nowhere."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from lfr.operations.start import start_workflow
from tests.console.browser_checks import Guard
from tests.console.installation import Installation

GROUND = "getComputedStyle(document.documentElement).backgroundColor"


def test_the_pages_are_gone_to_without_loading_anew(installation: Installation, page: Page) -> None:
    page.goto(installation.url)
    page.evaluate("window.isSame = true")
    for name, heading in (
        ("Start", "Start a workflow"),
        ("Events", "Events"),
        ("System", "System"),
        ("Workflows", "Workflows"),
    ):
        link = page.get_by_role("navigation", name="Pages").get_by_role("link", name=name)
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(link).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("System")
    assert page.evaluate("window.isSame") is True


def test_themes(installation: Installation, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(installation.url)
    dark = page.evaluate(GROUND)
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: light").wait_for()
    light = page.evaluate(GROUND)
    assert light != dark
    page.reload()
    page.get_by_role("button", name="Theme: light").wait_for()
    assert page.evaluate(GROUND) == light
    page.get_by_role("button", name="Theme: light").click()
    page.get_by_role("button", name="Theme: dark").click()
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Theme: as the system").wait_for()
    assert page.evaluate(GROUND) == light


def test_focus_goes_to_the_page_when_its_link_is_gone(installation: Installation, page: Page) -> None:
    start_workflow(installation.store, "A", workflow_id="focus")
    page.goto(installation.url)
    page.get_by_role("link", name="no name focus").click()
    page.get_by_role("heading", name="focus", level=1).wait_for()
    assert page.evaluate("document.activeElement.tagName") == "MAIN"
    page.get_by_role("link", name="Events").click()  # this link stays, and keeps the focus
    page.get_by_role("heading", name="Events", level=1).wait_for()
    assert page.evaluate("document.activeElement.textContent.trim()") == "Events"


def test_paper_has_what_is_shown_and_nothing_to_click(installation: Installation, page: Page) -> None:
    start_workflow(installation.store, "A", workflow_id="paper")
    page.emulate_media(color_scheme="dark")
    page.goto(installation.page("workflow:paper"))
    page.get_by_role("button", name="Terminate").wait_for()
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("heading", name="paper", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="Terminate")).to_be_hidden()
    expect(page.locator(".top")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_forced_colours_show_where_one_is(installation: Installation, page: Page) -> None:
    page.emulate_media(forced_colors="active")
    page.goto(f"{installation.url}/events")
    current = page.locator(".top nav a[aria-current]")
    expect(current).to_have_text("Events")
    assert current.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"


def test_an_address_that_leads_nowhere(installation: Installation, page: Page, guard: Guard) -> None:
    guard.expects("404", "400")
    answer = page.goto(f"{installation.url}/nowhere/at/all")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    page.goto(installation.page("workflow:nobody"))
    expect(page.locator(".trouble")).to_contain_text("there is no workflow workflow:nobody")
    query = "?view=constructor&step=99999999999999999999&dir=toString"
    for id in ("%E0%A4%A", "a b", "..%2F..%2Fevents", "%3Cscript%3E"):  # no id is like these
        page.goto(f"{installation.url}/workflows/{id}{query}")
        expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    page.goto(f"{installation.url}/workflows/constructor{query}")
    expect(page.locator(".trouble").first).to_be_visible()
    page.get_by_role("link", name="All workflows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Workflows")


def test_help_and_keys(installation: Installation, page: Page) -> None:
    page.goto(installation.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Workflows")
    button = page.get_by_role("button", name="Help")
    button.click()
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("on the command line (lfr --help) and with the API.")
    page.keyboard.press("p")  # keys of the page behind it do not work
    expect(page.get_by_role("button", name="Paused")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    page.mouse.click(5, 5)  # beside it
    expect(dialog).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("p?/1")  # nor do they while somebody types
    expect(page.get_by_role("searchbox", name="Search workflows")).to_have_value("p?/1")
    expect(page.get_by_role("button", name="Paused")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox", name="Search workflows")).not_to_be_focused()


def test_with_the_keyboard_alone(installation: Installation, page: Page) -> None:
    """Everything that can be clicked can be reached by Tab, and its focus is seen."""
    id = installation.lfr.run("@flow keyboard\na -> b", {}, "keyboard-1")
    page.goto(installation.page(id, view="graph", step=1))
    expect(page.locator(".step-panel .json").first).to_be_visible()
    focused: set[str] = set()
    page.locator("body").click(position={"x": 2, "y": 60})
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outlined = page.evaluate(
            """() => {
              const element = document.activeElement;
              const style = getComputedStyle(element);
              const inner = element.closest(".code, .node, .fold");
              const name = (element.getAttribute("aria-label") ?? element.textContent).trim();
              return [name, style.outlineStyle !== "none" || inner !== null];
            }"""
        )
        focused.add(name)
        assert outlined or name == "" or element_is_body(page), f"the focus on {name!r} is not seen"
    expected = {
        "Terminate",
        "Restart",
        "Delete",
        "Download archive",
        "Graph",
        "Timeline",
        "Retry",
        "Skip",
        "Fail",
        "Close",
        "Fit",
        "Help",
    }
    assert expected <= focused


def element_is_body(page: Page) -> bool:
    return bool(page.evaluate("document.activeElement === document.body"))


def test_copying(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow copied\na -> b", {}, "copied-1")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=installation.url)
    page.goto(installation.page(id))
    page.get_by_role("button", name="Copy id").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == id


def test_copying_where_the_browser_does_not_allow_it(installation: Installation, page: Page) -> None:
    """It does on https and on localhost, if asked by the user; else there is the old way."""
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))")
    installation.lfr.run("@flow copied\na -> b", {}, "copied-2")
    page.goto(installation.page("workflow:copied-2"))
    page.evaluate("addEventListener('copy', () => { window.copied = document.activeElement.value; })")
    page.get_by_role("button", name="Copy id").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("window.copied") == "workflow:copied-2"


def test_words_of_trouble_never_cover_the_page(installation: Installation, page: Page) -> None:
    installation.lfr.run("@flow refused\na -> b", {}, "refused-1")
    page.goto(installation.page("workflow:refused-1"))
    page.get_by_role("button", name="Delete").focus()
    for _ in range(8):
        page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_count(5)
    page.locator(".notice").first.get_by_role("button", name="Close").click()
    expect(page.locator(".notice")).to_have_count(4)


@pytest.mark.parametrize("path", ["/", "/start", "/events", "/system"])
def test_a_file_that_is_dropped_is_never_opened_in_place_of_the_console(
    installation: Installation, page: Page, path: str
) -> None:
    page.goto(installation.url + path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    prevented = page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["a"], "a.flow"));
          const event = new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true });
          return !document.body.dispatchEvent(event);
        }"""
    )
    assert prevented
    expect(page.locator(".drop-hint")).to_be_visible()
