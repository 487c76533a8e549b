"""Words from flows, workers and events that want to do harm: they are shown, and that is all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, expect

from lfr.actor import make_actor
from lfr.notices.notice import make_notice
from lfr.notices.rules import Rule, Trigger
from lfr.operations.archive.archive import restore_workflow
from lfr.operations.pause import pause, pause_workflow
from lfr.operations.schedules import add_schedule, pause_schedule
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.runtime.heartbeat import this_process
from lfr.store.notices import (
    QueuedNotice,
    RecipientState,
    failed_commands,
    give_up_commands,
    publish_rules,
    queue_commands,
)
from lfr.store.processes import heartbeat_commands
from tests.console.browser_checks import Guard
from tests.console.installation import Installation
from tests.console.pages import flow_field, input_field
from tests.support.waiting import eventually

HARM = (
    "</script></style></textarea></title><script>window.harmed = 1</script>"
    "<img src=x onerror='window.harmed = 1'><svg onload=window.harmed=1>"
    '" onfocus="window.harmed = 1" autofocus x="` + ${window.harmed = 1} + `'
    " {{window.harmed = 1}} javascript:window.harmed=1 &lt;b&gt; \u202egnp.tenalp\u2066 \x00 \U0001f600 "
)
LONG = HARM + "W" * 1_000_000
DEEP: Any = HARM
for level in range(190):
    DEEP = [DEEP] if level % 2 else {HARM: DEEP}
MANY = {f"{HARM}{number}": number for number in range(5000)}
INPUT = {
    "harm": HARM,
    "long": LONG,
    "deep": DEEP,
    "many": MANY,
    "__proto__": {"polluted": 1},
    "constructor": HARM,
    HARM: [HARM],
}


@pytest.fixture(scope="module")
def hostile(installation: Installation) -> dict[str, str]:
    """Workflows by the state that they are in. Names come by an archive: no flow can be written with them."""
    wait = "wait:event (- {event: e, match: {x: y}} -)"
    text = f"@flow f '''doc'''\n@task a '''doc'''\na -> ? `$.harm` b -> {wait} -> c"
    id = installation.lfr.run(text, INPUT, "hostile-plain")
    installation.end(id, 1, {**INPUT, "many": None})
    installation.end(id, 2, INPUT)
    eventually(lambda: installation.lfr.inspect(id)["steps"][3].get("waits_for"))
    document = installation.ask("GET", f"/workflows/{id}/archive")
    document["flow"]["name"] = HARM
    document["flow"]["doc"] = HARM
    for step in document["flow"]["steps"]:
        if step["kind"] == "task" and not step["name"].startswith("wait:"):
            step["name"] = HARM + step["name"]
            step["base"] = HARM
            step["parameters"] = {HARM: LONG}
        if step.get("guard"):
            step["guard"] = "$[?(@.harm == '<img src=x onerror=window.harmed=1>')]"
    document["flow"]["docs"] = {step["name"]: HARM for step in document["flow"]["steps"] if step.get("name")}
    document["record"]["source"] = f"{HARM}\n{LONG}\n" + HARM
    ids = {"plain": id, "named": restore_workflow(installation.store, document, "hostile-named")}
    failed = installation.lfr.run(
        "@flow failing\na (- lfr: {retry: {times: 1, delay: 0}} -) -> b", {}, "hostile-failed"
    )
    installation.end(failed, 1, reason=LONG)
    eventually(lambda: installation.lfr.inspect(failed)["steps"][1]["attempt"] == 2)
    installation.end(failed, 1, reason=LONG)
    installation.until(failed, "FAILED")
    items = installation.lfr.run("@flow items\n* a -> b", [INPUT["harm"], {"n": HARM}], "hostile-items")
    installation.end(f"{items}/1.0", 1, reason=HARM)
    installation.until(items, "FAILED")
    latch = (
        "@flow latch\nwait:acquire (- name: '{input[harm]}' -) -> wait:countdown (- name: '{input[harm]}' -)"
    )
    ids |= {
        "failed": failed,
        "items": items,
        "latch": installation.lfr.run(latch, {"harm": HARM}, "hostile-latch"),
    }
    literally = HARM.replace("{", "{{").replace("}", "}}")  # it is a template
    event = {"event": literally, "match": {"x": literally}}
    wait = f"@flow waits\nwait:event (- {json.dumps(event, ensure_ascii=False)} -) -> b"
    ids["waits"] = installation.lfr.run(wait, {}, "hostile-waits")
    installation.lfr.event(HARM, {HARM: LONG, "deep": DEEP})
    with redis.Redis.from_url(installation.redis) as client:
        client.xadd(
            installation.store.stream,
            {"kind": json.dumps(HARM), HARM: HARM, "workflow": json.dumps(HARM), "at": HARM},
        )
        client.xadd(installation.store.stream, {"kind": '"end-task"', HARM: HARM, "workflow": LONG})
        client.xadd(installation.store.stream, {b"\xff<script>": b"\xff<img src=x onerror=window.harmed=1>"})
    eventually(lambda: len(installation.ask("GET", "/dead-letters")) >= 2)
    return ids


def unharmed(page: Page) -> None:
    """Nothing was executed, and nothing stands in the page but what is the console's."""
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("({}).polluted") is None
    own = "script:not([src^='assets/'][src$='/app.js']), img"
    strangers = f"{own}, [onerror], [onload], [onfocus], iframe"
    assert page.locator(strangers).count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def usable(page: Page) -> None:
    """The page still responses."""
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


VIEWS = {
    "graph": ".graph .node",
    "timeline": ".timeline-row",
    "steps": ".steps tbody tr",
    "values": ".values .json",
    "source": ".source pre",
    "history": ".history tbody tr",
}


@pytest.mark.parametrize("which", ["plain", "named", "failed", "items", "waits", "latch"])
def test_every_view(installation: Installation, hostile: dict[str, str], page: Page, which: str) -> None:
    for view, selector in VIEWS.items():
        page.goto(installation.page(hostile[which], view=view))
        expect(page.locator(selector).first).to_be_visible()
        unharmed(page)
    usable(page)
    for index in (1, 2):
        page.goto(installation.page(hostile[which], view="steps", step=index))
        expect(page.locator(".step-panel h2")).to_be_visible()
        expect(page.locator(".step-panel .loading")).to_have_count(0)
        unharmed(page)


_OPEN_ALL = """async () => {
  let opened = 0;
  for (let closed; (closed = document.querySelector(".values details:not([open]) > summary")); opened += 1) {
    closed.click();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }
  return opened;
}"""


def test_a_value_is_opened_to_its_end(
    installation: Installation, hostile: dict[str, str], page: Page
) -> None:
    page.goto(installation.page(hostile["plain"], view="values"))
    value = page.locator(".values .json").first
    expect(value.get_by_text("5000 keys")).to_be_visible()
    value.get_by_text("5000 keys").click()
    value.get_by_role("button", name="4900 more").click()
    expect(value.locator("details details .leaf").nth(1000)).to_be_attached()
    opened = page.evaluate(_OPEN_ALL)
    assert opened > 180  # as deep as the value is
    value.get_by_role("button", name="all 1.0 MB").click()
    expect(value.locator(".text", has_text="W" * 1000).first).to_be_attached()
    value.get_by_role("button", name="Text").click()
    value.get_by_role("button", name="Show all").click()
    unharmed(page)
    usable(page)


def test_lists_events_and_what_is_typed(
    installation: Installation, hostile: dict[str, str], page: Page, guard: Guard
) -> None:
    guard.expects("400")
    for address in (
        "/",
        f"/?text={'%3Cimg%20src=x%20onerror=window.harmed=1%3E'}",
        "/?name=%22%3E%3Cscript%3E",
        "/events",
        "/system",
    ):
        page.goto(installation.url + address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".loading")).to_have_count(0)
        unharmed(page)
    page.goto(f"{installation.url}/events")
    for summary in page.locator(".event-fields summary").all()[:10]:
        summary.click()
    unharmed(page)
    usable(page)
    page.goto(f"{installation.url}/start")
    enter = "(area, text) => { area.value = text; area.dispatchEvent(new Event('input', {bubbles: true})); }"
    flow_field(page).evaluate(enter, LONG)
    expect(page.locator(".verdict")).to_contain_text("not checked")  # it is too long for that
    flow_field(page).evaluate(enter, HARM + "W" * 50_000)
    expect(page.locator(".findings li").first).to_be_visible()
    input_field(page).evaluate(enter, LONG)
    expect(page.locator("p.trouble")).to_be_visible()
    unharmed(page)


def test_what_turns_the_direction_of_writing_ends_with_its_words(
    installation: Installation, hostile: dict[str, str], page: Page
) -> None:
    page.goto(installation.url)
    row = page.locator("table.workflows tbody tr", has=page.get_by_label("Choose hostile-named"))
    for selector in ("strong", ".id", ".state"):
        assert (
            row.locator(selector).first.evaluate("(element) => getComputedStyle(element).unicodeBidi")
            == "isolate"
        )
    page.goto(installation.page(hostile["waits"]))
    sentence = page.locator(".what-now p > span").first
    expect(sentence).to_contain_text("waits for an event")
    assert "\u2068" in sentence.inner_text()
    assert "\u202e" not in sentence.inner_text().split("\u2069", 1)[1]


DOC = HARM.replace("'", "").replace(chr(0), "")


@pytest.fixture(scope="module")
def hostile_surroundings(installation: Installation, hostile: dict[str, str]) -> Iterator[None]:
    """Words that mean harm in all that surrounds workflows: who does tasks, on which hosts, who is told of
    failures and answers, schedules, pauses, latches, versions of flows, tokens."""
    store = installation.store
    now_ms = round(1000 * time.time())
    apply_flows(store, [FlowSource(f"@flow stored '''{DOC}'''\na", HARM, None)])
    add_schedule(store, "harm", {"cron": "0 3 * * *"}, "stored")
    acting = store.acting(make_actor(HARM[:100], HARM[:500]))
    pause_schedule(acting, "harm", HARM[:500])
    pause_workflow(acting, hostile["waits"])
    pause(acting, "flow", "other")
    rule = Rule("rule", frozenset({Trigger.FAILED}), ("webhook:chat",))
    notice = make_notice(rule, Trigger.FAILED, HARM, at_ms=now_ms, topic=HARM, text=HARM, facts={HARM: HARM})
    queued = QueuedNotice(notice, "webhook:chat", now_ms)
    with store.connect() as connection:
        publish_rules(connection, [rule])
        connection.transact(queue_commands(queued, now_ms))
        connection.transact(failed_commands(queued, RecipientState(), HARM, (10**7, 10**7), now_ms))
        connection.transact(give_up_commands(queued, HARM, now_ms))
        stranger = replace(
            this_process("tasks", {HARM: [HARM, "a"]}),
            **{"role": HARM, "name": HARM, "host": HARM, "version": HARM, "since": HARM, "id": HARM},
        )
        heartbeat = heartbeat_commands(stranger, 10**6)
        connection.transact(
            [("SET", heartbeat[0][1], heartbeat[0][2]), *heartbeat[1:]]  # it is alive to the end
        )
        connection.call("XGROUP", "CREATE", store.stream, HARM, "0")
    yield


PAGES = (
    *("/notices", "/failures", "/failures?since=all", "/schedules", "/schedules?name=harm", "/waiting"),
    *("/waiting?kind=latches", "/workers", "/events", "/system", "/flows/failing", "/flows/stored"),
    *("/start?flow=stored", "/start?flow=stored@1", "/docs", "/", "/?text=x", "/?sort=size"),
    *(
        "/compare?first=hostile-named&second=hostile-plain",
        "/compare?first=hostile-failed&second=hostile-items",
    ),
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page(
    installation: Installation, hostile_surroundings: None, page: Page, path: str, guard: Guard
) -> None:
    guard.expects("404", "400")
    page.goto(installation.url + path)
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    for summary in page.locator("main summary").all()[:20]:
        if summary.is_visible():
            summary.click()
    unharmed(page)
