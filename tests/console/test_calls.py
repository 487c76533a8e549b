"""Calls of stored flows on a workflow's page: from the step to its child, and back."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from lfr.operations.stored_flows import FlowSource, apply_flows
from tests.console.installation import Installation


def test_a_child_is_reached_from_its_step_and_the_parent_from_the_child(
    installation: Installation, page: Page
) -> None:
    apply_flows(installation.store, [FlowSource("@flow pay real:card")])
    id = installation.lfr.run("flow:pay -> real:send")
    page.goto(installation.page(id, view="steps", step=1))
    panel = page.get_by_role("complementary", name="Step 1")
    expect(panel.get_by_role("heading", name="Calls")).to_be_visible()
    expect(panel).to_contain_text("the stored flow pay, version 1")
    expect(page.locator(".steps tbody")).to_contain_text("calls pay, version 1: RUNNING")
    panel.get_by_role("link", name="/1.0").click()
    expect(page.locator("h1")).to_contain_text("pay")
    page.locator(".crumbs a").last.click()
    expect(page.get_by_role("complementary", name="Step 1").or_(page.locator(".graph")).first).to_be_visible()
    installation.end(f"{id}/1.0", 1, {"paid": True})
    page.goto(installation.page(id, view="steps", step=1))
    expect(panel.locator(".json", has_text="Output")).to_contain_text("paidtrue")
    expect(panel.get_by_role("link", name="/1.0")).to_have_count(0)
