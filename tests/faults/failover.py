"""Workflows through failovers by Sentinels: `.build/test/bin/python -m tests.faults.failover --help`.

Starts workflows, sends the events that some of them wait for, and changes the primary meanwhile. Then counts:
what was acknowledged and is lost, what stands still, and whose output is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lfr.client import Client
from lfr.errors import LfrError, NotFound, Unconfirmed, Unreachable
from tests.support.processes import role
from tests.support.replication import Replication, replicated
from tests.support.waiting import eventually

KILL, COMMAND, PAUSE = "kill", "command", "pause"
WAYS = (KILL, COMMAND, PAUSE)
"""How the primary changes: it is killed; the Sentinels are told to promote a replica; or they are told so
while the primary holds all writes back."""

_TASKS = """
import random, time
from lfr import task

def define(name):
    @task(f"failover:{name}")
    def run(input, *, context):
        with open(LOG, "a") as log:
            log.write(f"{context.workflow} {context.index} {context.attempt}\\n")
        time.sleep(random.uniform(0, 0.05))
        value = input if isinstance(input, dict) else input[0]
        return {"n": value["n"], "path": [*value.get("path", []), name]}
    return run

a, b, c, d = map(define, "abcd")
"""

_FLOWS = (
    ("failover:a -> failover:b -> failover:c", ["a", "b", "c"]),
    ("failover:a -> failover:b | failover:c -> > failover:d", None),
    ("failover:a -> wait:delay (- duration: 0.3 -) -> failover:b", ["a", "b"]),
    (
        "failover:a -> wait:event (- {event: failover-go, match: {n: '{input[n]}'}} -) -> failover:b",
        ["a", "b"],
    ),
    ("failover:a (- lfr: {timeout: 5m, retry: 2} -) -> { failover:b -> failover:c } -> failover:d", None),
)
"""Flows, and the path through which the value goes; None: there are several."""

_EVENT_FLOW = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    ways      how the primary changes, one after the other
    replicas  `redis.replicas`
    seconds   how long it takes to start all workflows, at least
    """

    kind: str
    workflows: int
    ways: Sequence[str]
    replicas: int
    seconds: float
    servers: int = 3
    sentinels: int = 3
    down_after_ms: int = 1500
    is_patient: bool = True


@dataclass(slots=True)
class Report:
    """What happened. Each list has the ids of workflows, or of the events by the ids of theirs."""

    acknowledged: list[str] = field(default_factory=list)
    unconfirmed: list[str] = field(default_factory=list)
    tries_without_answer: int = 0
    failovers: list[float] = field(default_factory=list)
    lost_acknowledged: list[str] = field(default_factory=list)
    lost_unconfirmed: list[str] = field(default_factory=list)
    lost_events: list[str] = field(default_factory=list)
    finished: int = 0
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tasks_repeated: int = 0
    seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Return the counts."""
        counts = {
            name: len(value) if isinstance(value, list) else value for name, value in asdict(self).items()
        }
        return {**counts, "failovers": [round(each, 1) for each in self.failovers]}


class _Starter:
    """Starts the workflows, and sends their events, in threads of its own.

    Does as a careful user does: what got no answer is tried again under the same id.
    """

    def __init__(self, plan: Plan, url: str, report: Report) -> None:
        self._plan = plan
        self._report = report
        self._client = Client(
            url, redis_replicas=plan.replicas, redis_replicas_timeout_seconds=1.0, redis_timeout_seconds=5.0
        )
        self.acknowledged_events: set[str] = set()
        self.is_settled = threading.Event()
        self._waiting_for_event: list[str] = []
        self._threads = [threading.Thread(target=self._start_all), threading.Thread(target=self._send_all)]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _start_all(self) -> None:
        pause = self._plan.seconds / self._plan.workflows
        for number in range(self._plan.workflows):
            time.sleep(pause)
            id, kind = f"workflow:failover-{number:05}", number % len(_FLOWS)
            outcome = self._until_answered(
                lambda id=id, kind=kind, number=number: self._client.run(_FLOWS[kind][0], {"n": number}, id)
            )
            (self._report.acknowledged if outcome else self._report.unconfirmed).append(id)
            if kind == _EVENT_FLOW:
                self._waiting_for_event.append(id)
        self._waiting_for_event.append("")

    def _send_all(self) -> None:
        number = 0
        while True:
            eventually(lambda number=number: len(self._waiting_for_event) > number)
            id = self._waiting_for_event[number]
            number += 1
            if not id:
                return
            fields = {"n": int(id.rpartition("-")[2])}
            if self._until_answered(lambda fields=fields: self._client.event("failover-go", fields)):
                self.acknowledged_events.add(id)

    def _until_answered(self, call: Callable[[], object]) -> bool:
        """Call until Redis answers. Return whether the replicas have confirmed it."""
        while True:
            try:
                call()
            except Unconfirmed:
                return False
            except Unreachable:
                self._report.tries_without_answer += 1
                time.sleep(0.05)
            else:
                return True


def run(plan: Plan, folder: Path) -> Report:
    """Run a plan in a folder. Return what happened."""
    report, begin = Report(), time.monotonic()
    tasks, log = folder / "tasks.py", folder / "tasks.log"
    tasks.write_text(_TASKS.replace("LOG", repr(str(log)), 1))
    settings = {
        "LFR_REDIS_REPLICAS": str(plan.replicas),
        "LFR_REDIS_TIMEOUT": "5s",
        "LFR_LEASE": "2s",
        "LFR_TASKS_LEASE": "4s",
        "LOG_LEVEL": "ERROR",
    }
    with ExitStack() as stack:
        replication = stack.enter_context(
            replicated(
                plan.kind,
                folder,
                replicas=plan.servers - 1,
                sentinels=plan.sentinels,
                down_after_ms=plan.down_after_ms,
            )
        )
        for words in (("worker",), ("worker",), ("tasks", str(tasks)), ("tasks", str(tasks))):
            stack.enter_context(role(*words, url=replication.url, more=settings))
        starter = _Starter(plan, replication.url, report)
        starter.begin()
        try:
            _change_primaries(plan, replication, report)
        finally:
            starter.join()
        _settle(plan, replication, starter, report)
    lines = Counter(log.read_text().splitlines() if log.exists() else [])
    report.tasks_repeated = sum(count - 1 for count in lines.values())
    report.seconds = round(time.monotonic() - begin, 1)
    return report


def _change_primaries(plan: Plan, replication: Replication, report: Report) -> None:
    """Change the primary in each of the ways, spread over the time of the starts."""
    for number, way in enumerate(plan.ways):
        due = plan.seconds * (number + 0.5) / len(plan.ways)
        eventually(
            lambda due=due: (
                len(report.acknowledged) + len(report.unconfirmed) >= due / plan.seconds * plan.workflows
            ),
            progress=lambda: len(report.acknowledged) + len(report.unconfirmed),
        )
        begin, before = time.monotonic(), replication.primary()
        if way == KILL:
            replication.kill_primary()
        else:
            if way == PAUSE:
                with before.client() as client:
                    client.execute_command("CLIENT", "PAUSE", 20_000, "WRITE")
            replication.fail_over()
        report.failovers.append(time.monotonic() - begin)
        if way == KILL:
            before.start()
        eventually(replication.is_whole if plan.is_patient else replication.is_in_step)


def _settle(plan: Plan, replication: Replication, starter: _Starter, report: Report) -> None:
    """Wait until every workflow that Redis has has ended, and note the rest."""
    client = Client(replication.url, redis_timeout_seconds=5.0)
    ids = [*report.acknowledged, *report.unconfirmed]
    states = _states(client)
    lost = [id for id in ids if id not in states]
    report.lost_acknowledged = [id for id in lost if id in set(report.acknowledged)]
    report.lost_unconfirmed = [id for id in lost if id not in set(report.acknowledged)]

    def open_ids() -> list[str]:
        return [id for id, state in _states(client).items() if state in ("RUNNING", "TERMINATING")]

    sent_again: set[str] = set()

    def have_ended() -> bool:
        left = open_ids()
        # An event that nobody has confirmed may be lost: the user sends it again.
        for id in left:
            if id not in sent_again and id not in starter.acknowledged_events and _waits_for_event(id):
                sent_again.add(id)
                with suppress(LfrError):
                    client.event("failover-go", {"n": _number(id)})
        return not left

    with suppress(AssertionError):
        eventually(have_ended, progress=lambda: sorted(open_ids()))
    report.stuck = open_ids()
    report.lost_events = [
        id for id in report.stuck if id in starter.acknowledged_events and _waits_for_event(id)
    ]
    for id, state in _states(client).items():
        report.finished += state == "FINISHED"
        if state == "FINISHED" and not _is_right(client, id):
            report.wrong.append(id)
        elif state not in ("FINISHED", "RUNNING", "TERMINATING"):
            report.wrong.append(f"{id} is {state}")


def _states(client: Client) -> dict[str, str]:
    return {each["id"]: each["state"] for each in client.list(limit=100_000)}


def _number(id: str) -> int:
    return int(id.rpartition("-")[2])


def _waits_for_event(id: str) -> bool:
    return _number(id) % len(_FLOWS) == _EVENT_FLOW


def _is_right(client: Client, id: str) -> bool:
    """Return whether the output of a workflow is what its input makes."""
    path = _FLOWS[_number(id) % len(_FLOWS)][1]
    with suppress(NotFound):
        output = client.inspect(id)["output"]
        value = output if isinstance(output, dict) else output[0]
        return bool(value["n"] == _number(id) and (path is None or value["path"] == path))
    return False


def _plans(words: Sequence[str]) -> Iterator[Plan]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=("redis", "valkey"), default="redis")
    parser.add_argument("--workflows", type=int, default=500)
    parser.add_argument("--failovers", type=int, default=5)
    parser.add_argument("--by", choices=WAYS, action="append", help="in turn; default: all of them")
    parser.add_argument("--replicas", type=int, default=1, help="redis.replicas; there are two")
    parser.add_argument("--seconds", type=float, default=100.0, help="time over which the workflows start")
    options = parser.parse_args(words)
    ways = options.by or list(WAYS)
    ways = [ways[number % len(ways)] for number in range(options.failovers)]
    yield Plan(options.server, options.workflows, ways, options.replicas, options.seconds)


def main(words: Sequence[str]) -> int:
    """Run, and print the report as JSON. Return 1 if an acknowledged start is lost or a workflow is stuck."""
    os.environ.setdefault("LFR_FILE", str(Path(__file__).parents[2] / "dist" / "lfr"))
    is_well = True
    for plan in _plans(words):
        with tempfile.TemporaryDirectory(prefix="lfr-failover-") as folder:
            report = run(plan, Path(folder))
        print(json.dumps({**asdict(plan), **report.summary()}))
        bad = {"lost": report.lost_acknowledged, "stuck": report.stuck, "wrong": report.wrong}
        for name, ids in bad.items():
            if ids:
                print(f"{name}: {', '.join(ids[:20])}")
        is_well = is_well and not any(bad.values())
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
