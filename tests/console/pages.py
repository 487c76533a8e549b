"""What tests do with the console's pages."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


def flow_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Flow", exact=True)


def input_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Input", exact=True)


def start_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Start", exact=True)


def state_of(page: Page) -> Locator:
    """The heading of a workflow's page, which has its state in it."""
    return page.get_by_role("heading", level=1)


def drop_file(page: Page, name: str, text: str) -> None:
    """Drop a file onto the page, as from a desktop, once it is there."""
    page.locator("h1").first.wait_for()
    page.evaluate(
        """([name, text]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], name));
          for (const type of ["dragenter", "dragover", "drop"]) {
            const event = new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
          }
        }""",
        [name, text],
    )
