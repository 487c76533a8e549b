"""The pages of those who wait, and of tasks and workers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.installation import Installation, installed
from tests.console.test_events import worker
from tests.support.waiting import eventually_equal

PAID = (
    "@flow order\nwait:event (- {event: paid, timeout: 1h, on_timeout: fail, match: {order: '{input[n]}'}} -)"
)
HARM = "<img src=x onerror='window.harmed = 1'>"


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """An installation of their own: these tests count all who wait."""
    with installed(tmp_path_factory.mktemp("waiting")) as installation:
        yield installation


def test_the_event_is_sent_to_those_who_are_chosen(waiting: Installation, page: Page) -> None:
    ids = [waiting.lfr.run(PAID, {"n": n}) for n in ("a", "b", HARM)]
    waiting.lfr.run("@flow nap\nwait:delay (- duration: 1h -)", {})
    eventually_equal(lambda: len(waiting.lfr.waits(name="paid")), 3)
    page.goto(f"{waiting.url}/")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Waiting").click()
    kinds = page.get_by_role("navigation", name="Kinds of waits")
    expect(kinds.get_by_role("link", name="Events")).to_contain_text("3")
    expect(page.get_by_role("row", name="the end of a delay")).to_contain_text(re.compile(r"in 59 min"))
    kinds.get_by_role("link", name="Events").click()
    page.get_by_label("Event", exact=True).select_option("paid")
    expect(page).to_have_url(f"{waiting.url}/waiting?kind=event&name=paid")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("fails in 59 min")
    for n in ("a", HARM):
        rows.filter(has_text=f'"{n}').get_by_role("checkbox").check()
    page.get_by_role("button", name="Send the event").click()
    dialog = page.get_by_role("dialog", name="Send 2 events")
    dialog.get_by_label("Further fields").fill('{"output": {"by": "ann"}}')
    dialog.get_by_role("button", name="Send").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text('{ "order": "b" }')
    assert waiting.lfr.wait(ids[0])["output"] == {"order": "a", "by": "ann"}
    assert waiting.lfr.wait(ids[2])["state"] == "FINISHED"
    assert page.evaluate("window.harmed") is None
    page.get_by_label("Flow", exact=True).fill("other")
    page.get_by_label("Flow", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Nobody waits for that")).to_be_visible()
    page.go_back()
    page.go_back()
    rows.filter(has_text="paid").get_by_role("link").click()
    expect(page.locator(".step-panel")).to_contain_text("wait:event")


def test_who_does_a_task_and_what_nobody_has_ever_done(waiting: Installation, page: Page) -> None:
    waiting.lfr.run("@flow film\nvideo:transcode -> upload", {})
    page.goto(f"{waiting.url}/workers")
    row = page.locator(".tasks tr", has_text="video:transcode")
    expect(row).to_contain_text("nobody")
    expect(row).to_contain_text("never")
    expect(page.locator(".alarm").filter(has_text="video:transcode")).to_contain_text(
        "No live worker does video:transcode, and none is known to have ever done it: 1 task of 1 workflow"
    )
    with worker(waiting, "film", "video:transcode"):
        expect(row).to_contain_text("film, 1 process")
        row.locator("summary").click()
        expect(row.locator("li")).to_contain_text(re.compile(r" on .+, process \d+"))
        expect(page.locator(".alarm", has_text="video:transcode")).to_have_count(0)
        expect(page.locator(".groups tr", has_text="film")).to_contain_text("1 in its queue")
