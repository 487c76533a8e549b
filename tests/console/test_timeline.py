"""The timeline of a workflow that loops."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from lfr.operations.intervene import terminate_workflow
from tests.console.installation import Installation
from tests.support.waiting import eventually

LOOP = "@flow turns\nwait:delay (- duration: 10ms -) -> wait:delay (- duration: 10ms -) -> :start"


def test_a_loop_takes_no_more_of_the_document_the_longer_it_runs(
    installation: Installation, page: Page
) -> None:
    id = installation.lfr.run(LOOP, {})
    page.goto(installation.page(id, view="timeline"))

    def turns() -> int:
        times = page.locator(".timeline .times").first
        expect(times).to_have_text(re.compile(r"×\d+"))
        return int((times.text_content() or "").lstrip("×"))

    def elements() -> int:
        return int(page.evaluate("document.querySelectorAll('.timeline *').length"))

    first = eventually(lambda: (count := turns()) > 150 and count)
    assert elements() < 200
    eventually(lambda: turns() > 2 * first)
    assert elements() < 200
    expect(page.locator(".timeline path.segment").first).to_be_visible()
    title = page.locator(".timeline-bars title").first
    expect(title).to_have_text(re.compile(r"wait:delay: [\d,]+ runs"))
    terminate_workflow(installation.store, id)
