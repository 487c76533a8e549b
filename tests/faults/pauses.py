"""Pauses at random, and what must not happen while they last: a start of a task in their scope.

The times of a history are those of Redis, as each transaction reads them under WATCH. A transaction that is
committed before a pause has read an earlier time than the pause's answer; one that reads a later time sees
the pause. So any start between the answer to a pause and the request of its end is a violation, exactly.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random
from typing import Final, NamedTuple

import redis

from lfr import Client
from lfr.errors import Conflict, LfrError
from tests.faults.generate import ORDINARY, STORED_FLOWS, Plan
from tests.faults.histories import Entry, read_histories
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.faults.places import path_of, root
from tests.faults.retries import persist

TASKS: Final = ("one:*", "many:*", "many:echo", "far:*", "sim:echo", "wait:*", "wait:delay")
"""Tasks that are paused, by their names or by what these begin with."""


class Window(NamedTuple):
    """A pause while it was surely in force, by the clock of Redis, in milliseconds since the epoch."""

    scope: str
    name: str
    begin_ms: int
    end_ms: int


class Pauses:
    """Pauses and resumes.

    windows      the pauses that are over
    violations   starts of tasks of items during a pause: items do not keep their histories
    """

    def __init__(self, load: Load, journal: Journal, random: Random) -> None:
        self._load = load
        self._journal = journal
        self._random = random
        self._client = Client(load.installation.server.url, redis_timeout_seconds=10.0, actor="pauses")
        self._redis = load.installation.server.client()
        self._lock = threading.Lock()
        self._active: set[tuple[str, str]] = set()
        self.windows: list[Window] = []
        self.violations: list[str] = []

    def pause(self) -> None:
        """Pause a workflow, a flow, a task or everything for a while; then resume it."""
        scope = self._random.choice(("workflow", "workflow", "flow", "task", "task", "all"))
        name = self._choose_name(scope)
        with self._lock:
            if name is None or (scope, name) in self._active:
                return
            self._active.add((scope, name))
        try:
            self._hold(scope, name)
        finally:
            with self._lock:
                self._active.discard((scope, name))

    def _choose_name(self, scope: str) -> str | None:
        if scope == "all":
            return ""
        if scope == "flow":
            return self._random.choice((ORDINARY, *STORED_FLOWS))
        if scope == "task":
            return self._random.choice(TASKS)
        ids = persist(lambda: self._redis.zrange("workflows:state:RUNNING", 0, -1))
        plans = [self._load.plans[id] for id in ids if id in self._load.plans]
        ids = [plan.id for plan in plans if not plan.labels]  # those that bulk operations leave alone
        return self._random.choice(ids) if ids else None

    def _hold(self, scope: str, name: str) -> None:
        deadlines = self._random.choice(("run", "stop")) if scope != "task" else "run"
        begin, end = self._actions(scope, name, deadlines)
        try:
            with suppress(Conflict):  # an earlier try has done it, and its answer was lost
                persist(begin)
        except LfrError:  # it has ended
            return
        begin_ms = self._now_ms()
        time.sleep(self._random.uniform(0.2, 1.5 if scope == "all" else 3))
        end_ms = self._now_ms()
        window = Window(scope, name, begin_ms, end_ms)
        self._check_items(window)
        with suppress(LfrError):  # the workflow has finished, and its pause with it
            persist(end)
        self.windows.append(window)
        self._journal.count(f"pause of {scope}", f"{name} {begin_ms} {end_ms}")

    def _actions(self, scope: str, name: str, deadlines: str) -> tuple[Callable[[], object], ...]:
        if scope == "workflow":
            return lambda: self._client.pause(name, deadlines=deadlines), lambda: self._client.resume(name)
        return (
            lambda: self._client.pause_all(scope, name, deadlines=deadlines),
            lambda: self._client.resume_all(scope, name),
        )

    def _now_ms(self) -> int:
        seconds, micros = persist(self._redis.time)
        return int(seconds) * 1000 + int(micros) // 1000

    def _check_items(self, window: Window) -> None:
        """Look for starts in the histories of items, as long as the pause is in force."""

        def read() -> list[tuple[str, list[Entry], list[str]]]:
            keys = self._redis.scan_iter("workflow:f*/*:facts", count=10_000)
            histories = read_histories(self._redis, [key.removesuffix(":facts") for key in keys])
            names = {id: flow_names(self._redis, id) for id in histories} if window.scope == "flow" else {}
            return [(id, history, names.get(id, [])) for id, history in histories.items()]

        for id, history, names in persist(read):
            plan = self._load.plans.get(root(id))
            if plan is not None and root(id) not in self._load.earlier:
                self.violations += find_starts(plan, id, history, [window], names)

    def resume_all(self) -> None:
        """End all pauses."""
        for pause in persist(self._client.pauses):
            _, end = self._actions(pause["scope"], pause["name"], "run")
            with suppress(LfrError):
                persist(end)


def flow_names(client: redis.Redis, id: str) -> list[str]:
    """Return the names of the flows of an item and of all workflows around it."""
    parts = id.split("/")
    lineage = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [name for each in lineage if (name := client.hget(each, "name"))]


def find_starts(
    plan: Plan, id: str, history: Iterable[Entry], windows: Iterable[Window], flow_names: Iterable[str]
) -> list[str]:
    """Return the starts of tasks in the history of a workflow, or of an item of it, that a pause forbids.
    Iterated steps and calls may start: their children are held."""
    found: list[str] = []
    starts = [(entry.at_ms, word) for entry in history for word in entry.words if word[0] == "+"]
    for window in windows:
        if not starts or window.end_ms < starts[0][0] or window.begin_ms > starts[-1][0]:
            continue
        for at_ms, word in starts:
            index = word[1:].partition(".")[0]
            if not index.isdecimal() or not window.begin_ms < at_ms < window.end_ms:
                continue
            execution = plan.expectation.executions.get((path_of(id), int(index)))
            if execution is not None and _covers(
                window, id, flow_names, (execution.call.base, execution.call.name)
            ):
                found.append(f"{id}: {word} started at {at_ms}, and {window} was in force")
    return found


def _covers(window: Window, id: str, flow_names: Iterable[str], task_names: Iterable[str]) -> bool:
    match window.scope:
        case "all":
            return True
        case "workflow":
            return root(id) == window.name
        case "flow":
            return window.name in flow_names
    if window.name.endswith("*"):
        return any(name.startswith(window.name[:-1]) for name in list(task_names)[:1])
    return window.name in task_names
