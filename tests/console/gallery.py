"""Workflows of every kind, as in an installation in use."""

from __future__ import annotations

import json
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
    """The ids of the workflows, by what they show."""

    order: str
    finished: str
    waiting: str
    items: str
    failed: str
    retried: str
    terminated: str


def fill(installation: Installation) -> Gallery:
    """Start all workflows and advance each as far as it goes."""
    gallery = Gallery(
        order=installation.lfr.run(
            ORDER, {"id": 7, "gift": False, "total": 12345678901234567890, "tags": ["new"]}
        ),
        finished=installation.lfr.run(HELLO, {"name": "you"}, "hello-1"),
        waiting=installation.lfr.run(APPROVE, {"id": "a1", "amount": 200}),
        items=installation.lfr.run(RESIZE, [{"picture": f"{number}.png"} for number in range(12)]),
        failed=installation.lfr.run(BROKEN, {"day": "2026-11-27"}),
        retried=installation.lfr.run(RETRY, {"file": "a.tar"}),
        terminated=installation.lfr.run(HELLO, {"name": "nobody"}, "hello-2"),
    )
    installation.lfr.run(LATCH, {}, "backup-1")
    installation.end(gallery.order, 1, {"stock": 3})
    installation.end(gallery.order, 3, {"paid": True})
    for index in (1, 3, 4, 6):
        installation.end(gallery.finished, index, {"text": "hello, you", "index": index})
    installation.end(gallery.waiting, 1, {"id": "a1", "amount": 200})
    installation.end(gallery.failed, 1, {"rows": 3})
    with redis.Redis.from_url(installation.redis) as client:
        client.xadd(installation.store.stream, _log(gallery.retried))
    installation.end(gallery.retried, 1, reason="the far side answered 503 Service Unavailable")
    for number in range(3):
        installation.end(f"{gallery.items}/1.{number}", 1, {"small": number})
    installation.end(f"{gallery.items}/1.3", 1, reason="3.png is no picture")
    terminate_workflow(installation.store, gallery.terminated)
    installation.lfr.event("order-paid", {"id": 7})
    with redis.Redis.from_url(installation.redis) as client:
        client.xadd(installation.store.stream, {"kind": '"end-task"', "workflow": "no JSON"})
    installation.until(gallery.finished, "FINISHED")
    installation.until(gallery.failed, "FAILED")
    installation.until(gallery.items, "FAILED")
    eventually(lambda: installation.ask("GET", "/dead-letters"))
    eventually(lambda: installation.ask("GET", "/latches"))
    eventually(lambda: installation.lfr.inspect(gallery.retried)["steps"][1]["reason"])
    return gallery


def _log(id: str) -> dict[str, str]:
    """Return an event with what an attempt has written, of the kinds that there are."""
    at = 1_796_000_000_000
    lines = [
        "connected to upload.example.com",
        1200,
        [at, "warning", "slow: " + "a-name-without-a-blank-" * 8],
        [at, "traceback", "Traceback (most recent call last):"],
        [at, "traceback", '  File "/srv/tasks/upload.py", line 7, in send'],
        [at, "traceback", "HTTPError: 503 Service Unavailable"],
    ]
    evidence = {"host": "worker-3.example.com", "process": 4711, "started": at, "ended": at + 7000}
    evidence |= {"cpu_seconds": 1.5, "peak_bytes": 50_000_000}
    values = {"kind": "task-log", "workflow": id, "index": 1, "attempt": 1, "lines": lines, **evidence}
    return {name: json.dumps(value) for name, value in values.items()}
