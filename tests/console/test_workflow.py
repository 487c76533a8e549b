"""A workflow's page: its views, its steps, what can be done to them, and its news."""

from __future__ import annotations

import json
import re
from typing import Any

import redis
from playwright.sync_api import Page, expect

from lfr.operations.intervene import delete_workflow, restart_workflow, terminate_workflow
from tests.console.browser_checks import Guard
from tests.console.installation import Installation
from tests.console.pages import state_of

FLOW = """@flow sights '''
Two at once.
'''
@task b = real:b (- {size: 12345678901234567890, note: first} -)
a -> { b  c } -> > d
"""


def test_the_views_and_their_keys(installation: Installation, page: Page) -> None:
    id = installation.lfr.run(FLOW, {"n": 1})
    page.goto(installation.page(id))
    expect(page.locator(".graph .node").first).to_be_visible()
    views = {
        "2": (".timeline-row", "timeline"),
        "3": (".steps tbody tr", "steps"),
        "4": (".values .tree", "values"),
        "5": (".source .line", "source"),
        "6": (".history tbody tr", "history"),
        "1": (".graph .node", "graph"),
    }
    for key, (selector, view) in views.items():
        page.keyboard.press(key)
        expect(page.locator(selector).first).to_be_visible()
        expect(page).to_have_url(re.compile(f"view={view}"))
    page.get_by_role("link", name="Source").click()
    expect(page.locator(".source pre")).to_have_text(FLOW, use_inner_text=True)
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history tbody tr").first).to_contain_text("1 a")
    page.go_back()
    expect(page.locator(".source pre")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator(".graph .node").first).to_be_visible()
    page.get_by_role("link", name="Top to bottom").click()
    expect(page).to_have_url(re.compile("dir=TB"))
    expect(page.get_by_role("link", name="Left to right")).to_be_visible()


def test_a_step_that_is_chosen_is_chosen_in_every_view(installation: Installation, page: Page) -> None:
    id = installation.lfr.run(FLOW, {"n": 1, "big": 98765432109876543210})
    installation.end(id, 1, {"from": "a"})
    page.goto(installation.page(id, view="graph"))
    page.locator(".graph .node", has_text="real:b").or_(
        page.locator('.graph .node[data-index="3"]')
    ).first.click()
    panel = page.get_by_role("complementary", name="Step 3")
    expect(panel).to_contain_text("real:b")
    expect(panel.locator(".json", has_text="Parameters")).to_contain_text("size12345678901234567890")
    expect(panel.locator(".json", has_text="Input")).to_contain_text('from"a"')
    expect(page).to_have_url(re.compile("step=3"))
    page.keyboard.press("3")
    expect(page.locator(".steps tr.chosen")).to_contain_text("real:b")
    page.reload()
    expect(page.locator(".steps tr.chosen")).to_contain_text("real:b")
    expect(panel).to_be_visible()
    panel.get_by_role("button", name="1 a").count()
    panel.get_by_role("button", name=re.compile("^5 ")).or_(panel.locator("dd button").last).first.click()
    expect(panel).to_have_count(0)  # another step has the panel
    page.keyboard.press("Escape")
    expect(page.locator(".step-panel")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("step="))


def test_values_are_told_as_they_are(installation: Installation, page: Page) -> None:
    id = installation.lfr.run(
        FLOW, {"big": 98765432109876543210, "many": list(range(500)), "long": "x" * 30_000}
    )
    page.goto(installation.page(id, view="values"))
    value = page.locator(".values .json").first
    expect(value).to_contain_text("big98765432109876543210")
    value.get_by_text("500 items").click()
    expect(value.get_by_role("button", name="400 more")).to_be_visible()
    value.get_by_role("button", name="400 more").click()
    expect(value.get_by_role("button", name="400 more")).to_have_count(0)
    value.get_by_role("button", name="all 30 kB").click()
    expect(value).to_contain_text("x" * 30_000)
    value.get_by_role("button", name="Text").click()
    expect(value.locator("pre")).to_contain_text('"big": 98765432109876543210')
    value.get_by_role("button", name="Show all").click()
    with page.expect_download() as download:
        value.get_by_role("button", name="Download").click()
    assert '"big": 98765432109876543210' in download.value.path().read_text()
    expect(page.locator(".values")).to_contain_text("Not yet: it is the output of the last step.")


def test_news_come_without_a_reload_and_without_a_move(installation: Installation, page: Page) -> None:
    id = installation.lfr.run(FLOW, {"n": 1})
    page.goto(installation.page(id, view="graph", step=1))
    node = page.locator('.graph .node[data-index="1"]')
    expect(node).to_contain_text("Running")
    page.get_by_role("button", name="Zoom in").click()
    before = page.locator(".graph svg > g, .graph-picture > g").first.get_attribute("transform")
    panel = page.locator(".step-panel")
    expect(panel).to_contain_text("Running")
    installation.end(id, 1, {"from": "a"})
    expect(node).to_contain_text("Done")
    expect(panel.locator(".json", has_text="Output")).to_contain_text('from"a"')
    expect(page.locator('.graph .node[data-index="3"]')).to_contain_text("Running")
    installation.end(id, 3, {})
    installation.end(id, 4, {})
    installation.end(id, 6, {"done": True})
    expect(state_of(page)).to_contain_text("Finished")
    expect(page.locator(".workflow [role=status]").first).to_have_text("sights: Finished")
    expect(page.locator('.graph .node[data-index="6"]')).to_contain_text("Done")
    after = page.locator(".graph svg > g, .graph-picture > g").first.get_attribute("transform")
    assert before is not None
    assert after == before  # neither zoom nor place has changed


def test_what_others_do_is_seen(installation: Installation, page: Page, guard: Guard) -> None:
    id = installation.lfr.run(FLOW, {"n": 1})
    page.goto(installation.page(id))
    terminate_workflow(installation.store, id)
    expect(state_of(page)).to_contain_text("Terminated")
    restart_workflow(installation.store, id)
    expect(state_of(page)).to_contain_text("Running")
    installation.end(id, 1, {})
    expect(page.locator('.graph .node[data-index="3"]')).to_contain_text("Running")
    terminate_workflow(installation.store, id)
    expect(state_of(page)).to_contain_text("Terminated")
    guard.expects("404")
    delete_workflow(installation.store, id)
    expect(page.locator(".trouble")).to_contain_text(f"there is no workflow {id}")
    expect(page.get_by_role("button", name="Restart")).to_have_count(0)


def test_each_fact_is_told_once_also_after_a_pause(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow chain\na -> b -> c -> d", {})
    page.goto(installation.page(id, view="history"))
    rows = page.locator(".history tbody tr")
    expect(rows).to_have_count(3)  # the start, started and ended; a, started
    installation.end(id, 1, {})
    expect(rows).to_have_count(5)
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Paused")).to_be_visible()
    installation.end(id, 2, {})
    installation.end(id, 3, {})
    page.keyboard.press("p")
    expect(rows).to_have_count(9)
    installation.end(id, 4, {})
    expect(state_of(page)).to_contain_text("Finished")
    expect(rows.first).to_contain_text("finished")
    texts = [text for text in rows.all_inner_texts()]
    assert len(set(texts)) == len(texts) == 13


def test_a_step_is_tried_again_skipped_and_failed_by_hand(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow hand\na -> b -> c", {"n": 1})
    page.goto(installation.page(id, step=1))
    panel = page.locator(".step-panel")
    dialog = page.get_by_role("dialog")
    panel.get_by_role("button", name="Retry").click()
    expect(dialog).to_contain_text("Next tasks: 2 b, 3 c.")
    dialog.get_by_role("button", name="Retry").click()
    expect(panel).to_contain_text("attempt 2")
    panel.get_by_role("button", name="Skip").click()
    dialog.get_by_label("Output, as JSON").fill('{"by": hand}')
    dialog.get_by_role("button", name="Skip").click()
    expect(dialog.locator(".trouble")).to_contain_text("JSON")
    dialog.get_by_label("Output, as JSON").fill('{"by": "hand", "big": 12345678901234567890}')
    dialog.get_by_role("button", name="Skip").click()
    expect(panel.locator(".state")).to_contain_text("Skipped")
    expect(panel.locator(".json", has_text="Output")).to_contain_text("big12345678901234567890")
    page.goto(installation.page(id, step=2))
    panel.get_by_role("button", name="Fail").click()
    dialog.get_by_label("Reason").fill("out of stock")
    dialog.get_by_role("button", name="Fail").click()
    expect(state_of(page)).to_contain_text("Failed")
    expect(page.locator(".what-now")).to_contain_text("Step 2, b, failed: out of stock")
    expect(panel.locator(".reason")).to_have_text("out of stock")


def test_a_dialog_stays_whatever_happens_behind_it(
    installation: Installation, page: Page, guard: Guard
) -> None:
    guard.expects("409")
    id = installation.lfr.run("@flow behind\na -> b", {})
    page.goto(installation.page(id, step=1))
    page.locator(".step-panel").get_by_role("button", name="Fail").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("typed for a while")
    installation.end(id, 1, {})
    expect(page.locator('.graph .node[data-index="1"]')).to_contain_text("Done")
    expect(page.locator(".step-panel .json", has_text="Output")).to_have_count(1)
    expect(dialog.get_by_label("Reason")).to_have_value("typed for a while")
    dialog.get_by_role("button", name="Fail").click()
    expect(dialog.locator(".trouble")).to_contain_text("step 1")


def test_what_cannot_be_done_says_why(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow not-yet\na", {}, "not-yet-1")
    page.goto(installation.page(id))
    delete = page.get_by_role("button", name="Delete")
    expect(delete).to_have_attribute("aria-disabled", "true")
    delete.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#notices")).to_contain_text(
        "workflow:not-yet-1 is RUNNING and cannot be deleted (terminate"
    )
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_is_waited_for_is_told_and_can_be_sent(installation: Installation, page: Page) -> None:
    wait = "@flow waiting\nwait:event (- {event: arrived, match: {id: '{input[id]}'}, timeout: 2h} -) -> b"
    id = installation.lfr.run(wait, {"id": 123456789012345678901})
    page.goto(installation.page(id, step=1))
    expect(page.locator(".what-now")).to_contain_text(
        "waits for an event arrived; it times out in 1 h 59 min"
    )
    panel = page.locator(".step-panel")
    expect(panel).to_contain_text("at the most until")
    panel.get_by_role("button", name="Send it").click()
    dialog = page.get_by_role("dialog", name="Send an event")
    expect(dialog.get_by_label("Fields")).to_have_value(re.compile("123456789012345678901"))
    dialog.get_by_role("button", name="Send").click()
    expect(panel.locator(".state")).to_contain_text("Done")
    expect(page.locator('.graph .node[data-index="2"]')).to_contain_text("Running")
    expect(page.locator(".what-now")).to_have_count(0)


def test_items_of_an_iterated_step(installation: Installation, page: Page) -> None:
    id = installation.lfr.run(
        "@flow several\n* each (- lfr: {limit: 2} -) -> after", [{"n": n} for n in range(5)]
    )
    page.goto(installation.page(id, step=1))
    panel = page.locator(".step-panel")
    expect(panel).to_contain_text("0 of 5 done, 2 running")
    installation.end(f"{id}/1.0", 1, {"ok": 0})
    expect(panel).to_contain_text("1 of 5 done, 2 running")
    expect(page.locator(".what-now")).to_contain_text("has done 1 of 5 items")
    installation.end(f"{id}/1.1", 1, reason="no picture")
    expect(page.locator(".what-now")).to_contain_text("item 1: no picture")
    panel.get_by_role("link", name="item 0").click()
    expect(page.locator(".what-now")).to_contain_text("Only its input and its output remain: item 0 of step")
    expect(page.locator(".tabs a")).to_have_text(["Input and output", "Source"])
    expect(page.locator(".values .tree").last).to_contain_text("ok0")
    page.go_back()
    panel.get_by_role("link", name="item 1").click()
    expect(page).to_have_url(installation.page(f"{id}/1.1"))
    expect(state_of(page)).to_contain_text("Failed")
    expect(page.locator(".what-now")).to_contain_text("no picture")
    page.get_by_role("link", name="Input and output").click()
    expect(page.locator(".values .tree").first).to_contain_text("n1")
    page.locator(".crumbs a").click()
    expect(page).to_have_url(installation.page(id))


def test_attempts_are_told(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow attempts\na (- lfr: {retry: {times: 1, delay: 0}} -)", {})
    installation.end(id, 1, reason="the first time")
    page.goto(installation.page(id, step=1))
    expect(page.locator(".step-panel")).to_contain_text("attempt 2")
    installation.end(id, 1, reason="the second time")
    expect(state_of(page)).to_contain_text("Failed")
    attempts = page.locator(".attempts li")
    expect(attempts.nth(1)).to_contain_text("retried")
    expect(attempts.nth(1)).to_contain_text("the first time")
    expect(attempts.last).to_contain_text("the second time")


def test_the_steps_table(installation: Installation, page: Page) -> None:
    id = installation.lfr.run(FLOW, {})
    installation.end(id, 1, {})
    page.goto(installation.page(id, view="steps"))
    rows = page.locator(".steps tbody tr")
    expect(rows).to_have_count(5)
    page.get_by_label("starts and ends, too").check()
    expect(rows).to_have_count(8)
    page.get_by_label("State").select_option("RUNNING")
    expect(rows).to_have_count(2)
    page.get_by_label("Search steps").fill("c")
    expect(rows).to_have_count(1)
    page.get_by_label("Search steps").fill("nothing")
    expect(page.locator(".steps")).to_contain_text("No step matches.")
    page.get_by_label("Search steps").fill("")
    page.get_by_label("Search steps").blur()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".step-panel")).to_contain_text("3 b")


def test_a_flow_too_large_for_a_picture(installation: Installation, page: Page) -> None:
    text = "@flow large\n" + " -> ".join(f"s{number}" for number in range(2500))
    id = installation.lfr.run(text, {})
    page.goto(installation.page(id))
    expect(page.locator(".steps tbody tr").first).to_be_visible()
    page.get_by_role("button", name="2,200 more").click()
    expect(page.get_by_role("button", name="more")).to_have_count(0)
    page.get_by_role("link", name="Graph").click()
    expect(page.locator(".graph-note")).to_contain_text("too many to see anything")
    installation.end(id, 1, {})
    page.get_by_role("link", name="Steps").click()
    expect(page.locator(".steps tbody tr").nth(1)).to_contain_text("Running")


def test_history_and_timeline_show_who_has_changed_what_and_why(
    installation: Installation, page: Page
) -> None:
    id = installation.lfr.acting("ann").run(FLOW, {"n": 1})
    page.goto(installation.page(id, view="timeline"))
    changes = page.get_by_role("list", name="Changes by hand")
    expect(changes.get_by_role("listitem")).to_have_count(1)
    expect(changes).to_contain_text("started by ann")
    page.locator(".actions").get_by_role("button", name="Terminate").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("wrong <b>input</b>")
    dialog.get_by_role("button", name="Terminate").click()
    expect(changes.get_by_role("listitem").last).to_contain_text("by loopback: wrong <b>input</b>")
    expect(page.locator(".what-now")).to_contain_text("It was terminated by loopback: wrong <b>input</b>.")
    page.goto(installation.page(id, view="history"))
    expect(page.locator(".history tbody tr").first).to_contain_text("by loopback: wrong <b>input</b>")


def test_the_panel_says_why_a_step_stands(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("img:rezise -> after")
    page.goto(installation.page(id, view="steps"))
    page.get_by_role("button", name="img:rezise").click()
    expect(page.locator(".step-panel .why")).to_contain_text("No live worker does img:rezise: it waits since")
    page.get_by_role("button", name="after", exact=True).click()
    expect(page.locator(".step-panel .why")).to_contain_text("it waits for step 1 (img:rezise)")


def test_the_banner_says_that_a_part_of_the_flow_never_ran(installation: Installation, page: Page) -> None:
    id = installation.lfr.run(":w A -> B -> :w")
    page.goto(installation.page(id))
    expect(page.locator(".what-now")).to_contain_text("It finished, but its end can never be reached: A can")


def test_a_workflow_is_paused_and_everything(installation: Installation, page: Page) -> None:
    id = installation.lfr.run("@flow held\na -> b", {})
    page.goto(installation.page(id))
    actions = page.locator(".actions")
    actions.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.locator(".what-now")).to_contain_text("It is paused since")
    installation.end(id, 1, {})
    expect(page.locator('.graph .node[data-index="1"]')).to_contain_text("Done")
    expect(page.locator('.graph .node[data-index="2"]')).not_to_contain_text("Running")
    actions.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.locator('.graph .node[data-index="2"]')).to_contain_text("Running")
    page.goto(f"{installation.url}/system")
    page.get_by_role("button", name="Pause everything").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    banner = page.locator(".alarm", has_text="Everything is paused since")
    expect(banner).to_be_visible()
    banner.get_by_role("button", name="Resume").click()
    expect(banner).to_have_count(0)
    assert installation.lfr.pauses() == []


def test_the_panel_shows_what_a_task_writes_while_it_writes_it(
    installation: Installation, page: Page, guard: Guard
) -> None:
    id = installation.lfr.run("real:talk -> after", {})
    hostile = "<b onclick='harm()'>&amp; \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202egnp"

    def write(*lines: Any, **fields: Any) -> None:
        values = {"kind": "task-log", "workflow": id, "index": 1, "attempt": 1, "lines": lines, **fields}
        encoded = {name: json.dumps(value) for name, value in values.items()}
        with redis.Redis.from_url(installation.redis) as client:
            client.xadd(installation.store.stream, encoded)

    page.goto(installation.page(id, view="steps"))
    page.get_by_role("button", name="real:talk").click()
    log = page.locator(".step-panel .logs")
    expect(page.locator(".step-panel")).to_contain_text("real:talk")
    expect(log).to_have_count(0)
    write("one", 1200, hostile, host="pi <i>", process=7, first=1)
    lines = log.get_by_role("region", name="Log of attempt 1")
    expect(lines).to_contain_text("one")
    expect(lines).to_contain_text("… 1,200 lines are left out")
    expect(lines).to_contain_text(r"<b onclick='harm()'>&amp; red \x1b]0;title\x07 \u202egnp")
    expect(log.locator("summary")).to_contain_text("process 7 on pi <i>")
    write([1_700_000_000_000, "traceback", "ValueError: two"], started=1000, ended=4000, cpu_seconds=0.5)
    expect(lines.locator(".log-line.tone-failed")).to_contain_text("ValueError: two")
    expect(log.locator("summary")).to_contain_text("took 3.0 s, CPU 0.5 s")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    log.get_by_role("button", name="Copy log").click()
    expect(log.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[0].endswith("Z stdout one") or copied[0].endswith("+00:00 stdout one")
    assert copied[-1] == "2023-11-14T22:13:20.000+00:00 traceback ValueError: two"
    page.get_by_role("button", name="after", exact=True).click()
    expect(log).to_have_count(0)
