"""Archives on the server: the console offers the places that the server has, and no others."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from lfr.operations.intervene import delete_workflow, terminate_workflow
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, console
from tests.support.s3 import s3_server


def test_a_server_without_a_place_offers_none(installation: Installation, page: Page) -> None:
    page.goto(installation.page(installation.lfr.run("a")))
    actions = page.locator(".actions")
    expect(actions.get_by_role("button", name="Download archive")).to_be_visible()
    expect(page.locator(".graph .node").first).to_be_visible()
    expect(actions.get_by_role("button", name="Archive")).to_have_count(1)


def test_an_archive_goes_to_the_folder_or_to_s3(
    installation: Installation, page: Page, guard: Guard, tmp_path: Path
) -> None:
    guard.expects("409")
    id = installation.lfr.run("a", workflow_id="to-archive")
    with s3_server() as s3:
        more = {"LFR_ARCHIVE_FOLDER": str(tmp_path), "LFR_ARCHIVE_BUCKETS": "archives/lfr none"}
        with console(installation.server, more={**s3.environment(), **more}) as other:
            page.goto(other.page(id))
            page.get_by_role("button", name="Archive on server").click()
            expect(page.get_by_text(f"Archived in {tmp_path}/to-archive.json")).to_be_visible()
            page.get_by_role("button", name="Archive in S3").click()
            place = page.get_by_label("Where")
            expect(place).to_have_value("s3://archives/lfr/")
            place.fill("s3://archives/other/a.json")
            page.get_by_role("button", name="Archive", exact=True).click()
            expect(page.get_by_role("alert")).to_contain_text("is in no bucket that this server may use")
            place.fill("s3://archives/lfr/")
            page.get_by_role("button", name="Archive", exact=True).click()
            expect(page.get_by_text("Archived in s3://archives/lfr/to-archive.json")).to_be_visible()
            page.close()  # its stream, before the console that it comes from
        assert list(s3.objects) == ["lfr/to-archive.json"]


def test_all_that_match_go_to_s3_and_one_comes_back(
    installation: Installation, page: Page, guard: Guard
) -> None:
    ids = [installation.lfr.run("@flow kept\na", workflow_id=f"kept-{number}") for number in range(3)]
    for id in ids:
        terminate_workflow(installation.store, id)
    with s3_server() as s3:
        more = {"LFR_ARCHIVE_BUCKETS": "archives/lfr"}
        with console(installation.server, more={**s3.environment(), **more}) as other:
            page.goto(f"{other.url}/?name=kept")
            page.get_by_role("button", name="Archive all").click()
            expect(page.get_by_label("Where")).to_have_value("s3://archives/lfr/")
            page.get_by_role("button", name="Archive 3").click()
            expect(page.get_by_role("status").filter(has_text="Done")).to_contain_text("3 of 3 workflows")
            page.get_by_role("button", name="Close").click()
            names = sorted(s3.objects)
            assert [name.split(".")[0] for name in names] == [f"lfr/{id.split(':')[-1]}" for id in ids]
            delete_workflow(installation.store, ids[0])
            page.get_by_role("button", name="Restore from S3").click()
            page.get_by_label("Where").fill(f"s3://archives/{names[0]}")
            page.get_by_role("button", name="Restore", exact=True).click()
            expect(page).to_have_url(other.page(ids[0]))
            expect(page.get_by_text("kept-0 is restored")).to_be_visible()
            page.close()  # its stream, before the console that it comes from
