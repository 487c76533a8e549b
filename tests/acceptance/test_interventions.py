"""Random flows, random interventions, and roles that die: nothing is lost, nothing done twice, nothing hangs.

With LFR_STRESS_SECONDS it goes on for longer; LFR_STRESS_SEED gives other flows and interventions.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from random import Random

import pytest
import redis

from lfr.config.settings import Settings
from lfr.engine.transition import FactKind
from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.events import send_event
from lfr.operations.inspect.workflow import inspect_workflow, read_flow_text
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.start import start_workflow
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.store.redis.connection import Store, open_store
from lfr.store.workflows.history import HistoryEntry, read_whole_history
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from tests.acceptance.test_kill import Restarted
from tests.integration.test_flows_at_random import INPUTS, random_text
from tests.support.waiting import eventually

SECONDS = float(os.environ.get("LFR_STRESS_SECONDS", "15"))
SEED = int(os.environ.get("LFR_STRESS_SEED", "1"))

ROLES = (
    ("lifecycle",),
    ("lifecycle.2",),
    ("wait",),
    ("simulate", "--wait-period", "0.3", "--failures", "3"),
    ("receipts",),
)

FLOWS = (
    "A -> wait:event (- event: go -) -> B",
    "A (- lfr: {retry: {times: 2, delay: 0.2}, timeout: 5s} -) -> wait:delay (- duration: 0.3 -) -> B",
    "wait:acquire (- name: 'l{input[n]}' -) -> A -> wait:release (- name: 'l{input[n]}' -) -> B",
    "<[1, 2, 3, 4, 5]> -> * { A -> wait:delay (- duration: 0.1 -) -> B } -> C",
    "A -> { B; C; D -> E } -> > F; <[{}, {}]> -> * G",
    "A -> wait:event (- {event: never, timeout: 0.5s, on_timeout: continue} -) -> B",
)

REFUSED_FOR_GOOD = ("cannot merge", "the latch", 'the input has no "n"')
"""Reasons for which a step fails as often as it is tried."""


class Stress:
    """Starts workflows and intervenes in them at random."""

    def __init__(self, store: Store, random: Random) -> None:
        self.store, self.random = store, random
        self.ids: list[str] = []
        self.deleted: set[str] = set()

    def start(self) -> None:
        random = self.random
        own = random.randrange(2)
        text = random.choice(FLOWS) if own else random_text(random)
        input = {"n": len(self.ids)} if own else random.choice(INPUTS)
        id = f"s{len(self.ids)}"
        for _ in range(random.choice((1, 1, 2))):  # the same twice is the same
            started = start_workflow(self.store, text, input, workflow_id=id)
        self.ids.append(started.id)

    def intervene(self) -> None:
        store, random = self.store, self.random
        id = random.choice(self.ids)
        index = random.randrange(1, 8)
        acts: Sequence[Callable[[], object]] = (
            lambda: terminate_workflow(store, id),
            lambda: restart_workflow(store, id),
            lambda: restart_workflow(store, id),
            lambda: retry_task(store, id, index),
            lambda: skip_task(store, id, index, random.choice((None, {"skipped": True}))),
            lambda: fail_task(store, id, index, "by hand"),
            lambda: complete_task(store, id, None, index, output={"by": "hand"}),
            lambda: retry_task(store, f"{id}/2.{random.randrange(5)}", 3),
            lambda: self.ids.append(restore_workflow(store, archive_workflow(store, id))),
            lambda: self._delete(id),
        )
        with suppress(BadInput, Conflict, NotFound):
            random.choice(acts)()

    def _delete(self, id: str) -> None:
        delete_workflow(self.store, id)
        self.deleted.add(id)

    def help_on(self) -> list[str]:
        """Restart workflows that failed or were terminated. Return the ids of those that may still finish."""
        records = self.records()
        for record in records:
            if record.state in (WorkflowState.FAILED, WorkflowState.TERMINATED) and not is_refused(record):
                with suppress(Conflict):
                    restart_workflow(self.store, record.id)
        send_event(self.store, "go")
        return [
            record.id
            for record in records
            if record.state is not WorkflowState.FINISHED and not is_refused(record)
        ]

    def describe_unfinished(self) -> str:
        """Describe the first workflows that hang."""
        ids = self.help_on()
        lines = [f"{len(ids)} of {len(self.ids)} workflows hang"]
        for id in ids[:5]:
            lines += [read_flow_text(self.store, id), *self._describe(id)]
        return "\n".join(lines)

    def _describe(self, id: str) -> list[str]:
        try:
            workflow = inspect_workflow(self.store, id, history=True)
        except NotFound:
            return [f"{id} does not exist"]
        running = [step for step in workflow["steps"] if step["state"] not in ("DONE", "SKIPPED", "PENDING")]
        facts = [
            f"{fact['at'][17:23]} {fact['index']}{'' if fact['item'] is None else '/' + str(fact['item'])}"
            f".{fact['attempt']} {fact['event']}"
            for fact in workflow["history"]
        ]
        head = f"{id} {workflow['state']} {workflow['reason']} {workflow['counts']} {running}"
        lines = [head, ", ".join(facts)]
        for step in running:
            for item in step.get("items", {}).get("open", ()):
                lines += self._describe(item["id"])
        return lines

    def records(self) -> list[Record]:
        with self.store.connect() as connection:
            ids = [id for id in dict.fromkeys(self.ids) if id not in self.deleted]
            records = load_records(connection, ids)
        missing = [id for id, record in zip(ids, records, strict=True) if record is None]
        assert not missing, missing
        return [record for record in records if record is not None]


def is_refused(record: Record) -> bool:
    return record.state is WorkflowState.FAILED and any(why in record.reason for why in REFUSED_FOR_GOOD)


def check_history(record: Record, entries: Sequence[HistoryEntry]) -> None:
    """Check that state and counts follow from the history, and that nothing ended twice."""
    what = (record.id, [(entry.facts, entry.reason) for entry in entries])
    state = WorkflowState.RUNNING
    attempts: dict[int, int] = {}
    ends: Counter[tuple[int, int | None, int]] = Counter()
    over: Counter[tuple[int, int | None]] = Counter()
    states = {
        FactKind.FAILED: WorkflowState.FAILED,
        FactKind.FINISHED: WorkflowState.FINISHED,
        FactKind.TERMINATED: WorkflowState.TERMINATED,
        FactKind.RESTARTED: WorkflowState.RUNNING,
    }
    for fact in (fact for entry in entries for fact in entry.facts):
        if fact.index is None:
            assert states[fact.kind] in MAY_FOLLOW[state], what
            state = states[fact.kind]
        elif fact.kind is FactKind.STARTED and fact.item is None:
            assert fact.attempt > attempts.get(fact.index, 0), what
            attempts[fact.index] = fact.attempt
        elif fact.kind in (FactKind.ENDED, FactKind.PASSED, FactKind.SKIPPED):
            ends[(fact.index, fact.item, fact.attempt)] += 1
            over[(fact.index, fact.item)] += fact.item is None
    assert state is record.state, what
    assert set(ends.values()) <= {1}, what
    assert max(over.values(), default=0) <= 1, what
    if state is WorkflowState.FINISHED:
        assert (record.active, record.failed) == (0, 0), what
        assert sum(over.values()) == record.done + record.skipped, what


def test_whatever_people_do_and_whatever_dies(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)
    store = open_store(Settings(redis_url=redis_url))
    stress = Stress(store, Random(SEED))
    with ExitStack() as stack:
        roles = [Restarted(arguments, redis_url, stack) for arguments in ROLES]
        until, killed = time.monotonic() + SECONDS, 0
        stress.start()
        while time.monotonic() < until:
            for _ in range(stress.random.randrange(1, 8)):
                stress.intervene()
            if len(stress.ids) < 40 * SECONDS:
                stress.start()
            if stress.random.randrange(40) == 0:
                send_event(store, "go")
            if stress.random.randrange(120) == 0:
                role = stress.random.choice(roles)
                role.kill()
                role.start()
                killed += 1
        try:
            eventually(lambda: not stress.help_on(), progress=stress.help_on)
        except AssertionError:
            pytest.fail(stress.describe_unfinished())
        assert killed
        assert client.xlen("workflows:dead") == len(
            [
                entry
                for _, entry in client.xrange("workflows:dead")
                if "there is no workflow" in entry["reason"]
            ]
        )
        records = stress.records()
        with store.connect() as connection:
            for record in records:
                check_history(record, read_whole_history(connection, record.id).entries)
        for record in records:
            delete_workflow(store, record.id)
        eventually(
            lambda: not client.keys("workflow:*:*") or all_expire(client),
            progress=lambda: len(client.keys("workflow:*:*")),
        )
    client.close()


def all_expire(client: redis.Redis) -> bool:
    """Return whether every remaining key of a workflow expires by itself."""
    keys = [key for key in client.scan_iter("workflow:*", count=1000) if ":latch:" not in key]
    return all(client.ttl(key) != -1 for key in keys)
