"""`lfr why` names the true cause in prepared situations, each a real state of a real server."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import pytest
import redis

from lfr.actor import make_actor
from lfr.config.settings import Settings
from lfr.errors import NotFound
from lfr.operations.events import send_event
from lfr.operations.explain.explanation import explain_workflow
from lfr.operations.intervene import delete_workflow, skip_task, terminate_workflow
from lfr.operations.pause import pause
from lfr.operations.start import start_workflow
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.roles.lifecycle import Lifecycle
from lfr.roles.wait import WaitTasks
from lfr.runtime.consumer import Consumer
from lfr.store import keys
from lfr.store.processes import Process
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper, append, events_of, settle

Make = Callable[[Consumer], Stepper]

HOST, PID = socket.gethostname(), os.getpid()


@dataclass
class Scene:
    """A server with roles that take passes when a situation says so."""

    store: Store
    client: redis.Redis
    make: Make

    def beat(self, role: str, claims: dict[str, list[str]] | None = None, pid: int = PID) -> None:
        """Do what a live process of a role does; with claims, it is one of workers."""
        process = Process(f"{role} {pid}", role, role, HOST, pid, "1.0", "", claims=claims or {})
        self.client.set(keys.process(process.id), json.dumps(asdict(process)), ex=60)
        self.client.sadd(keys.PROCESSES, process.id)
        for group, names in (claims or {}).items():
            self.client.set(keys.group_life(group), 1, ex=3600)
            self.client.hset(keys.CLAIMS, mapping=dict.fromkeys(names, group))
            self.client.set(keys.CLAIMS_VERSION, os.urandom(4).hex())

    def start(self, flow: str, name: str = "w", input: object = None) -> str:
        """Start a workflow."""
        return start_workflow(self.store, flow, input or {}, workflow_id=name).id  # type: ignore[arg-type]

    def wait(self) -> None:
        """Let the roles lifecycle and wait take passes until all is read."""
        settle(self.client, self.make(Lifecycle(self.store)), self.make(WaitTasks(self.store)))

    def read(self, group: str, count: int, consumer: str = f"{HOST}-{PID}-01234567") -> None:
        """Let a worker of a group read tasks."""
        queue = keys.queue(group)
        self.client.xgroup_create(queue, group, "0", mkstream=True)
        self.client.xreadgroup(group, consumer, {queue: ">"}, count=count)

    def fail(self, id: str, name: str, index: int, reason: str) -> None:
        """Report that a task has failed."""
        append(
            self.client,
            kind="end-task",
            workflow=id,
            name=name,
            index=index,
            status="FAILURE",
            reason=reason,
        )


Situation = Callable[[Scene], str | tuple[str, int]]
"""Prepares a state, and returns the workflow to ask about, perhaps with the step."""


def nobody(scene: Scene) -> str:
    scene.beat("tasks", {"images": ["img:resizes"]})
    return scene.start("img:resize")


def dead_group(scene: Scene) -> str:
    scene.beat("tasks", {"images": ["img:resize"]})
    id = scene.start("img:resize")
    scene.client.delete(keys.process(f"tasks {PID}"))
    return id


def foreign_gone(scene: Scene) -> str:
    scene.client.hset(keys.FOREIGN_TASKS, "old:task", 1_796_000_000_000)
    return scene.start("old:task")


def queued(scene: Scene) -> str:
    scene.beat("tasks", {"images": ["img:resize"]})
    for number in range(3):
        scene.start("img:resize", f"other-{number}")
    id = scene.start("img:resize")
    scene.read("images", 1)
    return id


def held(scene: Scene) -> str:
    scene.beat("tasks", {"images": ["img:resize"]})
    id = scene.start("img:resize (- lfr: {timeout: 1h} -)")
    scene.read("images", 1)
    return id


def usual(scene: Scene) -> str:
    scene.beat("tasks", {"images": ["img:resize"]})
    for number in range(3):
        id = scene.start("img:resize", f"other-{number}")
        append(scene.client, kind="end-task", workflow=id, name="img:resize", index=1)
        scene.wait()
        facts = scene.client.lrange(keys.facts(id), 0, -1)
        scene.client.delete(keys.facts(id))
        first_ms = int(facts[0].split()[0])
        later = [re.sub(r"^\d+", str(first_ms + 300_000), element) for element in facts[1:]]
        scene.client.rpush(keys.facts(id), facts[0], *later)
    scene.client.delete(keys.queue("images"))
    id = scene.start("img:resize")
    scene.read("images", 1)
    return id


def worker_gone(scene: Scene) -> str:
    scene.beat("tasks", {"images": ["img:resize"]})
    id = scene.start("img:resize")
    scene.read("images", 1, f"{HOST}-{PID + 1}-01234567")
    return id


def foreign_holds(scene: Scene) -> str:
    scene.client.xgroup_create(scene.store.stream, "shell", "0", mkstream=True)
    id = scene.start("img:resize")
    scene.client.xreadgroup("shell", "worker-a", {scene.store.stream: ">"})
    return id


def event(scene: Scene) -> str:
    scene.beat("wait")
    id = scene.start(
        "wait:event (- {event: paid, match: {order: '{input[order]}'}, timeout: 3600} -)", "w", {"order": 7}
    )
    scene.wait()
    return id


def other_event(scene: Scene) -> str:
    id = event(scene)
    send_event(scene.store, "paid", {"order": "8", "by": "x"})
    scene.wait()
    return id


def acquire(scene: Scene, name: str, more: str = "", id: str = "holder") -> str:
    holder = scene.start(f"wait:acquire (- name: {name} -) {more}", id)
    scene.wait()
    return holder


def count_down(scene: Scene, name: str) -> str:
    scene.beat("wait")
    id = scene.start(f"wait:countdown (- name: {name} -)")
    scene.wait()
    return id


def latch(scene: Scene) -> str:
    acquire(scene, "house", "-> B")
    return count_down(scene, "house")


def latch_of_the_deleted(scene: Scene) -> str:
    delete_workflow(scene.store, acquire(scene, "house"))
    return count_down(scene, "house")


def latch_of_the_terminated(scene: Scene) -> str:
    terminate_workflow(scene.store, acquire(scene, "house", "-> B"))
    return count_down(scene, "house")


CIRCLE = "wait:acquire (- name: {0} -) -> A -> wait:countdown (- name: {1} -) -> wait:release (- name: {0} -)"


def circle(scene: Scene) -> str:
    scene.beat("wait")
    scene.start(CIRCLE.format("a", "b"), "one")
    scene.start(CIRCLE.format("b", "a"), "two")
    scene.wait()
    for id in ("workflow:one", "workflow:two"):
        append(scene.client, kind="end-task", workflow=id, name="A", index=2)
    scene.wait()
    return "workflow:one"


def circle_of_one(scene: Scene) -> str:
    scene.beat("wait")
    id = scene.start(
        "wait:acquire (- name: a -) -> wait:countdown (- name: a -) -> wait:release (- name: a -)"
    )
    scene.wait()
    return id


def no_circle(scene: Scene) -> str:
    scene.beat("wait")
    flow = "wait:acquire (- name: {0} -) -> A -> {{ wait:countdown (- name: {1} -) {2} }}"
    scene.start(flow.format("a", "b", ""), "one")
    scene.start(flow.format("b", "a", "release"), "two")
    scene.wait()
    for id in ("workflow:one", "workflow:two"):
        append(scene.client, kind="end-task", workflow=id, name="A", index=2)
    scene.wait()
    return "workflow:one"


def delayed(scene: Scene) -> str:
    scene.beat("wait")
    id = scene.start("wait:delay (- duration: 1h -)")
    scene.wait()
    return id


def no_wait_role(scene: Scene) -> str:
    return scene.start("wait:delay (- duration: 1h -)")


def wait_behind(scene: Scene) -> str:
    id = delayed(scene)
    [member] = scene.client.zrange(keys.TIMERS, 0, -1)
    scene.client.zadd(keys.TIMERS, {member: 1})
    [key] = scene.client.keys("workflow:w:wait:*")
    scene.client.set(key, re.sub(r'"due": ?\d+', '"due": 1000', scene.client.get(key)))  # type: ignore[arg-type]
    return id


def retried(scene: Scene) -> str:
    id = scene.start("img:resize (- lfr: {retry: {times: 3, delay: 1h}} -)")
    scene.fail(id, "img:resize", 1, "disk full")
    scene.wait()
    return id


def items(scene: Scene) -> str:
    id = scene.start("* img:resize (- lfr: {limit: 2} -)", "w", [1, 2, 3])  # type: ignore[arg-type]
    scene.wait()
    return id


def call(scene: Scene) -> str:
    apply_flows(scene.store, [FlowSource("@flow child img:resize", "child.flow")])
    id = scene.start("flow:child")
    scene.wait()
    return id


def paused(scene: Scene) -> str:
    pause(scene.store.acting(make_actor("ann@web1")), "task", "img:resize")
    return scene.start("img:resize")


def result_waits(scene: Scene) -> str:
    id = scene.start("img:resize")
    scene.client.xadd(
        keys.ENDS,
        {
            "kind": '"end-task"',
            "workflow": json.dumps(id),
            "name": '"img:resize"',
            "index": "1",
            "attempt": "1",
        },
    )
    return id


def result_waits_with_a_lifecycle(scene: Scene) -> str:
    scene.beat("lifecycle")
    return result_waits(scene)


def full(scene: Scene) -> str:
    id = scene.start("img:resize")
    scene.client.config_set("maxmemory", "1")
    return id


def failed(scene: Scene) -> str:
    id = scene.start("A -> B")
    scene.fail(id, "A", 1, "no such file")
    scene.wait()
    return id


def terminated(scene: Scene) -> str:
    id = scene.start("A")
    terminate_workflow(scene.store, id)
    return id


def pending(scene: Scene) -> tuple[str, int]:
    return scene.start("A -> B"), 2


def never(scene: Scene) -> str:
    return scene.start(":w A -> B -> :w")


def never_pending(scene: Scene) -> tuple[str, int]:
    return scene.start(":x -> A -> B -> :x; C"), 1


def lost(scene: Scene) -> str:
    scene.beat("tasks", {"images": ["img:resize"]})
    id = scene.start("img:resize")
    scene.client.delete(keys.queue("images"))
    return id


def sent(scene: Scene) -> str:
    scene.beat("request", {"request": ["request:*"]})
    id = scene.start("request:post (- {url: 'http://127.0.0.1:1/', sync: false} -)")
    scene.client.delete(keys.queue("request"))
    return id


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
SINCE = rf"since {TIME} \(\d+ s\)"

TABLE: list[tuple[Situation, str, str, str]] = [
    (
        nobody,
        "no-worker",
        rf"no live worker does img:resize: it waits {SINCE}",
        r"did you mean img:resizes\?",
    ),
    (
        dead_group,
        "no-worker",
        rf"no live worker does img:resize: .*; the group images did it, and was last alive at about {TIME}",
        "its group images has no live process that does: start one",
    ),
    (
        foreign_gone,
        "no-worker",
        r"no live worker does old:task: .*; a foreign worker ended one at 2026-11-\d\dT.*Z",
        "the foreign workers that did it read nothing",
    ),
    (
        queued,
        "queued",
        rf"it stands in the queue of images behind 2 others {SINCE}: 1 process of images, busy with 1 task",
        "start more workers, .*--concurrency",
    ),
    (
        held,
        "held",
        rf"tasks, pid {PID} on {HOST}, of the group images works on it, {SINCE}; it fails at {TIME} .*",
        "if it hangs: lfr retry workflow:w 1 starts another attempt",
    ),
    (usual, "held", ".* works on it, .*; it usually takes 5 min", "if it hangs: .*"),
    (
        worker_gone,
        "worker-gone",
        rf"the worker that had img:resize is gone \({HOST}-{PID + 1}-01234567\); its lease ends in \d+ s",
        "another worker of images then takes it over",
    ),
    (foreign_holds, "held", "worker-a, a foreign worker, of the group shell works on it, .*", ".*"),
    (
        event,
        "event",
        rf'it waits for the event paid with \{{"order": 7\}} {SINCE}, until {TIME} \(in \d+ (s|min)\)',
        """lfr event paid --data '{"order": 7}' sends it""",
    ),
    (
        other_event,
        "event",
        rf'it waits for the event paid .*; an event paid came at {TIME}, but with \{{"order": "8"\}}',
        ".*",
    ),
    (
        latch,
        "latch",
        rf"it waits {SINCE} for the latch house, which is at 1 and held by workflow:holder \(RUNNING\)",
        "lfr why workflow:holder says why that one has not released it",
    ),
    (
        latch_of_the_deleted,
        "latch",
        ".* held by workflow:holder \\(deleted\\): nobody will release it",
        "lfr latches reset house",
    ),
    (
        latch_of_the_terminated,
        "latch",
        ".* held by workflow:holder \\(TERMINATED\\)",
        "lfr restart workflow:holder, so that it releases it; or lfr latches reset house",
    ),
    (
        circle,
        "circle",
        "workflows wait for each other in a circle: workflow:one waits for the latch b, which workflow:two "
        "holds; workflow:two waits for the latch a, which workflow:one holds",
        r"lfr skip workflow:one \d+ goes on at once",
    ),
    (
        circle_of_one,
        "circle",
        "it waits for the latch a, which its own workflow holds: it waits for itself",
        r"lfr skip workflow:w \d+ goes on at once",
    ),
    (
        no_circle,
        "latch",
        r"it waits .* for the latch b, which is at 1 and held by workflow:two \(RUNNING\)",
        ".*",
    ),
    (
        delayed,
        "delay",
        rf"it is delayed until {TIME} \(in \d+ min\)",
        "lfr skip workflow:w 1 goes on at once",
    ),
    (no_wait_role, "no-worker", "no role wait runs, which does wait:delay: .*", "lfr wait, or lfr worker"),
    (wait_behind, "due", "it was due at 1970-.*: the wait role is behind", ".*lfr wait"),
    (
        retried,
        "retry",
        rf"its last attempt failed, and the next one is delayed until {TIME} \(in \d+ min\): disk full",
        "lfr retry workflow:w 1 starts it now",
    ),
    (
        items,
        "items",
        "0 of 3 items are done, 2 run, and no more than 2 may at once .*; item 0: no live worker does .*",
        "lfr tasks FILE.py runs a worker",
    ),
    (
        call,
        "call",
        "the flow child that it calls, workflow:w/1.0, is RUNNING; its step 1: no live worker does .*",
        "lfr tasks FILE.py runs a worker",
    ),
    (
        paused,
        "pause",
        f"the task img:resize is paused, since {TIME} by ann@web1: it starts at the end of the pause",
        "lfr resume --task img:resize",
    ),
    (
        result_waits,
        "no-lifecycle",
        "its result is there, but no lifecycle runs that would take it",
        "lfr lifecycle",
    ),
    (
        result_waits_with_a_lifecycle,
        "slow-lifecycle",
        "its result is there, and waits for the lifecycles with 0 others",
        "start another one if this lasts: lfr lifecycle",
    ),
    (full, "refused-writes", "Redis refuses writes, so nothing goes on: .*maxmemory.*", ".*lfr doctor.*"),
    (
        failed,
        "failed",
        f"it failed at {TIME}: no such file",
        "mend the reason, then lfr retry workflow:w 1; .*",
    ),
    (pending, "predecessors", r"it has not started: it waits for step 1 \(A\)", "lfr why workflow:w 1"),
    (
        never_pending,
        "never",
        r"it can never start: A can never start: it waits for itself \(A -> B -> A\)",
        ".*",
    ),
    (
        lost,
        "lost",
        "its task, sent .*, stands in no queue, and its result has not come",
        ".*lfr retry workflow:w 1.*",
    ),
    (sent, "server", "request:post was sent; a server is to report its end", "lfr end workflow:w 1 .*"),
]


@pytest.fixture
def scene(settings: Settings, client: redis.Redis, stepper: Make) -> Scene:
    store = open_store(replace(settings, lease_seconds=0.1))
    return Scene(store, client, stepper)


@pytest.mark.parametrize("prepare,kind,text,cure", TABLE, ids=lambda each: getattr(each, "__name__", ""))
def test_why_names_the_cause(scene: Scene, prepare: Situation, kind: str, text: str, cure: str) -> None:
    prepared = prepare(scene)
    try:
        id, index = (prepared, None) if isinstance(prepared, str) else prepared
        before = sorted(scene.client.keys())
        explanation = explain_workflow(scene.store, id, index)
        step = explanation["steps"][0]
        assert step["cause"] == kind, step
        assert re.fullmatch(text, step["text"]), step["text"]
        assert re.fullmatch(cure, step["cure"]), step["cure"]
        assert sorted({*scene.client.keys(), keys.PROCESSES}) == sorted({*before, keys.PROCESSES})
    finally:
        scene.client.config_set("maxmemory", "0")


@pytest.mark.parametrize("prepare", [circle, circle_of_one])
def test_the_cure_of_a_circle_lets_all_of_it_go_on(scene: Scene, prepare: Situation) -> None:
    id = prepare(scene)
    (step,) = explain_workflow(scene.store, str(id))["steps"]
    *_, skipped, index = step["cure"].removesuffix(" goes on at once").split()
    skip_task(scene.store, skipped, int(index))
    scene.wait()
    states = {id: scene.client.hget(id, "state") for id in scene.client.zrange("workflows:all", 0, -1)}
    assert set(states.values()) == {"FINISHED"}, states


@pytest.mark.parametrize(
    "prepare,kind,text",
    [
        (failed, "failed", f"it failed at {TIME}: no such file"),
        (terminated, "terminated", f"it was terminated at {TIME}"),
        (
            never,
            "never",
            rf"it finished at {TIME}, but its end can never be reached: A can never start: .*\(A -> B -> A\)",
        ),
        (nobody, "no-lifecycle", "no lifecycle runs: no workflow makes progress"),
        (full, "refused-writes", "Redis refuses writes, .*"),
    ],
)
def test_why_says_how_the_workflow_as_a_whole_stands(
    scene: Scene, prepare: Situation, kind: str, text: str
) -> None:
    id = str(prepare(scene))
    try:
        explanation = explain_workflow(scene.store, id)
        assert explanation["cause"] == kind
        assert re.fullmatch(text, explanation["text"]), explanation["text"]
    finally:
        scene.client.config_set("maxmemory", "0")


def test_an_iterated_step_shows_why_its_first_items_stand(scene: Scene) -> None:
    [step] = explain_workflow(scene.store, items(scene))["steps"]
    assert [item["id"] for item in step["items"]] == ["workflow:w/1.0", "workflow:w/1.1"]
    assert [item["steps"][0]["cause"] for item in step["items"]] == ["no-worker", "no-worker"]


def test_only_the_first_of_many_steps_are_explained(scene: Scene) -> None:
    explanation = explain_workflow(scene.store, scene.start("; ".join(["A"] * 60)))
    assert (len(explanation["steps"]), explanation["more"]) == (50, 10)


def test_a_step_that_does_not_exist(scene: Scene) -> None:
    id = scene.start("A")
    with pytest.raises(NotFound, match="has no step 9"):
        explain_workflow(scene.store, id, 9)


def test_a_release_of_another_workflow_leaves_no_holder_behind_once_the_latch_is_at_zero(
    scene: Scene,
) -> None:
    acquire(scene, "house")
    scene.start("wait:release (- name: house -)")
    scene.wait()
    assert not scene.client.exists(keys.latch_holders("house"))
    assert events_of(scene.client, "countdown-latch-zero")
