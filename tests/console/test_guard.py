"""The guard of these tests sees what it is there for."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browser_checks import Guard
from tests.console.installation import Installation


@pytest.fixture
def alone(browser: Browser, installation: Installation) -> tuple[Page, Guard]:
    """A page whose guard is not asked at the end."""
    context = browser.new_context()
    guard = Guard(context)
    page = context.new_page()
    page.goto(installation.url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    guard.check()
    return page, guard


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        ("new Image().src = 'https://elsewhere.example/x.png'", "elsewhere"),
        ("fetch('https://elsewhere.example/').catch(() => {})", "elsewhere"),
        ("document.body.setAttribute('style', 'color: red')", "style-src"),
        ("document.body.append(Object.assign(document.createElement('script'), {text: '1'}))", "script-src"),
        ("setTimeout(() => { throw new Error('a defect'); })", "a defect"),
        ("Promise.reject(new Error('forgotten')) && 0", "forgotten"),
        ("console.error('looks bad')", "looks bad"),
    ],
)
def test_what_must_not_be_is_seen(alone: tuple[Page, Guard], harm: str, expected: str) -> None:
    page, guard = alone
    with page.expect_event("pageerror" if expected == "a defect" else "console"):
        page.evaluate(f"() => {{ {harm}; }}")
    page.evaluate("new Promise((done) => setTimeout(done))")
    with pytest.raises(AssertionError, match=expected):
        guard.check()
    page.context.close()


def test_a_request_to_another_origin_is_seen(alone: tuple[Page, Guard]) -> None:
    page, guard = alone
    page.context.route("https://elsewhere.example/**", lambda route: route.fulfill(body="x"))
    other = page.context.new_page()
    other.goto("https://elsewhere.example/")
    with pytest.raises(AssertionError, match="other origins"):
        guard.check()
    page.context.close()
