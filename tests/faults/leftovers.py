"""Checks what is left of a run: dead letters, entries of streams, waits, keys of what there is no more."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Set
from contextlib import suppress
from typing import Any, Final

import redis

from lfr import Client
from lfr.errors import NotFound
from tests.faults.findings import Findings
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.faults.places import root
from tests.faults.scheduled import all_of, is_scheduled
from tests.support.waiting import STALL_SECONDS

_USER_EVENT: Final = re.compile(r'"(go.*|noise|countdown-latch-zero)"')
"""Events without a receipt, which stay on the bus for `events.retain`."""


_MAY_REMAIN: Final = re.compile(
    "workflows:(run|ends|receipts|dead|tasks:.*|claims|claims:version|group:.*|processes|process:.*|foreign"
    "|housekeeper|indexed|listed|served|flows|searchable|stream|totals:.*|unclaimed|receipts:role|stale:.*)"
    "|receipts:logged|workflows:notices:.*|flows:(names|schedule.*|outcomes:.*)"
)
"""Keys that an installation without workflows has."""


_EXPIRING: Final = re.compile(
    "workflow:latch:.*|workflows:calls:.*|waits:(event|kept|free|taken):.*|workflow:.*:wait:.*"
)
"""Keys that may remain if they expire: latches at zero, numbers of calls, events that are kept for later
waits, marks of cancelled attempts."""


_WITH_EVENTS: Final = re.compile("waits:(kinds|fields:.*|counts:.*|latches)")
"""Keys that remain as long as events are kept, and the list of latches."""


def check_dead_letters(load: Load, journal: Journal, findings: Findings) -> None:
    """Check that all dead letters are expected: those that were appended, and late results of workflows that
    were deleted, from before others had their ids."""
    marks: set[str] = set()
    for entry_id, fields in load.redis.xrange("workflows:dead"):
        event = {name: json.loads(value) for name, value in json.loads(fields["event"]).items()}
        if "mark" in event:
            marks.add(event["mark"])
        elif not _is_result_of_deleted(load, entry_id, event, fields["reason"]):
            findings.invented.append(f"dead letter {entry_id}: {fields['reason']}")
    findings.lost += [f"{mark} is no dead letter" for mark in sorted(journal.dead_letters - marks)]


def _is_result_of_deleted(load: Load, entry_id: str, event: dict[str, Any], reason: str) -> bool:
    """Return whether a dead letter is the result of a step of an earlier workflow, which was deleted, and
    came before the one that has its id now. The transaction that writes a dead letter watches the workflow,
    so it is not written later."""
    id = event.get("workflow")
    plan = load.plans.get(root(str(id)))
    is_known = plan is not None or is_scheduled(str(id))
    if is_known and not load.redis.exists(root(str(id))):
        return event["kind"] == "end-task" and reason == f"there is no workflow {id}"
    earlier = load.earlier.get(id)
    if earlier is None or event["kind"] != "end-task" or reason != f"there is no workflow {id}":
        return False
    begin, end = load.gone[id]
    has_step = 0 < event["index"] < earlier.program.last_index
    is_of_another_run = event.get("run", "") != load.redis.hget(id, "run")
    return has_step and is_of_another_run and begin <= int(entry_id.partition("-")[0]) / 1000 <= end


def _streams(client: redis.Redis) -> list[str]:
    return ["workflows:run", "workflows:ends", "workflows:receipts", *client.scan_iter("workflows:tasks:*")]


def _open_entries(client: redis.Redis, stopped: Set[str]) -> list[str]:
    """Return what stands on streams and does not wait for its time to go, `events.retain`; and all pending
    entries. On the bus, events of users wait for that, and start-tasks of `stopped` workflows, which
    operators have changed or deleted: nobody does an attempt that they have ended, or gives it a receipt."""
    remaining: list[str] = []
    for stream in _streams(client):
        if not client.exists(stream):
            continue
        for id, fields in client.xrange(stream):
            kind, workflow = fields.get("kind", ""), json.loads(fields.get("workflow", '""'))
            is_stopped = kind == '"start-task"' and root(workflow) in stopped
            if stream != "workflows:run" or not (_USER_EVENT.fullmatch(kind) or is_stopped):
                remaining.append(
                    f"{stream} {id} {kind} {workflow} {fields.get('base')} {fields.get('index')}"
                )
        for group in client.xinfo_groups(stream):
            if group["pending"]:
                remaining.append(f"{stream}: {group['pending']} entries are pending in {group['name']}")
    return remaining


def check_streams(client: redis.Redis, stopped: Set[str], findings: Findings) -> None:
    last, last_change = _open_entries(client, stopped), time.monotonic()
    while last and time.monotonic() - last_change < STALL_SECONDS:
        time.sleep(0.2)
        current = _open_entries(client, stopped)
        if current != last:
            last, last_change = current, time.monotonic()
    findings.left_over += last[:20]
    for key in (
        "waits:timers",
        "waits:delays",
        "waits:deadlines",
        "waits:delayed",
        "waits:countdowns",
        "waits:held",
    ):
        if members := client.zrange(key, 0, 4):
            findings.left_over.append(f"{key}: {members}")


def check_keys(load: Load, findings: Findings) -> None:
    """Delete all workflows, and look for keys that still name one of them."""
    client = Client(load.installation.server.url)
    indexes = ("workflows:unclaimed:*", "waits:place:*", "waits:kind:*")
    for pattern in ("*:output:*", "*:start:*", "*:progress:*", *indexes):
        findings.left_over += list(load.redis.scan_iter(pattern, count=10_000))[:5]
    for id in [*load.plans, *all_of(load.scheduled_ids)]:
        with suppress(NotFound):  # it was pruned
            client.delete(id)
    client.apply_flows([], prune=True)  # nobody uses the stored flows any more
    findings.left_over += sorted(_remaining_keys(load.redis))[:20]


def _remaining_keys(client: redis.Redis) -> Iterable[str]:
    for key in client.scan_iter(count=10_000):
        if _MAY_REMAIN.fullmatch(key) or _WITH_EVENTS.fullmatch(key):
            continue
        if not (_EXPIRING.fullmatch(key) and client.ttl(key) > 0):
            yield key
