"""The list of workflows: chosen, paged, searched, live, and what is done to many at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from lfr.operations.intervene import delete_workflow, terminate_workflow
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.support.waiting import eventually

ROWS = "table.workflows tbody tr"


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """A hundred and twenty workflows, one-0 the oldest; the tests change only the newest twenty."""
    with installed(tmp_path_factory.mktemp("list")) as installation:
        for number in range(120):
            installation.lfr.run(
                "@flow one\na -> b" if number % 2 else "@flow two\na -> b", {}, f"one-{number}"
            )
        for number in (116, 118):
            terminate_workflow(installation.store, f"one-{number}")
        installation.end("one-119", 1, reason="the disk is full")
        installation.until("one-119", "FAILED")
        yield installation


def ids(page: Page) -> list[str]:
    titles: list[str] = page.locator(f"{ROWS} .row-link").evaluate_all(
        "(links) => links.map((link) => link.title)"
    )
    return [title.removeprefix("workflow:") for title in titles]


def test_nothing_yet(page: Page, tmp_path_factory: pytest.TempPathFactory) -> None:
    with installed(tmp_path_factory.mktemp("none")) as installation:
        page.goto(installation.url)
        expect(page.get_by_role("heading", name="No workflows yet")).to_be_visible()
        installation.lfr.run("a -> b", {}, "first")
        expect(page.locator(ROWS)).to_have_count(1)  # where nothing stands, nothing can move


def test_states_have_tabs_with_counts(hundred: Installation, page: Page) -> None:
    page.goto(hundred.url)
    tabs = page.get_by_role("navigation", name="States")
    expect(tabs.get_by_role("link", name="All")).to_contain_text("120")
    expect(tabs.get_by_role("link", name="Running")).to_contain_text("117")
    tabs.get_by_role("link", name="Terminated").click()
    expect(page).to_have_url(f"{hundred.url}/?state=TERMINATED")
    expect(page.locator(ROWS)).to_have_count(2)
    assert ids(page) == ["one-118", "one-116"]
    tabs.get_by_role("link", name="Failed").click()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text("the disk is full")
    page.reload()
    expect(page.locator(ROWS)).to_have_count(1)
    page.go_back()
    expect(page.locator(ROWS)).to_have_count(2)
    expect(tabs.get_by_role("link", name="Terminated")).to_have_attribute("aria-current", "true")


def test_rows_wait_neither_for_the_counts_nor_for_an_icon(hundred: Installation, page: Page) -> None:
    held: list[Route] = []
    files: list[str] = []
    page.on("request", lambda request: "/api/" in request.url or files.append(request.url))
    page.route("**/api/workflows/counts", lambda route: held.append(route))
    with page.expect_request("**/api/workflows/counts"):
        page.goto(hundred.url)
    expect(page.locator(ROWS)).to_have_count(50)
    assert len(files) == len(set(files)) <= 4  # the document, a script, the styles, the icon of the tab
    for route in held:
        route.continue_()
    expect(page.get_by_role("navigation", name="States").get_by_role("link", name="All")).to_contain_text(
        "120"
    )


def test_search_finds_a_text_and_opens_an_id(hundred: Installation, page: Page, guard: Guard) -> None:
    guard.expects("404")  # what is looked for may be an id
    page.goto(hundred.url)
    expect(page.locator(ROWS)).to_have_count(50)
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search workflows")
    expect(search).to_be_focused()
    search.fill("one-11")
    search.press("Enter")
    expect(page.locator(ROWS)).to_have_count(11)
    expect(page.get_by_role("link", name="with “one-11”")).to_be_visible()
    page.get_by_role("link", name="with “one-11”").click()
    expect(page.locator(ROWS)).to_have_count(50)
    search.fill("no such workflow")
    search.press("Enter")
    expect(page.get_by_role("heading", name="Nothing matches", exact=True)).to_be_visible()
    search.fill("workflow:one-7")
    search.press("Enter")
    expect(page).to_have_url(hundred.page("workflow:one-7"))
    page.go_back()
    page.get_by_role("link", name="Show all").click()
    page.locator(ROWS).first.hover()
    page.locator(ROWS).first.get_by_role("link", name="only this flow").click()
    expect(page.get_by_role("link", name="of the flow one")).to_be_visible()
    eventually(lambda: (shown := ids(page)) and all(int(id.split("-")[1]) % 2 for id in shown))


def test_a_search_keeps_the_state_and_finds_at_once(hundred: Installation, page: Page) -> None:
    page.goto(f"{hundred.url}/?state=TERMINATED")
    expect(page.locator(ROWS)).to_have_count(2)
    search = page.get_by_role("searchbox", name="Search workflows")
    search.fill("one-118")
    search.press("Enter")
    expect(page.locator(ROWS)).to_have_count(1)
    assert "state=TERMINATED" in page.url and "text=one-118" in page.url
    page.goto(f"{hundred.url}/?name=two&text=one-1")
    expect(page.locator(ROWS)).to_have_count(15)
    page.get_by_role("navigation", name="States").get_by_role("link", name="Failed").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    expect(page.get_by_role("link", name="of the flow two")).to_be_visible()


def test_a_form_filters_by_label_and_reason(hundred: Installation, page: Page, guard: Guard) -> None:
    guard.expects("400")  # what cannot be a label
    installation = hundred
    installation.lfr.run("@flow labelled\na", {}, "labelled-1", labels={"tenant": 7})
    installation.lfr.run("@flow labelled\na", {}, "labelled-2", labels={"tenant": 8})
    page.goto(installation.url)
    form = page.get_by_role("form", name="Filter")
    form.get_by_label("Label").fill("tenant=7")
    form.get_by_label("Label").press("Enter")
    expect(page.locator(ROWS)).to_have_count(1)
    assert ids(page) == ["labelled-1"]
    page.get_by_role("link", name="labelled tenant=7").click()
    expect(page.locator(ROWS)).to_have_count(50)
    form.get_by_label("Reason").fill("DISK")
    form.get_by_role("button", name="Filter").click()
    expect(page.locator(ROWS)).to_have_count(1)
    assert ids(page) == ["one-119"]
    form.get_by_label("Label").fill("1=2")
    form.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_contain_text("a label's name")
    for name in ("labelled-1", "labelled-2"):
        terminate_workflow(installation.store, name)
        delete_workflow(installation.store, name)


def test_all_that_match_are_changed(hundred: Installation, page: Page) -> None:
    installation = hundred
    for number in range(130):
        installation.lfr.run("@flow many\na", {}, f"many-{number}")
    page.goto(f"{installation.url}/?name=many")
    expect(page.locator(ROWS)).to_have_count(50)
    matches = page.get_by_role("toolbar", name="For all that match")
    matches.get_by_role("button", name="Terminate all").click()
    dialog = page.get_by_role("dialog", name="Terminate 130 workflows?")
    expect(dialog).to_contain_text("130 running")
    dialog.get_by_role("button", name="Cancel").click()
    matches.get_by_role("button", name="Terminate all").click()
    dialog.get_by_role("button", name="Terminate 130").click()
    expect(dialog.get_by_role("status")).to_have_text("Done: 130 of 130 workflows")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator(ROWS).first).to_contain_text("Terminated")
    page.goto(f"{installation.url}/?state=TERMINATED&name=many")
    matches.get_by_role("button", name="Delete all").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete 130").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("Done: 130 of 130 workflows")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    assert installation.lfr.list(where="state=RUNNING flow=one")  # nothing else has changed


def test_pages(hundred: Installation, page: Page) -> None:
    page.goto(hundred.url)
    expect(page.locator(ROWS)).to_have_count(50)
    assert ids(page)[0] == "one-119"
    page.get_by_role("button", name="Older").click()
    expect(page.locator(f"{ROWS} .row-link").first).to_have_attribute("title", "workflow:one-69")
    second = page.url
    page.get_by_role("button", name="Older").click()
    expect(page.locator(ROWS)).to_have_count(20)
    expect(page.get_by_role("button", name="Older")).to_have_count(0)
    page.get_by_role("button", name="Newer").click()
    expect(page).to_have_url(second)
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(f"{ROWS} .row-link").first).to_have_attribute("title", "workflow:one-119")
    page.goto(second)  # an address like any other
    expect(page.locator(f"{ROWS} .row-link").first).to_have_attribute("title", "workflow:one-69")
    expect(page.get_by_role("button", name="Live")).to_be_visible()
    expect(page.locator(".fresh")).to_have_count(0)  # what stands on pages before is not new


def test_keys_go_from_row_to_row(hundred: Installation, page: Page) -> None:
    page.goto(hundred.url)
    expect(page.locator(ROWS)).to_have_count(50)
    for key in "jjjk":
        page.keyboard.press(key)
    expect(page.locator(f"{ROWS} .row-link").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(hundred.page("workflow:one-118"))


def test_many_at_once(hundred: Installation, page: Page, guard: Guard) -> None:
    guard.expects("409")
    page.goto(hundred.url)
    for number in (114, 115, 116):
        page.get_by_label(f"Choose one-{number}", exact=True).check()
    bulk = page.get_by_role("toolbar", name="For what is chosen")
    expect(bulk).to_contain_text("3 chosen")
    bulk.get_by_role("button", name="Terminate").click()
    dialog = page.get_by_role("dialog", name="Terminate 3 workflows?")
    expect(dialog.locator("li")).to_have_text(["one-114", "one-115", "one-116"])
    dialog.get_by_role("button", name="Terminate 3").click()
    refused = page.get_by_role("dialog", name="1 of 3 failed")
    expect(refused).to_contain_text("one-116: workflow:one-116 is TERMINATED and cannot be terminated")
    refused.get_by_role("button", name="Close").click()
    for number in (114, 115):
        row = page.locator(ROWS).filter(has=page.get_by_label(f"Choose one-{number}", exact=True))
        expect(row).to_contain_text("Terminated")
    expect(bulk).to_have_count(0)
    page.get_by_label("Choose one-115", exact=True).check()
    with page.expect_download() as download:
        bulk.get_by_role("button", name="Download archives").click()
    assert download.value.suggested_filename == "one-115.json"


def test_news_change_rows_where_they_are(hundred: Installation, page: Page) -> None:
    installation = hundred
    page.goto(installation.url)
    expect(page.locator(ROWS)).to_have_count(50)
    page.get_by_label("Choose one-113", exact=True).check()
    before = ids(page)
    terminate_workflow(installation.store, "one-112")
    row = page.locator(ROWS).filter(has=page.get_by_label("Choose one-112", exact=True))
    expect(row).to_contain_text("Terminated")
    delete_workflow(installation.store, "one-112")
    expect(row).to_contain_text("deleted")
    installation.lfr.run("@flow new\na", {}, "new-1")
    installation.lfr.run("@flow new\na", {}, "new-2")
    expect(page.get_by_role("button", name="2 new")).to_be_visible()
    assert ids(page) == before  # nothing has moved
    expect(page.get_by_label("Choose one-113", exact=True)).to_be_checked()
    page.get_by_role("button", name="2 new").click()
    expect(page.locator(f"{ROWS} .row-link").first).to_have_attribute("title", "workflow:new-2")
    expect(page.get_by_role("button", name="2 new")).to_have_count(0)
    expect(page.get_by_label("Choose one-113", exact=True)).to_be_checked()
    for name in ("new-1", "new-2"):
        terminate_workflow(installation.store, name)
        delete_workflow(installation.store, name)


def test_nothing_is_done_to_what_is_not_seen(hundred: Installation, page: Page) -> None:
    installation = hundred
    page.goto(installation.url)
    last = page.locator(ROWS).nth(49).get_by_role("checkbox")
    last.check()
    expect(page.get_by_role("toolbar")).to_contain_text("1 chosen")
    installation.lfr.run("@flow new\na", {}, "new-3")
    page.get_by_role("button", name="1 new").click()
    expect(page.locator(f"{ROWS} .row-link").first).to_have_attribute("title", "workflow:new-3")
    expect(page.get_by_role("toolbar")).to_have_count(0)  # its row was pushed off the page
    terminate_workflow(installation.store, "new-3")
    delete_workflow(installation.store, "new-3")


def test_paused_nothing_changes(hundred: Installation, page: Page) -> None:
    installation = hundred
    page.goto(installation.url)
    expect(page.get_by_role("button", name="Live")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "true")
    requested_urls: list[str] = []
    page.on("request", lambda request: requested_urls.append(request.url))
    terminate_workflow(installation.store, "one-111")
    installation.until("one-111", "TERMINATED")
    row = page.locator(ROWS).filter(has=page.get_by_label("Choose one-111", exact=True))
    page.wait_for_timeout(1500)  # longer than news take; that nothing comes cannot be waited for otherwise
    expect(row).to_contain_text("Running")
    assert [url for url in requested_urls if "/system" not in url] == []
    page.keyboard.press("p")
    expect(row).to_contain_text("Terminated")
    expect(page.get_by_role("button", name="Live")).to_be_visible()
