"""Checks a run after its end: nothing was lost, doubled or invented, and nothing is left over.

- *lost*: a workflow has not reached its end; a task that its flow asks for was never executed.
- *doubled*: an attempt has ended twice in a history, a step has ended twice, or a worker has executed an
  attempt again although no fault had hit one of the two workers, or its connection, in between.
- *invented*: a result that is not the oracle's; an execution that its flow does not ask for, or with another
  input, or of an attempt that the history does not know; a failure without a cause; a dead letter that nobody
  sent.
- *left over*: an entry, a pending entry, a wait, a timer, a count of a latch, or a key that belongs to
  workflows that have ended or were deleted.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from lfr import Client
from tests.faults.faults import place_of, root
from tests.faults.generate import Plan
from tests.faults.journal import Journal
from tests.faults.load import Load, read_executions
from tests.faults.oracle import Place
from tests.faults.workers.behaviour import digest
from tests.support.waiting import STALL_SECONDS

_FACT: Final = re.compile(r"([-+=~!^])(\d+)(?:/(\d+))?(?:\.(\d+))?")

_ENDS: Final = "-=~"
"""The signs of facts that say that a step has ended."""

_OWN_GROUPS: Final = ("one", "many")
"""Tasks of these are executed by nobody but our workers, who log it; `far` and `sim` are simulated, too."""

_USER_EVENT: Final = re.compile(r'"(go.*|noise|countdown-latch-zero)"')
"""Events without a receipt, which stay on the bus for `events.retain`."""

_MAY_REMAIN: Final = re.compile(
    "workflows:(run|ends|receipts|dead|tasks:.*|claims|claims:version|group:.*|processes|process:.*|foreign"
    "|housekeeper|indexed|listed|served|flows|searchable|stream|totals:.*|unclaimed|receipts:role|stale:.*)"
    "|receipts:logged|flows:names"
)
"""Keys that an installation without workflows has."""

_EXPIRING: Final = re.compile(
    "workflow:latch:.*|workflows:calls:.*|waits:(event|kept|free|taken):.*|workflow:.*:wait:.*"
)
"""Keys that may remain if they expire: latches at zero, numbers of calls, events that are kept for later
waits, marks of cancelled attempts."""

_WITH_EVENTS: Final = re.compile("waits:(kinds|fields:.*|counts:.*|latches)")
"""Keys that remain as long as events are kept, and the list of latches."""


@dataclass(slots=True)
class Findings:
    """What was wrong, in sentences; and figures of the run."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return not (self.lost or self.doubled or self.invented or self.left_over)


def check(load: Load, journal: Journal) -> Findings:
    """Check all workflows of a load, then delete them, and check what is left. All faults must be over."""
    findings = Findings()
    executions = defaultdict(list)
    for line in read_executions(load.installation):
        executions[root(line["workflow"])].append(line)
    facts = _read_facts(load)
    for id, plan in load.plans.items():
        lines = _without_earlier(executions.pop(id, []), plan, load.earlier.get(id))
        _check_workflow(load, plan, lines, facts[id], journal, findings)
    findings.invented += [f"{id}: executed, but never started" for id in executions]
    findings.invented += [f"{id}: {reason}" for id, reason in load.failures.items()]
    _check_listing(load, findings)
    _check_dead_letters(load, journal, findings)
    _check_streams(load.redis, journal.touched | load.earlier.keys(), findings)
    for name in load.redis.scan_iter("workflow:latch:*"):
        if load.redis.get(name) != "0":
            findings.left_over.append(f"{name} is {load.redis.get(name)}")
    if findings.is_clean:
        _check_keys(load, findings)
    return findings


def _without_earlier(lines: list[dict[str, Any]], plan: Plan, earlier: Plan | None) -> list[dict[str, Any]]:
    """Return the executions of a workflow without those of an earlier one with its id."""
    if earlier is None:
        return lines
    return [line for line in lines if _fits(line, plan) or not _fits(line, earlier)]


def _fits(line: dict[str, Any], plan: Plan) -> bool:
    execution = plan.expectation.executions.get(place_of(line))
    return execution is not None and digest(execution.input) == line["input"]


def _read_facts(load: Load) -> dict[str, list[str]]:
    """Return the words of each workflow's history."""
    facts: dict[str, list[str]] = {}
    ids = list(load.plans)
    for first in range(0, len(ids), 500):
        with load.redis.pipeline(transaction=False) as pipeline:
            for id in ids[first : first + 500]:
                pipeline.lrange(f"{id}:facts", 0, -1)
            for id, elements in zip(ids[first : first + 500], pipeline.execute(), strict=True):
                facts[id] = [word for each in elements for word in each.partition("\n")[0].split()[1:]]
    return facts


def _check_workflow(
    load: Load,
    plan: Plan,
    lines: list[dict[str, Any]],
    facts: list[str],
    journal: Journal,
    findings: Findings,
) -> None:
    state = load.redis.hget(plan.id, "state")
    expected_state = "FAILED" if plan.turns or plan.expectation.has_failed else "FINISHED"
    if state != expected_state:
        if plan.id not in load.failures:
            findings.lost.append(f"{plan.id} is {state}, not {expected_state}")
        return
    if state == "FAILED":
        reason = load.redis.hget(plan.id, "brief") or ""
        if ("the last turn" if plan.turns else "cannot merge") not in reason:
            findings.invented.append(f"{plan.id} has failed for another reason: {reason}")
    if state == "FINISHED":
        output = json.loads(load.redis.hget(f"{plan.id}:outputs", str(plan.program.last_index)) or "{}")
        if output != plan.expectation.output:
            findings.invented.append(
                f"{plan.id}: output {_short(output)}, not {_short(plan.expectation.output)}"
            )
    findings.doubled += [f"{plan.id}: {text}" for text in _find_doubled_facts(plan, facts)]
    _check_executions(load, plan, lines, facts, journal, findings)


def _find_doubled_facts(plan: Plan, facts: list[str]) -> Iterator[str]:
    """Yield what stands twice in a history: ends of attempts and of steps; in a loop, in one turn."""
    attempts: Counter[tuple[str, ...]] = Counter()
    ends: Counter[tuple[str, str]] = Counter()
    for word in facts:
        match = _FACT.fullmatch(word)
        if match is None:
            continue
        sign, index, item, attempt = match.groups(default="")
        group = "end" if sign in "-=~!^" else "start"
        if item and sign == "!":  # a restart continues the items of the same attempt
            continue
        if sign in "+" and item:
            continue
        attempts[group, index, item, attempt if sign not in "=~" else f"{sign}{attempt}"] += 1
        if sign in _ENDS:
            ends[index, item] += 1
    if not plan.turns:
        yield from (f"{key} stands twice" for key, count in attempts.items() if count > 1)
        yield from (
            f"step {index} item {item!r} has ended {n} times" for (index, item), n in ends.items() if n > 1
        )
        return
    turns = ends[str(plan.program.scope.statements[0].steps[0].index), ""]
    if turns > plan.turns:
        yield f"{turns} turns, at most {plan.turns} attempts"
    for step in plan.program.scope.statements[0].steps:
        if ends[str(step.index), ""] != turns:
            yield f"step {step.index} has ended {ends[str(step.index), '']} times in {turns} turns"


def _check_executions(
    load: Load,
    plan: Plan,
    lines: list[dict[str, Any]],
    facts: list[str],
    journal: Journal,
    findings: Findings,
) -> None:
    expected = plan.expectation.executions
    executed: dict[tuple[Place, int], dict[str, Any]] = {}
    started = {word[1:] for word in facts if word.startswith("+")}
    for line in lines:
        place, attempt = place_of(line), line["attempt"]
        execution = expected.get(place)
        if execution is None:
            findings.invented.append(f"{line['workflow']}: step {line['index']} is not to be executed")
            continue
        if line["input"] != digest(execution.input):
            findings.invented.append(f"{line['workflow']}: step {line['index']} has had another input")
        word = f"{line['index']}.{attempt}" if attempt > 1 else str(line["index"])
        if not place[0] and word not in started and plan.id not in load.earlier:
            findings.invented.append(f"{plan.id}: attempt {word} was executed, but not started")
        key = (line["workflow"], place, attempt)
        earlier = executed.get(key)
        if earlier is not None and plan.id not in load.earlier:  # its executions may be of that workflow
            findings.figures["executed again"] = findings.figures.get("executed again", 0) + 1
            if not journal.excuses({earlier["slot"], line["slot"]}, earlier["at"], line["at"]):
                findings.doubled.append(
                    f"{line['workflow']}: attempt {attempt} of step {line['index']} was executed by "
                    f"{earlier['slot']} at {earlier['at']:.3f} and by {line['slot']} at {line['at']:.3f}"
                )
        executed[key] = line
    findings.figures["executions"] = findings.figures.get("executions", 0) + len(lines)
    if plan.turns or plan.expectation.has_failed or plan.id in journal.touched:
        return
    logged = {place_of(line) for line in lines}
    for place, execution in expected.items():
        if execution.call.base.partition(":")[0] in _OWN_GROUPS and place not in logged:
            findings.lost.append(f"{plan.id}: {execution.call.base} at {place} was not executed")


def _check_listing(load: Load, findings: Findings) -> None:
    listed = set(load.redis.zrange("workflows:all", 0, -1))
    findings.lost += [f"{id} is not in the list" for id in load.plans.keys() - listed]
    findings.invented += [f"{id} was never started" for id in listed - load.plans.keys()]


def _check_dead_letters(load: Load, journal: Journal, findings: Findings) -> None:
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


def _check_streams(client: redis.Redis, stopped: Set[str], findings: Findings) -> None:
    last, last_change = _open_entries(client, stopped), time.monotonic()
    while last and time.monotonic() - last_change < STALL_SECONDS:
        time.sleep(0.2)
        current = _open_entries(client, stopped)
        if current != last:
            last, last_change = current, time.monotonic()
    findings.left_over += last[:20]
    for key in ("waits:timers", "waits:delays", "waits:deadlines", "waits:delayed", "waits:countdowns"):
        if members := client.zrange(key, 0, 4):
            findings.left_over.append(f"{key}: {members}")


def _check_keys(load: Load, findings: Findings) -> None:
    """Delete all workflows, and look for keys that still name one of them."""
    client = Client(load.installation.server.url)
    indexes = ("workflows:unclaimed:*", "waits:place:*", "waits:kind:*")
    for pattern in ("*:output:*", "*:start:*", "*:progress:*", *indexes):
        findings.left_over += list(load.redis.scan_iter(pattern, count=10_000))[:5]
    for id in load.plans:
        client.delete(id)
    client.apply_flows([], prune=True)  # nobody uses the stored flows any more
    findings.left_over += sorted(_remaining_keys(load.redis))[:20]


def _remaining_keys(client: redis.Redis) -> Iterable[str]:
    for key in client.scan_iter(count=10_000):
        if _MAY_REMAIN.fullmatch(key) or _WITH_EVENTS.fullmatch(key):
            continue
        if not (_EXPIRING.fullmatch(key) and client.ttl(key) > 0):
            yield key


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 200 else text[:199] + "…"
