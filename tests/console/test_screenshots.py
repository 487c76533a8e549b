"""Pictures of every page and view, to be looked at: light and dark, on a desk and on a phone.

They are kept in .build/screenshots. What a machine can see in them is held here: nothing is wider than its
screen, every word stands out from what is behind it, everything can be clicked, and people who hear pages
can use them (axe-core).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.console.browser_checks import Guard
from tests.console.conftest import DEADLINE_MS
from tests.console.contrast import too_faint
from tests.console.gallery import Gallery, fill
from tests.console.hit_test import covered
from tests.console.installation import Installation, installed
from tests.support.processes import role

FOLDER = Path(__file__).parents[2] / ".build" / "screenshots"

# Another machine has other letters: nothing may fit by a hair.
MEASURE_WIDTHS = """() => {
    const measure = () => document.documentElement.scrollWidth;
    const usual = measure();
    const letters = new CSSStyleSheet();
    letters.replaceSync("* { letter-spacing: 0.04em !important; }");
    document.adoptedStyleSheets = [letters];
    const wide = measure();
    document.adoptedStyleSheets = [];
    return { usual, wide };
}"""

WRONG = "@flow order\ncheck -> {\n  pay -> nowhere:\n  pack (- count: 1 -\n} -> ship\n"


NOTICE_RULES = {
    "LFR_NOTIFY_RULES": "nightly.when=failed,nightly.flow=nightly-report,nightly.to=command:page,"
    "images.when=failed,images.flow=thumbnails,images.to=command:chat",
    "LFR_NOTIFY_COMMANDS": "page=/bin/true,chat=/bin/false",
}


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder of the pictures, without those of an earlier session."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    return FOLDER


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    with (
        installed(tmp_path_factory.mktemp("busy"), (("worker",), ("receipts",))) as installation,
        role("notify", url=installation.redis, more=NOTICE_RULES),
    ):
        yield installation


@pytest.fixture(scope="module")
def gallery(busy: Installation) -> Gallery:
    return fill(busy)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """Nothing has been started here, no role runs, and a token is asked for."""
    more = {"LFR_API_REQUIRE_TOKEN": "always", "LFR_API_TOKEN": "abc", "LFR_API_READ_TOKEN": "def"}
    with installed(tmp_path_factory.mktemp("empty"), (), token="abc", more=more) as installation:
        yield installation


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1440, "light"),
        (1280, "dark"),
        (1024, "light"),
        (768, "light"),
        (380, "light"),
        (380, "dark"),
    ],
)
def test_pictures(
    busy: Installation,
    empty: Installation,
    gallery: Gallery,
    browser: Browser,
    folder: Path,
    width: int,
    scheme: str,
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(DEADLINE_MS)
    guard = Guard(context)
    page = context.new_page()
    findings: list[str] = []
    axe = Axe()

    def shoot(name: str, installation: str = "") -> None:
        if installation:
            expect(page.locator(installation).first).to_be_visible()
        expect(page.locator(".loading")).to_have_count(0)
        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        for font, wide in page.evaluate(MEASURE_WIDTHS).items():
            if wide > width:
                findings.append(f"{name} is {wide} pixels wide with {font} letters")
        findings.extend(f"{name}: {line}" for line in too_faint(page))
        findings.extend(f"{name}: {line}" for line in covered(page))
        if width in (1280, 380):
            violations = axe.run(page).response["violations"]
            findings.extend(
                f"{name}: {each['id']}: {node['html'][:120]}" for each in violations for node in each["nodes"]
            )

    _workflow_pages(page, busy, gallery, shoot)
    _other_pages(page, busy, shoot)
    guard.check()
    context.close()
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    guard = Guard(context)
    guard.expects("401", "404")
    page = context.new_page()
    page.goto(empty.url)
    shoot("token", "h1:has-text('token')")
    page.get_by_label("Token").fill("abc")
    page.get_by_role("button", name="Enter").click()
    shoot("list-empty", "h2:has-text('No workflows yet')")
    page.goto(f"{empty.url}/nowhere")
    shoot("nothing", "h1:has-text('nothing at this address')")
    page.goto(f"{empty.url}/workflows/workflow:nobody")
    shoot("workflow-missing", ".trouble")
    guard.check()
    context.close()
    assert not findings, "\n".join(findings)


Shoot = Callable[..., None]


def _workflow_pages(page: Page, installation: Installation, gallery: Gallery, shoot: Shoot) -> None:
    page.goto(installation.page(gallery.order, view="graph"))
    shoot("workflow-graph", ".graph .node")
    page.goto(installation.page(gallery.order, view="graph", dir="TB", step=4))
    page.locator(".graph .node").first.wait_for()
    shoot("workflow-graph-panel", ".step-panel h3:has-text('Parameters')")
    page.goto(installation.page(gallery.items, view="graph", step=1))
    page.locator(".graph .node").first.wait_for()
    shoot("workflow-items", ".step-panel h3:has-text('Items')")
    page.goto(installation.page(gallery.order, view="timeline"))
    shoot("workflow-timeline", ".tabs")
    page.goto(installation.page(gallery.order, view="steps"))
    shoot("workflow-steps", ".steps tbody tr")
    page.goto(installation.page(gallery.waiting, view="steps", step=2))
    shoot("workflow-waiting", ".step-panel h3:has-text('Waits for')")
    page.goto(installation.page(gallery.retried, view="history", step=1))
    page.locator(".history tbody tr").first.wait_for()
    page.locator(".step-panel h3:has-text('Input')").wait_for()
    shoot("workflow-history", ".step-panel .log-lines")
    page.goto(installation.page(gallery.finished, view="values"))
    shoot("workflow-values", ".values h3:has-text('Output')")
    page.goto(installation.page(gallery.order, view="source"))
    shoot("workflow-source", ".source pre")
    page.goto(installation.page(gallery.failed, view="graph"))
    page.locator(".graph .node").first.wait_for()
    shoot("workflow-failed", ".what-now .tone-failed, .what-now p")
    page.get_by_role("button", name="Delete").click()
    shoot("dialog", "dialog h2")
    page.get_by_role("button", name="Cancel").click()


def _other_pages(page: Page, installation: Installation, shoot: Shoot) -> None:
    page.goto(installation.url)
    shoot("list", "tbody tr")
    page.get_by_label("Choose hello-1").check()
    page.get_by_label("Choose hello-2").check()
    shoot("list-chosen", ".bulk")
    page.goto(f"{installation.url}/flows/hello")
    shoot("flow", ".run-grid")
    page.goto(f"{installation.url}/compare?first=hello-1&second=hello-2")
    shoot("compare", ".compared-steps")
    page.goto(f"{installation.url}/?text=nobody+knows&state=FAILED")
    shoot("list-nothing-fits", ".empty")
    page.goto(f"{installation.url}/failures")
    page.get_by_role("button", name="Show the").first.click()
    shoot("failures", ".members li")
    page.get_by_role("button", name="Restart it").first.click()
    shoot("failures-restart", "dialog .ids li")
    page.get_by_role("button", name="Cancel").click()
    page.goto(f"{installation.url}/start")
    shoot("start-empty", ".editor")
    flow = page.get_by_label("Flow", exact=True)
    flow.fill(WRONG)
    page.get_by_label("Input", exact=True).fill("{name: you}")
    shoot("start-errors", ".findings li")
    page.get_by_label("Input", exact=True).fill('{"name": "you"}')
    page.get_by_text("An id of your own").click()
    flow.fill("@flow order\n@task unused { x }\ncheck:stock -> { pay  pack } -> > ship")
    page.locator(".verdict.tone-done").wait_for()
    shoot("start", ".graph .node")
    page.goto(f"{installation.url}/events")
    page.locator("summary").first.click()
    shoot("events", "h2:has-text('On the stream')")
    page.get_by_role("button", name="Send an event").click()
    shoot("events-send", "dialog h2")
    page.keyboard.press("Escape")
    page.goto(f"{installation.url}/waiting")
    shoot("waiting", "tbody tr")
    page.get_by_role("row", name="the event approved").get_by_role("checkbox").check()
    shoot("waiting-chosen", ".bulk button")
    page.get_by_role("button", name="Send the event").click()
    shoot("waiting-send", "dialog h2")
    page.keyboard.press("Escape")
    page.goto(f"{installation.url}/workers")
    page.locator(".processes summary").first.click()
    shoot("workers", ".groups tbody tr")
    page.goto(f"{installation.url}/system")
    shoot("system", "h2:has-text('Groups')")
    page.keyboard.press("?")
    shoot("help", "dialog kbd")
    page.goto(f"{installation.url}/notices")
    shoot("notices", "h2")
    page.goto(f"{installation.url}/docs")
    shoot("docs", ".operation")
    page.goto(f"{installation.url}/docs?find=/workflows/start")
    page.locator(".operation > summary").first.click()
    page.locator(".response > summary").first.click()
    shoot("docs-open", ".operation-body")
