"""The start page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.installation import Installation


def test_errors_stand_at_their_place_while_typing(there: Installation, page: Page) -> None:
    page.goto(f"{there.url}/start")
    page.get_by_label("Flow", exact=True).fill("a -> {\n  b -> nowhere: \n")
    expect(page.locator(".findings")).to_contain_text("Error")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
