"""The console where a token is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.support.processes import lfr


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    more = {
        "LFR_API_REQUIRE_TOKEN": "always",
        "LFR_API_TOKEN": "may-operate",
        "LFR_API_READ_TOKEN": "may-read",
    }
    with installed(tmp_path_factory.mktemp("closed"), token="may-operate", more=more) as installation:
        installation.lfr.run("@flow closed\na -> b", {}, "closed-1")
        yield installation


@pytest.fixture
def guard(guard: Guard) -> Guard:
    guard.expects("401")
    return guard


def enter(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Enter").click()


def test_without_a_token_nothing_is_shown(closed: Installation, page: Page) -> None:
    for address in (
        closed.url,
        closed.page("workflow:closed-1"),
        f"{closed.url}/events",
        f"{closed.url}/system",
    ):
        page.goto(address)
        expect(page.get_by_role("heading", name="A token is required")).to_be_visible()
        expect(page.get_by_label("Token")).to_be_focused()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.locator("body")).not_to_contain_text("closed-1")


def test_a_wrong_token_is_said_to_be_wrong(closed: Installation, page: Page) -> None:
    page.goto(closed.url)
    enter(page, "guessed")
    expect(page.get_by_role("alert")).to_contain_text("This token is wrong.")
    enter(page, "guessed")
    expect(page.get_by_role("alert")).to_contain_text("This token is wrong.")


def test_the_right_one_opens_what_was_asked_for(closed: Installation, page: Page) -> None:
    page.goto(closed.page("workflow:closed-1", view="steps"))
    enter(page, "may-operate")
    expect(page.locator(".steps tbody tr").first).to_contain_text("Running")
    expect(page.get_by_role("button", name="Live")).to_be_visible()
    page.reload()
    expect(page.locator(".steps tbody tr").first).to_contain_text("Running")
    other = page.context.new_page()  # kept for that tab alone
    other.goto(closed.url)
    expect(other.get_by_role("heading", name="A token is required")).to_be_visible()
    page.get_by_role("button", name="Forget token").click()
    expect(page.get_by_role("heading", name="A token is required")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("closed-1")


def test_it_is_remembered_if_that_is_wished(closed: Installation, page: Page) -> None:
    page.goto(closed.url)
    page.get_by_label("Remember it in this browser").check()
    enter(page, "may-operate")
    expect(page.locator("table.workflows tbody tr")).to_have_count(1)
    other = page.context.new_page()
    other.goto(closed.url)
    expect(other.locator("table.workflows tbody tr")).to_have_count(1)
    other.get_by_role("button", name="Forget token").click()
    page.reload()
    expect(page.get_by_role("heading", name="A token is required")).to_be_visible()


def test_with_a_read_token_one_looks_and_changes_nothing(
    closed: Installation, page: Page, guard: Guard
) -> None:
    guard.expects("403")
    page.goto(closed.page("workflow:closed-1"))
    enter(page, "may-read")
    page.get_by_role("button", name="Terminate").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Terminate").click()
    expect(dialog.get_by_role("alert")).to_contain_text("this token is for reading only")
    page.keyboard.press("Escape")
    assert closed.state("workflow:closed-1") == "RUNNING"
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_role("textbox", name="Flow", exact=True).fill("a")
    expect(page.locator(".verdict")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("this token is for reading only")


def test_a_link_logs_a_browser_in_once(
    tmp_path_factory: pytest.TempPathFactory, page: Page, browser: Browser
) -> None:
    more = {
        "LFR_API_REQUIRE_TOKEN": "always",
        "LFR_API_TOKEN": "",
        "STATE_DIRECTORY": str(tmp_path_factory.mktemp("state")),
    }
    with installed(tmp_path_factory.mktemp("linked"), (), more=more) as installation:
        made = lfr("token", "--link", f"{installation.url}/", url=installation.redis, more=more)
        assert made.returncode == 0, made.stderr
        page.goto(made.stdout.strip())
        expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()
        expect(page).to_have_url(f"{installation.url}/")
        context = browser.new_context()
        other = context.new_page()
        other.goto(made.stdout.strip())
        expect(other.get_by_role("heading", name="A token is required")).to_be_visible()
        context.close()
