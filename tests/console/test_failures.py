"""The page of failures: why workflows failed, in groups, and what is done to a group."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from lfr.operations.failures.group import group_failures
from lfr.operations.intervene import fail_task
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.support.waiting import eventually

FLOW = "@flow import\nrows -> load"


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """Workflows that fail for two causes; the tests change those of the second one."""
    more = {
        "LFR_API_REQUIRE_TOKEN": "always",
        "LFR_API_TOKEN": "may-operate",
        "LFR_API_READ_TOKEN": "may-read",
    }
    with installed(tmp_path_factory.mktemp("failures"), token="may-operate", more=more) as installation:
        for number in range(130):
            installation.lfr.run(FLOW, {}, f"import-{number}")
            reason = f"no answer from 10.0.0.{number} in {number} s" if number >= 3 else "KeyError: 'a'"
            fail_task(installation.store, f"import-{number}", 1, reason)
        yield installation


@pytest.fixture
def signed_in(failing: Installation, page: Page, guard: Guard) -> Page:
    guard.expects("401")
    open_with(page, failing, "may-operate")
    return page


def open_with(page: Page, installation: Installation, token: str) -> None:
    page.goto(f"{installation.url}/failures")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Enter").click()


def group(page: Page, reason: str) -> Locator:
    return page.get_by_role("article").filter(has_text=reason)


def test_causes_are_shown_with_their_workflows(failing: Installation, signed_in: Page) -> None:
    page = signed_in
    expect(page.get_by_text("130 workflows failed in the last 24 hours, for 2 causes.")).to_be_visible()
    articles = page.get_by_role("article")
    expect(articles.first).to_contain_text("127 failed at rows of the flow import")
    expect(articles.first).to_contain_text("no answer from <address> in <n> s")
    expect(articles.first.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("Failures over time, each bar 1 h, up to 127 in one")
    )
    expect(articles.first.get_by_role("button", name="Archive")).to_have_count(0)  # there is no folder
    keys = group(page, "KeyError")
    keys.get_by_role("button", name="Show the 3 workflows").click()
    expect(keys.locator(".members a")).to_have_text([f"import-{number}" for number in (2, 1, 0)])
    keys.get_by_role("link", name="In the list").click()
    expect(page.locator("table.workflows tbody tr")).to_have_count(3)
    expect(page.get_by_role("link", name="failed for one cause")).to_be_visible()
    page.get_by_role("link", name="Why they failed, grouped by cause").click()
    expect(page.get_by_role("link", name="of the flow import")).to_be_visible()
    page.get_by_role("navigation", name="Period").get_by_role("link", name="All").click()
    expect(page.get_by_text("130 workflows failed so far, for 2 causes.")).to_be_visible()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Failures").click()
    expect(page).to_have_url(f"{failing.url}/failures")


def test_a_group_is_restarted_and_nothing_else(failing: Installation, signed_in: Page) -> None:
    page = signed_in
    no_answer = group(page, "no answer")
    no_answer.get_by_role("button", name="Retry one first").click()
    page.get_by_role("dialog", name="Retry import-129?").get_by_role("button", name="Retry").click()
    expect(page.get_by_text("import-129 is restarted")).to_be_visible()
    no_answer.get_by_role("button", name="Restart all 126").click()
    dialog = page.get_by_role("dialog", name="Restart 126 workflows?")
    expect(dialog.locator(".ids li")).to_have_text(
        [*(f"import-{number}" for number in range(3, 8)), "… and 121 more"]
    )
    held: list[Route] = []
    page.route("**/workflows/bulk", lambda route: held.append(route), times=1)
    dialog.get_by_role("button", name="Restart 126").click()
    dialog.get_by_role("button", name="Stop").click()
    eventually(lambda: held or page.wait_for_timeout(10))  # its request is under way
    held[0].continue_()
    expect(dialog.get_by_role("status")).to_have_text(re.compile(r"Stopped: [1-9]\d* of 126 workflows"))
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_role("status")).to_have_text("Done: 126 of 126 workflows")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_text("3 workflows failed in the last 24 hours, for 1 cause.")).to_be_visible()
    assert len(failing.lfr.list(where="state=RUNNING flow=import", limit=200)) == 127
    assert group_failures(failing.store)["failed"] == 3


def test_one_group_is_given_up_and_nothing_is_left(failing: Installation, signed_in: Page) -> None:
    page = signed_in
    group(page, "KeyError").get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name="Terminate 3").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Nothing has failed in the last 24 hours")).to_be_visible()


def test_a_token_that_may_only_read_sees_no_actions(failing: Installation, page: Page, guard: Guard) -> None:
    guard.expects("401")
    failing.lfr.run("@flow other\na", {}, "other-1")
    fail_task(failing.store, "other-1", 1, "no disk")
    open_with(page, failing, "may-read")
    article = group(page, "no disk")
    expect(article.get_by_role("button")).to_have_text(["Show the workflow"])
    expect(page.get_by_role("button", name=re.compile("Restart"))).to_have_count(0)
