"""What an operator does, from the first file to the restored workflow, on real roles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.console.pages import drop_file, start_button, state_of

FLOW = """@flow parcel '''
From the order to the door.
'''
receive -> { check-stock  check-payment } -> > pack
  -> ? `$[?(@.heavy == true)]` call-helper
  -> ? `$[?(@.heavy == false)]` call-nobody
  -> wait:event (- {event: picked-up, match: {order: "{input[order]}"}} -)
  -> wait:delay (- duration: 0.3 -)
  -> deliver
"""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    roles = (("lifecycle",), ("wait",), ("receipts",), ("simulate", "--wait-period", "0.3"))
    with installed(tmp_path_factory.mktemp("tour"), roles) as installation:
        yield installation


@pytest.mark.parametrize("way", ["picked", "dropped"])
def test_the_tour(simulated: Installation, page: Page, guard: Guard, tmp_path: Path, way: str) -> None:
    installation = simulated
    guard.expects("404")  # the page may ask for the workflow at the moment at which it is deleted
    page.goto(installation.url)
    _bring_the_file(page, tmp_path, way)
    page.get_by_role("textbox", name="Input", exact=True).fill(f'{{"order": "{way}", "heavy": true}}')
    expect(page.locator(".verdict")).to_have_text("valid")
    start_button(page).click()

    # It runs before our eyes, up to the wait.
    expect(state_of(page)).to_contain_text("parcel Running")
    id = page.locator(".facts .id").inner_text()
    expect(page.locator(".what-now")).to_contain_text("waits for an event picked-up")
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
    expect(page.locator(".graph .state-skipped.node")).to_contain_text("call-nobody")
    expect(page.locator(".graph .state-running.node")).to_contain_text("wait:event")

    _stop_and_restart(page)
    document = _archive(page)
    _send_the_event(page)
    expect(state_of(page)).to_contain_text("Finished")
    expect(page.locator(".graph .state-pending.node")).to_have_count(0)
    expect(page.locator(".graph .node").filter(has_text="deliver")).to_contain_text("simulated")
    expect(page.locator(".graph .node").filter(has_text="wait:delay")).not_to_contain_text("simulated")

    # Deleted, it is gone; dropped, it is there again as it was archived, and finishes a second time.
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete parcel-")
    dialog.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(f"{installation.url}/")
    expect(page.locator("#notices")).to_contain_text("is deleted")
    expect(page.locator(f"a[title='{id}']")).to_have_count(0)
    drop_file(page, "parcel.json", document)
    expect(page).to_have_url(installation.page(id))
    expect(state_of(page)).to_contain_text("Terminated")
    expect(page.locator("#notices")).to_contain_text("is restored; use Restart to continue it")
    page.get_by_role("button", name="Restart").click()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    expect(state_of(page)).to_contain_text("Running")
    _send_the_event(page)
    expect(state_of(page)).to_contain_text("Finished")
    page.get_by_role("link", name="Input and output").click()
    expect(page.locator(".values .tree").nth(1)).to_contain_text(f'order"{way}"')
    page.get_by_role("link", name="Steps").click()
    page.get_by_role("button", name="pack").click()
    expect(page.locator(".step-panel .json", has_text="Output")).to_contain_text(f'order"{way}"')


def _bring_the_file(page: Page, folder: Path, way: str) -> None:
    if way == "dropped":
        drop_file(page, "parcel.flow", FLOW)
        return
    file = folder / "parcel.flow"
    file.write_text(FLOW)
    page.get_by_role("link", name="Start a workflow").first.click()
    page.get_by_label("Open a file").set_input_files(file)


def _stop_and_restart(page: Page) -> None:
    page.get_by_role("button", name="Terminate").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()  # Enter alone does no harm
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Terminate")).to_be_focused()
    expect(state_of(page)).to_contain_text("Running")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Terminate").click()
    expect(state_of(page)).to_contain_text("Terminated")
    expect(page.locator(".what-now")).to_contain_text("It was terminated")
    page.get_by_role("button", name="Restart").click()
    dialog.get_by_role("button", name="Restart").click()
    expect(state_of(page)).to_contain_text("Running")
    expect(page.locator(".what-now")).to_contain_text("waits for an event picked-up")


def _archive(page: Page) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download archive").click()
    assert download.value.suggested_filename.startswith("parcel-")
    assert download.value.suggested_filename.endswith(".json")
    return Path(download.value.path()).read_text()


def _send_the_event(page: Page) -> None:
    page.locator(".what-now").get_by_role("button", name="Send it").click()
    dialog = page.get_by_role("dialog", name="Send an event")
    expect(dialog.get_by_label("Kind")).to_have_value("picked-up")
    expect(dialog.get_by_label("Fields")).to_have_value(re.compile('"order"'))
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
