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
from lfr.lifecycle import housekeeper
from lfr.operations.complete_task import complete_task
from lfr.operations.events import send_event
from lfr.operations.intervene import delete_workflow, retry_task, skip_task, terminate_workflow
from lfr.operations.latches import list_latches, reset_latch
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.receipts import Receipts
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.tasks import (
    Completion,
    complete_tasks,
    load_inputs,
    parse_tasks,
    successful_completion,
)
from lfr.store.queues.move import clear_stale_mark
from lfr.store.redis.connection import Connection, Store, open_store
from lfr.store.stream.entries import Entry
from lfr.store.waits.event_buffer import remove_unused_field_sets
from lfr.values.json import ABSENT, Json
from tests.integration.conftest import Stepper, append, streams
from tests.support.waiting import eventually, eventually_equal

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


TASKS = ("A", "B", "C", "D", "E", "fails", "old")


class Worker(Consumer):
    """Completes all tasks but `nobody`; `old` as workers for littleflow_redis do, and sometimes twice. Reads
    the bus, if it claims no tasks.

    completed  the values of the end-tasks of `old`
    """

    def __init__(self, store: Store, client: redis.Redis, *claims: str) -> None:
        super().__init__(store, "worker", claims=claims)
        self.completed: list[dict[str, Json]] = []
        self._client = client
        self._random = Random(1)

    def on_pass(self, connection: Connection) -> float:
        if self.claims:
            clear_stale_mark(connection, self.id.group)
        return super().on_pass(connection)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        tasks, other_ids = parse_tasks(batch)
        self.acknowledge_later(other_ids)
        for id, task in load_inputs(connection, tasks):
            if task.base not in TASKS:
                self.acknowledge_later([id])
            elif task.base == "fails":
                self._complete(connection, id, events.end_task_values(task, failure="it fails"))
            elif task.base == "old":
                for _ in range(self._random.randint(1, 2)):
                    self._client.set(f"{task.workflow}:output:{task.index}", "[1, 2]")
                    values = {"workflow": task.workflow, "name": task.name, "index": task.index}
                    self.completed.append(values)
                    self._complete(connection, id, values)
            else:
                completion = successful_completion(
                    id, task, None if task.input is ABSENT else task.input, self.store.settings.values_large
                )
                complete_tasks(connection, self.id, [completion], has_receipts=self.has_receipts)

    def _complete(self, connection: Connection, id: str, values: dict[str, Json]) -> None:
        complete_tasks(connection, self.id, [Completion(id, values)], has_receipts=self.has_receipts)


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


@pytest.mark.parametrize("has_receipts", [False, True])
@pytest.mark.parametrize("claims", [(), TASKS])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_left(
    settings: Settings,
    client: redis.Redis,
    stepper: Make,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    claims: tuple[str, ...],
    has_receipts: bool,
) -> None:
    for name in ("_EVERY_SECONDS", "_TIDY_SECONDS", "_RESCAN_SECONDS"):
        monkeypatch.setattr(housekeeper, name, 0)
    large = 2 if seed else settings.values_large  # all inputs go by pointer, or none
    store = open_store(replace(settings, events_retain_seconds=0.5, lease_seconds=1.0, values_large=large))
    receipts = [Receipts(store, io.StringIO())] if has_receipts else []
    lifecycle, wait, worker = Lifecycle(store), WaitTasks(store), Worker(store, client, *claims)
    roles = [stepper(consumer) for consumer in (lifecycle, wait, worker, *receipts)]

    def step() -> None:
        lifecycle._check_timers_at = 0.0
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

    def states() -> set[str | None]:
        step()
        return {client.hget(id, "state") for id in ids}

    eventually(lambda: states() >= {"RUNNING", "FINISHED", "FAILED", "TERMINATED"})  # much has happened
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

    def count_entries() -> int:
        step()
        return sum(client.xlen(stream) for stream in (*streams(client), "workflows:receipts"))

    eventually_equal(count_entries, 0)
    with store.connect() as connection:
        remove_unused_field_sets(connection, 10**15)
    expected = {"workflows:run", "workflows:ends", "workflows:indexed", "workflows:stream", "waits:latches"}
    expected |= {"workflows:flows", "workflows:searchable"}
    if claims:
        expected |= {"workflows:tasks:worker", "workflows:group:worker"}
        expected |= {"workflows:claims", "workflows:claims:version"}
    if has_receipts:
        expected.add("workflows:receipts")
    permanent = {str(key) for key in client.scan_iter() if client.ttl(key) == -1}
    assert permanent == expected, {key: client.type(key) for key in permanent ^ expected}


@pytest.mark.parametrize("flow", ["old", "<[1]> -> * old"])
def test_a_late_out_of_band_output_is_dropped(
    store: Store, client: redis.Redis, stepper: Make, flow: str
) -> None:
    """A worker for littleflow_redis has executed the task once more than it was asked to."""
    lifecycle, worker = stepper(Lifecycle(store)), stepper(Worker(store, client, *TASKS))
    id = start_workflow(store, flow).id
    for _ in range(20):
        lifecycle.step()
        worker.step()
    task = worker.consumer.completed[-1]
    assert client.hget(id, "state") == "FINISHED"
    if task["workflow"] == id:
        delete_workflow(store, id)
    client.set(f"{task['workflow']}:output:{task['index']}", "[1]")
    append(client, kind="end-task", workflow=task["workflow"], name="old", index=task["index"])
    lifecycle.step()
    lifecycle.step()
    assert client.keys("*:output:*") == []
