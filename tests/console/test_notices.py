"""The page of notices: without rules it says what to do; a rule can be tested; failures have a reason."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.console.installation import Installation, installed
from tests.support.processes import role

RULES = {
    "LFR_NOTIFY_RULES": "nightly.when=failed,nightly.flow=report,nightly.to=command:good,"
    "others.when=failed,others.flow=daily,others.to=command:bad",
    "LFR_NOTIFY_COMMANDS": "good=/bin/true,bad=/bin/false",
}


def test_a_rule_is_tested(installation: Installation, page: Page) -> None:
    with role("notify", url=installation.redis, more=RULES):
        page.goto(f"{installation.url}/system")
        page.get_by_role("link", name="Notices").click()
        row = page.get_by_role("row", name="nightly")
        expect(row).to_contain_text("the flow report")
        row.get_by_role("button", name="Test").click()
        page.get_by_role("button", name="Send the test").click()
        expect(page.get_by_role("dialog")).to_contain_text("command:good has taken it")
        page.get_by_role("button", name="Close").click()
        page.get_by_role("row", name="others").get_by_role("button", name="Test").click()
        page.get_by_role("button", name="Send the test").click()
        expect(page.get_by_role("dialog")).to_contain_text("command:bad has not taken it")
        page.get_by_role("button", name="Close").click()
        id = installation.lfr.run("@flow daily\na", {})
        installation.end(id, 1, reason="no rows")
        expect(page.get_by_role("row", name="command:bad").last).to_contain_text("next try")


def test_without_rules_the_page_says_how_to_begin(
    tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    with installed(tmp_path_factory.mktemp("silent"), ()) as installation:
        page.goto(f"{installation.url}/notices")
        expect(page.get_by_role("heading", name="Nobody is told of failures")).to_be_visible()
