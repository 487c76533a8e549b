"""Starts the workflows, sends the events that they wait for, and continues those that have stopped."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any, Final

from lfr import Client
from lfr.config.settings import Settings
from lfr.errors import LfrError
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import open_store
from tests.faults.generate import STORED_FLOWS, Plan, make_plan
from tests.faults.installation import Installation
from tests.faults.journal import Journal
from tests.faults.retention import Sampler
from tests.faults.retries import persist
from tests.faults.scheduled import SCHEDULED, Schedules, all_of, is_scheduled
from tests.support.waiting import STALL_SECONDS, eventually

_POLL_SECONDS: Final = 0.2

_REUSE_ONE_IN: Final = 20
"""How many of the workflows have an id that another one has had before."""

_EARLIER: Final = 10_000_000
"""What is added to the number of a workflow for the one that has its id before it."""

_EXPECTED_REASONS: Final = ("expected failure", "failed by hand")
"""Parts of the reasons of failures that are meant to be."""


class Load:
    """The workflows of a run.

    plans      by workflow id, of those that have been started
    earlier    workflows that ran under an id of `plans` before, and were deleted
    gone       when such an id may have had no workflow: from when to when, in seconds since the epoch
    failures   workflows that have failed for a reason that nobody expects
    """

    def __init__(self, seed: int, count: int, installation: Installation, journal: Journal) -> None:
        self.seed, self.count = seed, count
        self.installation = installation
        self.journal = journal
        self.plans: dict[str, Plan] = {}
        self.earlier: dict[str, Plan] = {}
        self.gone: dict[str, tuple[float, float]] = {}
        self.failures: dict[str, str] = {}
        self.client = Client(installation.server.url, redis_timeout_seconds=10.0)
        self._store = open_store(Settings(redis_url=installation.server.url))
        self.schedules = Schedules(self.client, journal, Random(f"{seed}/schedules"))
        self.redis = installation.server.client()
        self.random = Random(seed)
        self.sampler = Sampler(self.redis, Random(f"{seed}/sampler"))
        self._to_replace: deque[tuple[float, Plan]] = deque()
        self._to_send: deque[tuple[float, Plan]] = deque()
        self._number = 0
        self._ended = 0
        self._continued: set[str] = set()

    def store_flows(self) -> None:
        """Store the flows that others call."""
        texts = [program.text() for program in STORED_FLOWS.values()]
        texts += [each.text for each in SCHEDULED.values()]
        persist(lambda: self.client.apply_flows(texts))
        self.schedules.note_made()

    def running_count(self) -> int:
        """Return how many workflows are to reach their end."""
        return len(self.plans) - self._ended

    def run(self, seconds: float, window: int) -> None:
        """Start all workflows that have not been started, spread over some seconds, at most so many at once;
        wait for the ends of all."""
        begin = time.monotonic()
        last_change = last_look = begin
        while True:
            share = (time.monotonic() - begin) / seconds if seconds else 1.0
            due = min(self.count, 1 + share * self.count)
            while self._number < due and self.running_count() < window:
                self._start(self._number)
                self._number += 1
            self._send_due_events()
            self._replace_due()
            if time.monotonic() >= last_look + _POLL_SECONDS:
                last_look = time.monotonic()
                if self._look():
                    last_change = last_look
            if self._number == self.count and not self.running_count() and not self._to_replace:
                return
            if time.monotonic() - last_change > STALL_SECONDS:
                return
            time.sleep(0.02)

    def _start(self, number: int) -> None:
        plan = make_plan(self.seed, number, self.installation.surroundings)
        if self.random.randrange(_REUSE_ONE_IN) == 0 and not plan.is_pruned:
            earlier = make_plan(self.seed, _EARLIER + number, self.installation.surroundings)
            if earlier.leaves_nothing:
                self.earlier[plan.id] = earlier
                persist(partial(self._start_as, earlier, plan.id))
                self._to_replace.append((time.monotonic() + self.random.uniform(0.1, 2), plan))
                return
        self._start_plan(plan)

    def _start_as(self, plan: Plan, id: str) -> None:
        """Start a workflow; not by the client, which takes None for no input."""
        start_workflow(self._store, plan.program.text(), plan.input, id, labels=plan.labels or None)

    def _replace_due(self) -> None:
        """Terminate and delete workflows, wherever they are, and start others under their ids."""
        for _ in range(len(self._to_replace)):
            due, plan = self._to_replace.popleft()
            if due > time.monotonic():
                self._to_replace.append((due, plan))
                continue
            begin = time.time()
            for action in (self.client.terminate, self.client.delete):
                with suppress(LfrError):  # it has ended already
                    persist(partial(action, plan.id))
            self._start_plan(plan)
            self.gone[plan.id] = (begin, time.time())
            self.journal.count("id used again", plan.id)

    def _start_plan(self, plan: Plan) -> None:
        start = partial(self._start_as, plan, plan.id)
        self.plans[plan.id] = plan

        if self.random.randrange(20) == 0 and not plan.is_pruned:  # two clients start the same workflow
            other = threading.Thread(target=persist, args=(start,))
            other.start()
            persist(start)
            other.join()
            self.journal.count("two starts", plan.id)
        else:
            persist(start)
        self.send_events(plan, self.random.uniform(0, 1))

    def send_events(self, plan: Plan, delay_seconds: float) -> None:
        """Send all events that a workflow waits for, after some seconds."""
        if plan.events:
            self._to_send.append((time.monotonic() + delay_seconds, plan))

    def _send_due_events(self) -> None:
        for _ in range(len(self._to_send)):
            due, plan = self._to_send.popleft()
            if due > time.monotonic():
                self._to_send.append((due, plan))
                continue
            for kind, fields, count in plan.events:
                for _ in range(count):
                    persist(lambda kind=kind, fields=fields: self.client.event(kind, fields))

    def _look(self) -> bool:
        """Continue what has stopped; return whether anything has changed."""

        def read() -> tuple[int, list[str], list[str]]:
            finished = self.redis.zcard("workflows:state:FINISHED")
            for _, plan in self._to_replace:
                finished -= self.redis.zscore("workflows:state:FINISHED", plan.id) is not None
            if scheduled := all_of(self.scheduled_ids):
                scores = self.redis.zmscore("workflows:state:FINISHED", scheduled)
                finished -= sum(score is not None for score in scores)
            finished += self._count_removed()
            stopped = [self.redis.zrange(f"workflows:state:{s}", 0, -1) for s in ("FAILED", "TERMINATED")]
            return finished, stopped[0], stopped[1]

        finished, failed, terminated = persist(read)
        self.schedules.sample()
        self.sampler.look(list(self.plans))
        failed = [id for id in failed if id in self.plans]  # the others are to be replaced
        terminated = [id for id in terminated if id in self.plans]
        right = [id for id in failed if self.plans[id].expectation.has_failed or self.plans[id].turns]
        ended = finished + len(right) + len(self.failures)
        to_continue = [id for id in (*failed, *terminated) if id not in self.failures]
        changed = False
        for id in sorted(set(to_continue) - set(right)):
            changed = True
            self._continue(id, has_failed=id in failed)
        changed |= ended != self._ended
        self._ended = ended
        return changed

    def scheduled_ids(self, name: str) -> list[str]:
        """Return the workflows of a schedule that there are."""
        ids: list[str] = self.redis.zrange(f"workflows:flow:{name}", 0, -1)
        return ids

    def wait_for_schedules(self) -> None:
        """Wait until the workflows of schedules have ended; what has not then is for the checker."""

        def running() -> list[str]:
            return [id for id in self.redis.zrange("workflows:state:RUNNING", 0, -1) if is_scheduled(id)]

        with suppress(AssertionError):
            eventually(lambda: not running(), progress=running)

    def _count_removed(self) -> int:
        """Return how many workflows were pruned, or removed by retention."""
        ids = [id for id in self.plans if id not in self.failures]
        return len(ids) - (int(self.redis.exists(*ids)) if ids else 0)

    def _continue(self, id: str, *, has_failed: bool) -> None:
        """Mend and restart a workflow, and send its events again: those of stopped attempts are used up."""
        reason = persist(lambda: self.redis.hmget(id, "brief", "reason")) if has_failed else [None]
        text = str(reason[-1] or reason[0])
        if has_failed and not any(expected in text for expected in _EXPECTED_REASONS):
            if persist(lambda: self.redis.hget(id, "state")) == "FAILED":
                self.failures[id] = text
            return
        plan = self.plans[id]
        if self.random.randrange(2) or not plan.broken:
            (self.installation.mended / id).touch()
        with suppress(LfrError):  # somebody else was quicker
            persist(lambda: self.client.restart(id))
        self.send_events(plan, 0.2)


def read_executions(installation: Installation) -> list[dict[str, Any]]:
    """Return the executions that workers have logged so far."""
    lines = installation.executions.read_text().splitlines()
    return [json.loads(line) for line in lines]
