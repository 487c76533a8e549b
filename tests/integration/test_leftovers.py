"""After much has happened and all workflows were deleted, Redis holds only keys that expire."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
import redis

from lfr import events
from lfr.config.settings import Settings
from lfr.errors import Conflict
from lfr.operations.complete_task import complete_task
from lfr.operations.events import send_event
from lfr.operations.intervene import delete_workflow, retry_task, skip_task, terminate_workflow
from lfr.operations.latches import list_latches, reset_latch
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.tasks import Completion, complete_tasks, parse_tasks
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.stream.entries import Entry
from lfr.store.waits.event_buffer import remove_unused_field_sets
from lfr.tasks.catalogue import is_reserved
from lfr.values.json import Json
from tests.integration.conftest import Stepper, append, events_of
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

FLOWS = (
    "A -> { B ?`$.never` C D } -> > E",
    "<[1, 2, 3, 4, 5, 6]> -> * { A -> B } -> C",
    "<[1, 2, 3]> -> * { A -> nobody -> wait:event (- event: never -) }",
    "A -> wait:event (- {event: 'early-{input[n]}', match: {n: '{input[n]}'}} -) -> B",
    "wait:event (- {event: 'late-{input[n]}', match: {x: 1}, timeout: 1h} -) -> B",
    "wait:event (- event: 'late-{input[n]}' -) -> B",
    "wait:delay (- duration: 0.01 -) -> B -> wait:delay (- duration: 1h -)",
    "wait:acquire (- name: 'l-{input[n]}' -) -> A -> wait:release (- name: 'l-{input[n]}' -) -> A",
    "wait:acquire (- name: all -) -> A -> wait:release (- name: all -); wait:countdown (- name: all -) -> B",
    "nobody -> A",
    "A -> nobody (- lfr: {timeout: 1h} -)",
    "A -> nobody (- lfr: {timeout: 0.01} -)",
    "fails (- lfr: {retry: {times: 3, delay: 1h}} -); A",
    "fails (- lfr: {retry: {times: 2, delay: 0.01}, timeout: 1h} -); nobody",
    "<[1, 2]> -> * fails (- lfr: {retry: {times: 1, delay: 1h}} -)",
    "old -> old -> * old",
)


class Worker(Consumer):
    """Completes all tasks but `nobody`; `old` as workers for littleflow_redis do, and sometimes twice."""

    def __init__(self, store: Store, client: redis.Redis) -> None:
        super().__init__(store, "worker")
        self._client = client
        self._random = Random(1)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        tasks, other_ids = parse_tasks(batch)
        self.acknowledge_later(other_ids)
        for id, task in tasks:
            if is_reserved(task.base) or task.base == "nobody":
                self.acknowledge_later([id])
            elif task.base == "fails":
                self._complete(connection, id, events.end_task_values(task, failure="it fails"))
            elif task.base == "old":
                for _ in range(self._random.randint(1, 2)):
                    self._client.set(f"{task.workflow}:output:{task.index}", "[1, 2]")
                    values = {"workflow": task.workflow, "name": task.name, "index": task.index}
                    self._complete(connection, id, values)
            else:
                self._complete(connection, id, events.end_task_values(task, output=task.input))

    def _complete(self, connection: Connection, id: str, values: dict[str, Json]) -> None:
        complete_tasks(connection, self.id, [Completion(id, values)])


def interfere(store: Store, random: Random, id: str) -> None:
    """Intervene in a workflow, whether that is possible or not."""
    try:
        random.choice(
            (
                lambda: None,
                lambda: None,
                lambda: terminate_workflow(store, id),
                lambda: retry_task(store, id, random.randint(1, 3)),
                lambda: skip_task(store, id, random.randint(1, 3)),
                lambda: complete_task(store, id, None, random.randint(1, 3)),
            )
        )()
    except Exception as error:
        if type(error).__name__ not in ("Conflict", "NotFound", "BadInput"):
            raise


def delete(store: Store, id: str) -> None:
    try:
        delete_workflow(store, id)
    except Conflict:
        terminate_workflow(store, id)
        delete_workflow(store, id)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_left(settings: Settings, client: redis.Redis, stepper: Make, seed: int) -> None:
    store = open_store(replace(settings, events_retain_seconds=0.5, lease_seconds=1.0))
    receipts = Receipts(store, io.StringIO())
    lifecycle, wait, worker = Lifecycle(store), WaitTasks(store), Worker(store, client)
    roles = [stepper(consumer) for consumer in (lifecycle, wait, worker, receipts)]

    def step() -> None:
        receipts._clear_at = receipts._rescan_at = lifecycle._check_timers_at = 0.0
        for role in roles:
            role.step()

    ids = []
    for n in range(5 * len(FLOWS)):
        random = Random(1000 * seed + n)
        ids.append(start_workflow(store, FLOWS[n % len(FLOWS)], {"n": n}).id)
        for kind in ("early", "late"):
            if random.randrange(2):
                send_event(store, f"{kind}-{n}", {"n": n, "x": 1})
        step()
        interfere(store, random, random.choice(ids))
    for id in ids:
        send_event(store, "late-4", {"x": 1})
        step()
        interfere(store, random, id)
    states = {client.hget(id, "state") for id in ids}
    assert states >= {"RUNNING", "FINISHED", "FAILED", "TERMINATED"}  # much has happened
    random.shuffle(ids)
    for id in ids:
        delete(store, id)
        if random.randrange(2):
            step()
    for _ in range(3):
        step()
    for latch in list_latches(store):
        if latch["value"]:  # the workflow that held it was deleted
            reset_latch(store, latch["name"])

    def is_clear() -> bool:
        step()
        return client.xlen("workflows:run") == 0

    eventually(is_clear)
    with store.connect() as connection:
        remove_unused_field_sets(connection, 10**15)
    permanent = {str(key) for key in client.scan_iter() if client.ttl(key) == -1}
    assert permanent == {"workflows:run", "waits:latches"}, {key: client.type(key) for key in permanent}
    assert client.xrange("workflows:run") == []


@pytest.mark.parametrize("flow", ["old", "<[1]> -> * old"])
def test_a_late_out_of_band_output_is_dropped(
    store: Store, client: redis.Redis, stepper: Make, flow: str
) -> None:
    """A worker for littleflow_redis has executed the task once more than it was asked to."""
    lifecycle, worker = stepper(Lifecycle(store)), stepper(Worker(store, client))
    id = start_workflow(store, flow).id
    for _ in range(20):
        lifecycle.step()
        worker.step()
    task = events_of(client, "end-task")[-1]
    assert client.hget(id, "state") == "FINISHED"
    if task["workflow"] == id:
        delete_workflow(store, id)
    client.set(f"{task['workflow']}:output:{task['index']}", "[1]")
    append(client, kind="end-task", workflow=task["workflow"], name="old", index=task["index"])
    lifecycle.step()
    lifecycle.step()
    assert client.keys("*:output:*") == []
