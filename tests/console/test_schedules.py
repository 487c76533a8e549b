"""The page of schedules: the list, one schedule, and what can be done to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from lfr.operations.schedules import add_schedule
from lfr.operations.stored_flows import FlowSource, apply_flows
from tests.console.contrast import too_faint
from tests.console.installation import Installation, installed

HARM = "<img src=x onerror='window.harmed = 1'>"
CRON = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "jitter": "5m", "input": {"x": HARM}}


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """An installation with the flow `work` and its schedule."""
    with installed(tmp_path_factory.mktemp("scheduled")) as installation:
        apply_flows(installation.store, [FlowSource("@flow work (- schedule: {every: 1d} -)\na")])
        yield installation


def test_there_is_no_schedule_yet(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/")
    page.get_by_role("link", name="Schedules").click()
    expect(page.get_by_role("heading", name="There is no schedule yet")).to_be_visible()


def test_a_schedule_is_triggered_paused_and_resumed(scheduled: Installation, page: Page) -> None:
    add_schedule(scheduled.store, "nightly", CRON, "work")
    page.goto(f"{scheduled.url}/schedules")
    row = page.locator("tbody tr", has_text="nightly")
    expect(row).to_contain_text("30 2 * * *")
    expect(row).to_contain_text("Europe/Berlin")
    row.get_by_role("link", name="nightly").click()
    expect(page.locator(".upcoming li")).to_have_count(20)
    expect(page.locator(".upcoming li").first).to_contain_text(" 02:30:00+0")
    expect(page.get_by_text("None of its times has come yet.")).to_be_visible()
    page.get_by_role("button", name="Trigger").click()
    page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
    outcomes = page.locator("table.outcomes tbody tr")
    expect(outcomes.first).to_contain_text("triggered")
    expect(outcomes.first).to_contain_text("by hand (loopback)")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("textbox").fill(HARM)
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(outcomes.first).to_contain_text(HARM)
    expect(page.get_by_text(f"paused: {HARM}").first).to_be_visible()
    assert not too_faint(page)
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(outcomes.first).to_contain_text("resumed")
    expect(outcomes).to_have_count(3)
    assert page.evaluate("window.harmed") is None
    outcomes.last.get_by_role("link").click()
    expect(page.get_by_role("heading", name="work")).to_be_visible()


def test_a_schedule_that_is_gone(scheduled: Installation, page: Page, guard: object) -> None:
    guard.expects("404")  # type: ignore[attr-defined]
    page.goto(f"{scheduled.url}/schedules?name=nothing")
    expect(page.get_by_role("alert")).to_contain_text("there is no schedule nothing")
