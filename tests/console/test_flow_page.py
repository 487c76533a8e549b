"""The page of a flow with its runs, the comparison of two of them, and a start like an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from lfr.operations.intervene import fail_task, skip_task
from lfr.operations.start import start_workflow
from lfr.operations.stored_flows import FlowSource, apply_flows, start_stored_flow
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.console.pages import flow_field, input_field


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """An installation with two versions of a flow, a run that has finished, and one that has failed."""
    with installed(tmp_path_factory.mktemp("ordered")) as installation:
        store = installation.store
        apply_flows(store, [FlowSource("@flow order\ncheck")])
        apply_flows(store, [FlowSource("@flow order\ncheck -> pay")])
        good, bad = (start_stored_flow(store, "order", {"n": n}, f"order-{n}").id for n in (1, 2))
        for id in (good, bad):
            skip_task(store, id, 1, {})
        skip_task(store, good, 2, {})
        fail_task(store, bad, 2, "no money")
        yield installation


def test_runs_stand_beside_each_other(ordered: Installation, page: Page) -> None:
    page.goto(f"{ordered.url}/flows/order")
    expect(page.get_by_text("2 runs · 50 % finished · 1 failed")).to_be_visible()
    cells = page.locator(".run-grid tbody tr").nth(1).locator("a")
    expect(cells.nth(0)).to_have_attribute("aria-label", re.compile("pay: Skipped, .*order-1"))
    expect(cells.nth(1)).to_have_attribute("aria-label", re.compile("pay: Failed, .*order-2"))
    page.get_by_text("Version 2, 4 steps").click()
    expect(page.locator(".changes")).to_contain_text("+ task: pay")
    cells.nth(1).click()
    expect(page.get_by_role("complementary", name="Step 2")).to_be_visible()


def test_a_failed_run_beside_the_last_that_finished(ordered: Installation, page: Page) -> None:
    page.goto(f"{ordered.url}/flows/order")
    page.get_by_role("link", name="Compare order-2 with order-1").click()
    differences = page.locator(".differences").first.locator("tbody tr")
    expect(differences).to_have_text(re.compile(r"\$\.n\s*1\s*2"))
    pay = page.locator(".compared-steps tbody tr", has_text="pay")
    expect(pay).to_contain_text("Skipped")
    expect(pay).to_contain_text("no money")
    page.get_by_role("link", name="Swap").click()
    expect(differences).to_have_text(re.compile(r"\$\.n\s*2\s*1"))


def test_two_chosen_workflows_are_compared(installation: Installation, page: Page) -> None:
    for n in (1, 2):
        start_workflow(installation.store, "A -> B", {"n": n}, workflow_id=f"w{n}")
    page.goto(installation.url)
    page.get_by_label("Choose w1").check()
    expect(page.get_by_role("link", name="Compare")).to_have_count(0)
    page.get_by_label("Choose w2").check()
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".differences tbody tr")).to_have_text(re.compile(r"\$\.n\s*1\s*2"))


def test_a_flow_without_runs_and_a_run_that_is_gone(
    installation: Installation, page: Page, guard: Guard
) -> None:
    guard.expects("404")
    page.goto(f"{installation.url}/flows/nobody")
    expect(page.get_by_role("heading", name="It has no runs")).to_be_visible()
    page.goto(f"{installation.url}/compare?first=a&second=b")
    expect(page.get_by_text("there is no workflow workflow:a")).to_be_visible()


def test_a_workflow_is_started_again_with_its_input(installation: Installation, page: Page) -> None:
    start_workflow(installation.store, "@flow x\nA -> B", {"n": 12345678901234567890}, workflow_id="w")
    page.goto(f"{installation.url}/workflows/workflow:w")
    page.get_by_role("button", name="Start again").click()
    expect(input_field(page)).to_have_value('{\n  "n": 12345678901234567890\n}')
    expect(flow_field(page)).to_have_value("@flow x\nA -> B")


def test_a_stored_flow_is_started_again_with_its_input(ordered: Installation, page: Page) -> None:
    inputs = "{name: {type: string}, on: {type: boolean}, tags: {type: array}}"
    apply_flows(ordered.store, [FlowSource(f"@flow f (- inputs: {inputs} -) A")])
    start_stored_flow(ordered.store, "f", {"name": "you", "on": True, "tags": ["a"]}, "again")
    page.goto(f"{ordered.url}/workflows/workflow:again")
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_label("name")).to_have_value("you")
    expect(page.get_by_label("on", exact=True)).to_be_checked()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page).not_to_have_url(re.compile("start"))
    page.get_by_role("link", name="Input and output").click()
    expect(page.get_by_text('"you"')).to_be_visible()
