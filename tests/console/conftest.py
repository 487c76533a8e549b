"""The console in a real Chromium, on real processes of the built file. Each test has a fresh profile, and a
guard that checks what the browser did."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.support.waiting import STALL_SECONDS

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

DEADLINE_MS = 1000 * STALL_SECONDS
"""The limit of waiting. Machines may be busy."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say what each page showed when a test failed: a timeout names only what did not come."""
    report = yield
    context = getattr(item, "funcargs", {}).get("context")
    if report.when == "call" and report.failed and context is not None:
        for page in context.pages:
            try:
                text = page.locator("body").inner_text(timeout=5_000)[:4_000]
            except PlaywrightError as error:
                text = str(error)
            report.sections.append((f"page {page.url}", text))
    return report


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=DEADLINE_MS)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        assert os.environ.get("CI") != "true", "there is no chromium"
        pytest.skip("chromium is not installed (apt install chromium)")
    browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """An installation that the tests of one file share: what those of others leave depends on the order. Each
    test starts its own workflows."""
    with installed(tmp_path_factory.mktemp("console")) as installation:
        yield installation


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(DEADLINE_MS)
    yield context
    context.close()


@pytest.fixture
def guard(context: BrowserContext) -> Iterator[Guard]:
    """Fails the test at its end if the browser did anything that the console forbids."""
    guard = Guard(context)
    yield guard
    guard.check()


@pytest.fixture
def page(context: BrowserContext, guard: Guard) -> Page:
    return context.new_page()


@pytest.fixture
def example() -> Path:
    """A flow with two waits and a guard that says yes, and one that says no."""
    return Path(__file__).parents[2] / "examples" / "demo.flow"
