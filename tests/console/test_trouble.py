"""What the console says when something is away, and that it goes on by itself when it is back."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, Route, expect

from lfr.host.valkey import ValkeyServer
from lfr.host.valkey_address import free_port
from lfr.operations.intervene import terminate_workflow
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, console, is_serving
from tests.console.pages import state_of
from tests.support.processes import role
from tests.support.waiting import STALL_SECONDS, eventually


@pytest.fixture
def server(tmp_path: Path, browser: Browser) -> Iterator[ValkeyServer]:
    """A server that can be stopped and started again at the same address."""
    with ValkeyServer(tmp_path / "data", port=free_port()) as server:
        yield server


def test_no_lifecycle(server: ValkeyServer, page: Page) -> None:
    with console(server) as installation:
        id = installation.lfr.run("@flow still\na -> b", {})
        page.goto(installation.page(id))
        alarm = page.get_by_role("alert")
        expect(alarm).to_contain_text("No lifecycle is running, so workflows do not advance. Start one:")
        for path in ("./", "start", "events", "system"):
            page.locator(f"nav[aria-label=Pages] a[href='{path}']").click()
            expect(alarm).to_contain_text("No lifecycle is running")
        with role("lifecycle", url=installation.redis):
            expect(alarm).to_have_count(0)
        expect(alarm).to_contain_text("No lifecycle is running")


def test_redis_goes_and_comes_back(server: ValkeyServer, page: Page, guard: Guard) -> None:
    guard.expects("503", "502", "500")
    with console(server) as installation, role("worker", url=server.address.url):
        id = installation.lfr.run("@flow through\na -> b", {})
        page.goto(installation.page(id))
        expect(page.get_by_role("button", name="Live")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        server.stop()
        expect(
            page.get_by_role("button", name=re.compile(r"No updates since \d\d:\d\d:\d\d"))
        ).to_be_visible()
        expect(page.get_by_role("alert").first).to_contain_text(
            "This page shows the last known state; the console retries."
        )
        expect(state_of(page)).to_contain_text("through Running")  # what was known is still shown
        server.start()
        expect(page.get_by_role("button", name="Live")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        installation.end(id, 1, {"through": True})
        expect(page.locator('.graph .node[data-index="2"]')).to_contain_text("Running")


def test_pages_that_are_opened_while_redis_is_away_fill_by_themselves(
    server: ValkeyServer, page: Page, guard: Guard
) -> None:
    guard.expects("503", "502", "500")
    with console(server) as installation:
        id = installation.lfr.run("@flow later\na -> b", {})
        server.stop()
        page.goto(installation.url)
        expect(page.locator(".page .trouble")).to_contain_text("Redis")
        other = page.context.new_page()
        other.goto(installation.page(id))
        expect(other.locator(".page .trouble")).to_contain_text("Redis")
        server.start()
        expect(page.locator("table.workflows tbody tr")).to_have_count(1)
        expect(page.locator(".page .trouble")).to_have_count(0)
        expect(state_of(other)).to_contain_text("later Running")


def test_the_console_itself_goes_and_comes_back(server: ValkeyServer, page: Page, guard: Guard) -> None:
    guard.expects(
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
        "ERR_CONNECTION_RESET",
        "ERR_EMPTY_RESPONSE",
    )
    address = f"127.0.0.1:{free_port()}"
    url = f"http://{address}"
    with role("console", address, url=server.address.url) as process:
        eventually(lambda: is_serving(url))
        page.goto(url)
        expect(page.get_by_role("button", name="Live")).to_be_visible()
        process.send_signal(signal.SIGTERM)
        process.wait(STALL_SECONDS)
        expect(page.get_by_role("button", name=re.compile("No updates since"))).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("The console's server cannot be reached.")
    with role("console", address, url=server.address.url):
        expect(page.get_by_role("button", name="Live")).to_be_visible()
        expect(page.get_by_role("alert")).not_to_contain_text("cannot be reached")


def test_a_line_that_fell_silent_is_noticed(installation: Installation, page: Page) -> None:
    page.clock.install()
    page.goto(installation.url)
    expect(page.get_by_role("button", name="Live")).to_be_visible()
    with page.expect_request("**/api/live"):
        page.clock.fast_forward(16_000)  # the server gives a sign every 5 seconds
        page.clock.fast_forward(1000)
    expect(page.get_by_role("button", name="Live")).to_be_visible()


def test_a_late_answer_does_not_undo_news(installation: Installation, page: Page) -> None:
    """The answer to a question is held back; meanwhile news tell of what happened after it was made."""
    id = installation.lfr.run("@flow late\na -> b -> c", {})
    page.goto(installation.page(id, view="steps"))
    rows = page.locator(".steps tbody tr")
    expect(rows.first).to_contain_text("Running")
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route(re.compile(r"values=false"), hold)
    installation.ask("POST", f"/workflows/{id}/steps/1/retry")
    page.locator(".row-link").first.click()
    page.locator(".step-panel").get_by_role("button", name="Retry").click()
    with page.expect_request(re.compile("values=false")):
        page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(rows.first).to_contain_text("3")
    installation.end(id, 1, {})
    expect(rows.first).to_contain_text("Done")
    installation.end(id, 2, {})
    expect(rows.nth(2)).to_contain_text("Running")
    route, answer = held[0]
    with page.expect_response(re.compile("history")):
        route.fulfill(response=answer)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    expect(rows.first).to_contain_text("Done", timeout=1)
    expect(rows.nth(2)).to_contain_text("Running", timeout=1)


def test_the_newest_choice_of_a_list_counts(installation: Installation, page: Page) -> None:
    installation.lfr.run("@flow choice\na", {}, "choice-1")
    terminate_workflow(installation.store, "choice-1")
    page.goto(installation.url)
    expect(page.locator("table.workflows tbody tr").first).to_be_visible()
    held: list[Route] = []
    page.route(re.compile(r"state(=|%3D)(%22)?RUNNING"), lambda route: held.append(route))
    page.get_by_role("navigation", name="States").get_by_role("link", name="Running").click()
    page.get_by_role("navigation", name="States").get_by_role("link", name="Terminated").click()
    expect(page.locator("table.workflows tbody tr", has_text="choice")).to_be_visible()
    with page.expect_response(re.compile("state(=|%3D)(%22)?RUNNING")):
        held[0].continue_()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    expect(page.locator("table.workflows tbody tr", has_text="choice")).to_be_visible()
    expect(page.locator("table.workflows .state.tone-running")).to_have_count(0)


def test_more_windows_than_a_browser_has_connections(
    installation: Installation, context: BrowserContext, guard: Guard
) -> None:
    """Browsers open six connections to a server, and a live stream holds one."""
    id = installation.lfr.run("@flow many\na -> b", {})
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto(installation.page(id))
        expect(page.get_by_role("heading", level=1)).to_contain_text("many")
    waiting = page.get_by_role("button", name="other windows are live")
    expect(waiting).to_be_visible()
    installation.end(id, 1)
    installation.end(id, 2)
    for page in pages:
        expect(page.get_by_role("heading", level=1)).to_contain_text("Finished")


def test_a_browser_that_blocks_storage_shows_the_pages(installation: Installation, page: Page) -> None:
    page.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {
            get() { throw new DOMException("blocked", "SecurityError"); }
        });"""
    )
    page.goto(installation.url)
    expect(page.get_by_role("heading", name="Workflows")).to_be_visible()
    page.get_by_role("button", name="Theme: as the system").click()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
