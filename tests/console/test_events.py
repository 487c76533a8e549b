"""The pages of events and of the system."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from playwright.sync_api import Page, expect

from lfr.runtime.heartbeat import this_process
from lfr.store import keys
from lfr.store.processes import heartbeat_commands, remove_process_commands
from lfr.store.queues.claims import claim
from lfr.store.queues.move import move_unclaimed
from lfr.store.queues.routes import RouteCache
from lfr.store.stream.groups import create_group
from tests.console.installation import Installation
from tests.console.pages import state_of
from tests.support.waiting import eventually


@contextmanager
def worker(installation: Installation, group: str, *claims: str) -> Iterator[None]:
    """A group of workers that is alive and executes nothing: all its tasks stay in its queue."""
    process = this_process(group, {group: claims})
    with installation.store.connect() as connection:
        create_group(connection, keys.queue(group), group)
        heartbeat = heartbeat_commands(process, 3600)
        claim(connection, group, claims, heartbeat)
        move_unclaimed(connection, RouteCache(installation.store), claims)
        connection.call("PEXPIRE", keys.process(process.id), 3_600_000)
        try:
            yield
        finally:
            connection.execute(remove_process_commands(process))


def test_events_are_filtered_and_sent(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow told; { a b }", {"n": 1})
    page.goto(f"{installation.url}/events")
    page.get_by_role("button", name="Send an event").click()
    dialog = page.get_by_role("dialog", name="Send an event")
    expect(dialog.get_by_label("Kind")).to_be_focused()
    dialog.get_by_label("Kind").fill("order-paid")
    dialog.get_by_label("Fields").fill('{"id": 12345678901234567890')
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.locator(".trouble")).to_be_visible()
    dialog.get_by_label("Fields").fill('{"id": 12345678901234567890}')
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    rows = page.locator("h2:has-text('On the stream') ~ table tbody tr")
    expect(rows.first).to_contain_text("order-paid")
    rows.first.locator("summary").click()
    expect(rows.first.locator("pre")).to_contain_text("id: 12345678901234567890")
    page.get_by_label("Workflow", exact=True).fill(id)
    page.get_by_label("Workflow", exact=True).press("Enter")
    expect(page).to_have_url(re.compile("workflow="))
    expect(rows).to_have_text([re.compile('start-task.*base: "b"'), re.compile('start-task.*base: "a"')])
    page.get_by_label("Kind", exact=True).fill("end-task")
    with page.expect_response("**/api/events*"):  # what is drawn anew does not take away what is being typed
        pass
    expect(page.get_by_label("Kind", exact=True)).to_have_value("end-task")
    page.get_by_label("Kind", exact=True).press("Enter")
    expect(page.locator(".events")).to_contain_text("None of the newest events matches.")
    page.reload()
    expect(page.get_by_label("Kind", exact=True)).to_have_value("end-task")
    expect(page.locator(".events")).to_contain_text("None of the newest events matches.")


def test_dead_letters_are_shown_whole(installation: Installation, page: Page) -> None:
    with redis.Redis.from_url(installation.redis) as client:
        client.xadd(installation.store.stream, {"kind": '"end-task"', "workflow": "neither JSON nor an id"})
    page.goto(f"{installation.url}/events")
    row = page.locator(".dead-letters tbody tr").first
    expect(row).to_contain_text("its field workflow is not JSON")
    expect(row.locator("summary")).to_contain_text("workflow: neither JSON nor an id")


def test_dead_letters_are_retried_and_dismissed(installation: Installation, page: Page) -> None:
    with redis.Redis.from_url(installation.redis) as client:
        client.delete(keys.DEAD_LETTERS, keys.DISMISSED_LETTERS)
        for number in range(7):
            event = {"kind": "end-task", "workflow": f"workflow:gone-{number}", "index": 1}
            client.xadd(installation.store.stream, {name: json.dumps(each) for name, each in event.items()})
        client.xadd(installation.store.stream, {"kind": "garbage"})
        eventually(lambda: client.xlen(keys.DEAD_LETTERS) == 8)
        page.goto(f"{installation.url}/events")
        group = page.get_by_role("article", name="there is no workflow")
        expect(group.get_by_role("heading")).to_contain_text("7 × there is no workflow workflow:<n>")
        expect(group.locator("tbody tr")).to_have_count(5)
        group.get_by_role("button", name="Show 2 more").click()
        expect(group.locator("tbody tr")).to_have_count(7)

        # Two that are chosen are dismissed, for a reason.
        group.locator("tbody input").nth(0).check()
        group.locator("tbody input").nth(1).check()
        page.locator(".bulk").get_by_role("button", name="Dismiss").click()
        dialog = page.get_by_role("dialog", name="Dismiss 2 dead letters?")
        dialog.get_by_label("Reason").fill("of a worker that is gone")
        dialog.get_by_role("button", name="Dismiss").click()
        expect(page.locator("#notices")).to_contain_text("2 dead letters dismissed")
        expect(group.locator("tbody tr")).to_have_count(5)

        # They are kept, and say for which reason; one goes back, and comes back as a new one.
        page.get_by_text("Dismissed dead letters").click()
        dismissed = page.locator(".dismissed tbody tr")
        expect(dismissed).to_have_count(2)
        expect(dismissed.first).to_contain_text("of a worker that is gone")
        dismissed.first.get_by_role("button", name="Retry").click()
        page.get_by_role("dialog").get_by_role("button", name="Retry").click()
        expect(dismissed).to_have_count(1)
        expect(group.get_by_role("heading")).to_contain_text("6 ×")

        # All of a reason are dismissed at once; the others stay.
        group.get_by_role("button", name="Dismiss all").click()
        dialog = page.get_by_role("dialog", name="Dismiss all dead letters with this reason?")
        dialog.get_by_role("button", name="Dismiss").click()
        expect(group).to_have_count(0)
        expect(page.locator(".dead-letters tbody tr")).to_have_count(1)
        assert client.xlen(keys.DEAD_LETTERS) == 1
        client.delete(keys.DEAD_LETTERS, keys.DISMISSED_LETTERS)


def test_a_latch_is_set_to_zero(installation: Installation, page: Page) -> None:
    latch = "@flow latch\nwait:acquire (- name: a door -) -> wait:countdown (- name: a door -) -> b"
    id = installation.lfr.run(latch, {}, "latch-1")
    page.goto(installation.page(id))
    expect(page.locator(".what-now")).to_contain_text("waits until the latch a door is at zero")
    page.get_by_role("link", name="Events").click()
    row = page.locator("tr", has=page.get_by_text("a door", exact=True))
    expect(row).to_contain_text("latch-1")
    row.get_by_role("button", name="Set to zero").click()
    dialog = page.get_by_role("dialog", name="Set the latch a door to zero?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Set to zero").click()
    expect(row.locator("[data-label=Value]")).to_have_text("0")
    expect(row.get_by_role("button")).to_have_count(0)  # there is nothing more to set
    page.goto(installation.page(id))
    expect(page.locator('.graph .node[data-index="3"]')).to_contain_text("Running")
    expect(state_of(page)).to_contain_text("Running")


def test_events_come_by_themselves_unless_paused(installation: Installation, page: Page) -> None:
    page.goto(f"{installation.url}/events?kind=by-itself")
    expect(page.get_by_role("button", name="Live")).to_be_visible()
    installation.lfr.event("by-itself", {"n": 1})
    rows = page.locator("h2:has-text('On the stream') ~ table tbody tr")
    expect(rows).to_have_count(1)
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Paused")).to_be_visible()
    installation.lfr.event("by-itself", {"n": 2})
    page.wait_for_timeout(3500)  # one more than the page's own pace
    expect(rows).to_have_count(1)
    page.keyboard.press("p")
    expect(rows).to_have_count(2)


def test_the_system(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow broken; a", {})
    installation.end(id, 1, reason="no disk")
    installation.until(id, "FAILED")
    page.goto(f"{installation.url}/system")
    row = page.locator("tr", has=page.get_by_text("worker", exact=True))
    expect(row).to_contain_text("alive")
    expect(page.locator(".card", has_text="Redis")).to_contain_text("Valkey")
    expect(page.locator(".card", has_text="Redis")).to_contain_text("append-only file")
    with redis.Redis.from_url(installation.redis) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            expect(page.locator(".alarm", has_text="workflows would be lost")).to_be_visible()
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    expect(page.locator("tr", has_text="lifecycle")).to_be_visible()
    passes = row.locator("[data-label=Passes]")
    before = passes.inner_text()
    expect(passes).not_to_have_text(before)
    page.locator(".card", has_text="Workflows").get_by_role("link", name="Failed").click()
    expect(page).to_have_url(f"{installation.url}/?state=FAILED")


def test_what_nobody_does_is_shown_with_its_queue(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow undone\nimg:crop -> img:rezise", {})
    page.goto(installation.page(id))
    with worker(installation, "tasks-images", "img:crop", "img:resize"):
        page.goto(f"{installation.url}/workers")
        row = page.locator(".groups tr", has_text="tasks-images")
        expect(row).to_contain_text("img:crop img:resize")
        expect(row).not_to_contain_text("no live worker")
        row.locator("summary").click()
        expect(row.locator("li")).to_contain_text("img:crop")
        expect(row.get_by_role("link", name=id.removeprefix("workflow:"))).to_be_visible()
    expect(row).to_contain_text("no live worker")
    page.goto(f"{installation.url}/system")
    expect(page.get_by_role("navigation", name="Pages").locator(".count")).to_have_text(re.compile(r"[1-9]"))
    expect(
        page.locator(".alarm", has_text="the group tasks-images has no live worker: 1 task")
    ).to_be_visible()
    page.goto(installation.page(id))
    expect(page.locator(".what-now")).to_contain_text(
        "waits for a worker: no live worker does img:crop, for "
    )
    with worker(installation, "tasks-images", "img:crop", "img:resize"):
        expect(page.locator(".what-now")).not_to_contain_text("waits for a worker")
        installation.end(id, 1, {})
        expect(page.locator(".what-now")).to_contain_text("no live worker does img:rezise")
        expect(page.locator(".what-now")).to_contain_text("(did you mean img:resize?)")
        page.locator(".what-now").get_by_role("button", name="Details").click()
        expect(page.locator(".step-panel")).to_contain_text("a worker: no live worker does img:rezise")
        page.goto(f"{installation.url}/system")
        expect(page.locator(".alarm", has_text="img:rezise")).to_contain_text("1 task waits")
        page.goto(f"{installation.url}/workers")
        expect(page.locator(".alarm", has_text="img:rezise")).to_contain_text("did you mean img:resize?")
