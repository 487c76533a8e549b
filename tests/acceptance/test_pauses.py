"""Pauses while lifecycles are killed: all workflows finish, each task starts once, none during a pause."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import ExitStack

import redis

from lfr import Client
from tests.acceptance.test_kill import Restarted
from tests.support.processes import role
from tests.support.waiting import eventually, eventually_equal

WORKFLOWS = 60
FLOW = "@flow f; a -> { b c -> d } -> * { e -> g } -> h"


def test_pauses_under_kills(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)
    client.xgroup_create("workflows:run", "listener", "0", mkstream=True)  # nothing leaves the bus
    lfr = Client(redis_url)
    stop = threading.Event()

    def started() -> list[tuple[str, int, int]]:
        events = [fields for _, fields in client.xrange("workflows:run")]
        tasks = [event for event in events if event["kind"] == '"start-task"']
        names = ("workflow", "index", "attempt")
        own = [task for task in tasks if task["base"] != '"lfr:each"']
        return [tuple(json.loads(task[name]) for name in names) for task in own]

    with ExitStack() as stack:
        lifecycles = [Restarted(("lifecycle",), redis_url, stack) for _ in range(2)]
        stack.enter_context(role("simulate", "--wait-period", "0.1", url=redis_url))

        def kill_lifecycles() -> None:
            number, length = 0, 0
            while not stop.wait(0.05):
                if client.xlen("workflows:run") >= length + 250:  # so a lifecycle has done something since
                    length = client.xlen("workflows:run")
                    lifecycles[number % 2].kill()
                    lifecycles[number % 2].start()
                    number += 1

        killer = threading.Thread(target=kill_lifecycles)
        killer.start()
        try:
            ids = []
            for number in range(WORKFLOWS):
                ids.append(lfr.run(FLOW, [1, 2], f"p{number}"))
                if number % 20 == 5:
                    lfr.pause_all()
                    before = len(started())
                    lfr.pause(ids[-1])
                    lfr.resume(ids[-1])
                    assert len(started()) == before
                elif number % 20 == 10:
                    lfr.pause_all("task", "g")
                    lfr.resume_all()
                elif number % 20 == 15:
                    lfr.resume_all("task", "g")
            eventually_equal(lambda: lfr.counts()["FINISHED"], WORKFLOWS)
        finally:
            stop.set()
            killer.join()
    counts = Counter(started())
    # a, b, c, d, h of each workflow, e and g of its two items
    assert len(counts) == WORKFLOWS * 9
    assert set(counts.values()) == {1}
    assert not client.exists("workflows:pauses", "waits:held", "waits:delayed")
    eventually(lambda: not client.keys("*:start:*"))
