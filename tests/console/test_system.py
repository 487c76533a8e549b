"""What the console shows of an installation as a whole: sizes, what the doctor finds, named tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from playwright.sync_api import Browser, Page, expect

from lfr.operations.tokens import list_tokens
from lfr.store import keys
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("own")) as installation:
        yield installation


def test_the_largest_workflows_and_the_children_of_one(own: Installation, page: Page) -> None:
    own.lfr.run("@flow big\nnobody:does", "x" * 50_000, "big-1")
    own.lfr.run("@flow small\n* nobody:does", [1, 2, 3], "small-1")
    page.goto(own.url)
    rows = page.locator("table.workflows tbody tr")
    expect(rows.first).to_contain_text("small")
    page.get_by_role("link", name="Largest first").click()
    expect(rows.first).to_contain_text("big")
    expect(rows.first.locator("[data-label=Size]")).to_contain_text("kB")
    page.get_by_role("link", name="Newest first").click()
    expect(rows.first).to_contain_text("small")
    rows.first.get_by_role("link").first.click()
    page.get_by_role("button", name="Size in Redis").click()
    expect(page.locator(".facts")).to_contain_text("in Redis")
    page.get_by_role("link", name="children that are stored").click()
    expect(rows).to_have_count(3)
    expect(page.locator(".chips")).to_contain_text("children of small-1")
    expect(rows.first).to_contain_text("small 1/1.2")
    expect(page.get_by_role("toolbar", name="For all that match")).to_have_count(0)


def test_the_doctor_mends(own: Installation, page: Page) -> None:
    client = redis.Redis.from_url(own.redis)
    client.hset("workflow:lost:steps", "1", "0 0 1")
    page.goto(f"{own.url}/system")
    page.get_by_role("button", name="Examine the installation").click()
    findings = page.locator(".findings li")
    expect(findings.filter(has_text="workflow:lost")).to_have_count(1)
    page.get_by_role("button", name="Mend").click()
    page.get_by_role("dialog").get_by_role("button", name="Mend").click()
    expect(findings.filter(has_text="workflow:lost")).to_contain_text("mended:")
    assert not client.exists("workflow:lost:steps")
    page.get_by_role("button", name="Examine the installation").click()
    expect(findings.filter(has_text="workflow:lost")).to_have_count(0)


def test_a_token_is_added_shown_once_and_removed(own: Installation, page: Page, guard: Guard) -> None:
    guard.expects("400")
    page.goto(f"{own.url}/system")
    form = page.get_by_role("form", name="Add a token")
    expect(form.get_by_label("Role")).to_have_value("operate")
    form.get_by_label("Name").fill("a b")
    form.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be the name of a token")
    form.get_by_label("Name").fill("ci")
    form.get_by_label("Expires in").fill("90d")
    form.get_by_role("button").click()
    secret = page.locator(".alarm code", has_text="lfr_")
    expect(secret).to_be_visible()
    assert [(each["name"], each["role"]) for each in list_tokens(own.store)] == [("ci", "operate")]
    row = page.locator("table.tokens tbody tr", has_text="ci")
    expect(row).to_have_count(1)
    page.reload()
    expect(row).to_have_count(1)
    expect(secret).to_have_count(0)
    row.get_by_role("button", name="Remove ci").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    assert list_tokens(own.store) == []
    assert not redis.Redis.from_url(own.redis).exists(keys.TOKENS)
