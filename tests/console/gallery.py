"""Workflows of every sort, as an installation has them that is in use."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from lfr.operations.intervene import terminate_workflow
from tests.console.installation import Installation
from tests.support.waiting import eventually

ORDER = """@flow order '''
An order, from its payment to the parcel.
'''
@task pay = bank:transfer (- currency: EUR -)

check:stock -> {
  pay -> wait:delay (- duration: 1h -)
  pack
} -> > ship -> ? `$[?(@.gift == true)]` wrap
"""
HELLO = "@flow hello\ngreet -> { write  think } -> > answer"
APPROVE = """@flow approve
request -> wait:event (- {event: approved, match: {id: '{input[id]}'}, timeout: 2h} -)
  -> ? `$[?(@.amount > 100)]` audit -> done
"""
RESIZE = "@flow thumbnails\n* img:resize (- lfr: {limit: 4} -) -> publish"
BROKEN = "@flow nightly-report\nfetch:rows -> redis:flushall -> mail"
LATCH = "@flow backup\nwait:acquire (- name: disk -) -> wait:countdown (- name: disk -) -> copy"
RETRY = "@flow upload\nsend (- lfr: {retry: {times: 5, delay: 1h}} -) -> tell"


@dataclass(frozen=True, slots=True)
class Gallery:
    """Ids, by what the workflows show."""

    order: str
    finished: str
    waiting: str
    items: str
    failed: str
    retried: str
    terminated: str


def fill(there: Installation) -> Gallery:
    """Start them all, and let them come as far as they go."""
    gallery = Gallery(
        order=there.lfr.run(ORDER, {"id": 7, "gift": False, "total": 12345678901234567890, "tags": ["new"]}),
        finished=there.lfr.run(HELLO, {"name": "you"}, "hello-1"),
        waiting=there.lfr.run(APPROVE, {"id": "a1", "amount": 200}),
        items=there.lfr.run(RESIZE, [{"picture": f"{number}.png"} for number in range(12)]),
        failed=there.lfr.run(BROKEN, {"day": "2026-11-27"}),
        retried=there.lfr.run(RETRY, {"file": "a.tar"}),
        terminated=there.lfr.run(HELLO, {"name": "nobody"}, "hello-2"),
    )
    there.lfr.run(LATCH, {}, "backup-1")
    there.end(gallery.order, 1, {"stock": 3})
    there.end(gallery.order, 3, {"paid": True})
    for index in (1, 3, 4, 6):
        there.end(gallery.finished, index, {"text": "hello, you", "index": index})
    there.end(gallery.waiting, 1, {"id": "a1", "amount": 200})
    there.end(gallery.failed, 1, {"rows": 3})
    there.end(gallery.retried, 1, reason="the far side answered 503 Service Unavailable")
    for number in range(3):
        there.end(f"{gallery.items}/1.{number}", 1, {"small": number})
    there.end(f"{gallery.items}/1.3", 1, reason="3.png is no picture")
    terminate_workflow(there.store, gallery.terminated)
    there.lfr.event("order-paid", {"id": 7})
    with redis.Redis.from_url(there.redis) as client:
        client.xadd(there.store.stream, {"kind": '"end-task"', "workflow": "no JSON"})
    there.until(gallery.finished, "FINISHED")
    there.until(gallery.failed, "FAILED")
    there.until(gallery.items, "FAILED")
    eventually(lambda: there.ask("GET", "/dead-letters"))
    eventually(lambda: there.ask("GET", "/latches"))
    eventually(lambda: there.lfr.inspect(gallery.retried)["steps"][1]["reason"])
    return gallery
