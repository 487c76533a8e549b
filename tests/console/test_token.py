"""The console where a token is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from lfr.operations.tokens import add_token
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.support.processes import lfr
from tests.support.waiting import eventually

OPERATOR_BUTTONS = ["Terminate", "Restart", "Pause"]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    more = {
        "LFR_API_REQUIRE_TOKEN": "always",
        "LFR_API_TOKEN": "may-operate",
        "LFR_API_READ_TOKEN": "may-read",
        "LFR_ARCHIVE_FOLDER": "/nowhere",
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


def test_a_late_answer_to_a_request_of_before_says_nothing_of_the_token(
    closed: Installation, page: Page
) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        held.append(route) if not held else route.continue_()

    page.route("**/api/whoami", hold_the_first)
    page.goto(closed.url)
    expect(page.get_by_role("heading", name="A token is required")).to_be_visible()
    eventually(lambda: page.wait_for_timeout(5) or held)
    enter(page, "may-operate")
    expect(page.locator("main a[href*=closed-1]").first).to_be_visible()
    with page.expect_response(lambda response: response.status == 401):
        held[0].fulfill(status=401, body="{}")
    page.wait_for_function("() => new Promise((done) => setTimeout(() => setTimeout(() => done(true))))")
    expect(page.locator("main a[href*=closed-1]").first).to_be_visible()
    expect(page.get_by_role("heading", name="A token is required")).to_have_count(0)


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


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("read", ["Download archive"]),
        ("operate", [*OPERATOR_BUTTONS, "Start again", "Download archive"]),
        ("admin", [*OPERATOR_BUTTONS, "Delete", "Start again", "Download archive", "Archive on server"]),
    ],
)
def test_a_token_sees_the_buttons_that_its_role_permits(
    closed: Installation, page: Page, role: str, expected: list[str]
) -> None:
    """The server learns of the token without a restart."""
    token = add_token(closed.lfr._store, f"new-{role}", role).token
    page.goto(closed.page("workflow:closed-1", step=1))
    expect(page.get_by_role("heading", name="A token is required")).to_be_visible()

    def is_accepted() -> bool:
        request = Request(f"{closed.url}/api/whoami", headers={"Authorization": f"Bearer {token}"})
        try:
            return bool(json.load(urlopen(request))["role"] == role)
        except HTTPError:
            return False

    eventually(is_accepted)
    enter(page, token)
    may_operate = int(role != "read")
    expect(page.locator(".actions").get_by_role("button")).to_have_text(expected)
    expect(page.locator(".step-panel").get_by_role("button", name="Retry")).to_have_count(may_operate)
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Send an event")).to_have_count(may_operate)
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_role("textbox", name="Flow", exact=True).fill("a")
    expect(page.locator(".verdict")).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_have_count(may_operate)


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
