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
from collections import Counter, defaultdict
from collections.abc import Iterator, Set
from contextlib import suppress
from typing import Any, Final, NamedTuple

from tests.faults.bulk import Bulk
from tests.faults.findings import Findings
from tests.faults.generate import Plan
from tests.faults.histories import Entry, archived_history, read_histories, words_of
from tests.faults.journal import Journal
from tests.faults.leftovers import check_dead_letters, check_keys, check_streams
from tests.faults.load import Load, read_executions
from tests.faults.oracle import Place
from tests.faults.outside import check_lines
from tests.faults.pauses import Pauses, find_starts
from tests.faults.places import place_of, root
from tests.faults.retention import archived_lines, check_archive, read_archives
from tests.faults.scheduled import SCHEDULED, is_scheduled, program_of
from tests.faults.workers.behaviour import digest
from tests.support.waiting import eventually

_FACT: Final = re.compile(r"([-+=~!^])(\d+)(?:/(\d+))?(?:\.(\d+))?")

_ENDS: Final = "-=~"
"""The signs of facts that say that a step has ended."""

_OWN_GROUPS: Final = ("one", "many")
"""Tasks of these are executed by nobody but our workers, who log it; `far` and `sim` are simulated, too."""


class _Record(NamedTuple):
    """What the record of a workflow says, in Redis or in its archive; `lines`: those of its tasks in the
    archive, None if it is in Redis."""

    state: str
    reason: str
    output: Any
    history: list[Entry]
    lines: list[dict[str, Any]] | None = None


def check(load: Load, journal: Journal, pauses: Pauses, bulk: Bulk) -> Findings:
    """Check all workflows of a load, then delete them, and check what is left. All faults must be over."""
    findings = Findings()
    archived = _read_archives(load, findings)
    records = _read_records(load, archived, findings)
    histories = {id: record.history for id, record in records.items()}
    findings.add(bulk.check(histories, {id: plan.labels.get("group", "") for id, plan in load.plans.items()}))
    journal.touched |= {
        id for id, each in histories.items() if any(entry.actor in bulk.groups for entry in each)
    }
    _check_pauses(load, histories, pauses, findings)
    executions = defaultdict(list)
    for line in read_executions(load.installation):
        executions[root(line["workflow"])].append(line)
    scheduled = {id: executions.pop(id) for id in list(executions) if is_scheduled(id)}
    _check_schedules(load, archived, scheduled, journal, findings)
    for id, plan in load.plans.items():
        lines = _without_earlier(executions.pop(id, []), plan, load.earlier.get(id))
        if id in records:
            _check_workflow(load, plan, lines, records[id], journal, findings)
            _check_log(load, plan, lines, records[id], journal, findings)
    findings.invented += [f"{id}: executed, but never started" for id in executions]
    findings.invented += [f"{id}: {reason}" for id, reason in load.failures.items()]
    _check_listing(load, records.keys(), findings)
    _check_notices(load, histories, findings)
    check_dead_letters(load, journal, findings)
    check_streams(load.redis, journal.touched | load.earlier.keys(), findings)
    for name in load.redis.scan_iter("workflow:latch:*"):
        if load.redis.get(name) != "0":
            findings.left_over.append(f"{name} is {load.redis.get(name)}")
    if findings.is_clean:
        check_keys(load, findings)
    return findings


def _without_earlier(lines: list[dict[str, Any]], plan: Plan, earlier: Plan | None) -> list[dict[str, Any]]:
    """Return the executions of a workflow without those of an earlier one with its id."""
    if earlier is None:
        return lines
    return [line for line in lines if _fits(line, plan) or not _fits(line, earlier)]


def _fits(line: dict[str, Any], plan: Plan) -> bool:
    execution = plan.expectation.executions.get(place_of(line))
    return execution is not None and digest(execution.input) == line["input"]


def _read_archives(load: Load, findings: Findings) -> dict[str, _Record]:
    """Return what the archives say, of each workflow the one with the longest history; and check those of
    retention."""
    findings.left_over += load.sampler.violations
    records: dict[str, _Record] = {}
    retained = load.installation.retained
    for file, document in read_archives(load.installation.archives, retained):
        if file.parent == retained:
            findings.add(check_archive(file, document))
        if document is None:
            continue
        id, record, history = document["id"], document["record"], archived_history(document)
        if id in records and len(records[id].history) >= len(history):
            continue
        plan = program_of(id) if is_scheduled(id) else load.plans.get(id)
        if plan is None:
            findings.invented.append(f"{file.name} is of {id}, which was never started")
            continue
        output = document["outputs"].get(str(plan.program.last_index), {})
        lines = archived_lines(document)
        records[id] = _Record(record["state"], record["reason"], output, history, lines)
    return records


def _read_records(load: Load, archived: dict[str, _Record], findings: Findings) -> dict[str, _Record]:
    """Return what is known of each workflow; of one that was pruned, or that retention has removed, what its
    archive says."""
    records: dict[str, _Record] = {}
    histories = read_histories(load.redis, load.plans)
    for id, plan in load.plans.items():
        last = str(plan.program.last_index)
        state, reason = load.redis.hmget(id, "state", "brief")
        if state is not None:
            output = json.loads(load.redis.hget(f"{id}:outputs", last) or "{}")
            records[id] = _Record(state, reason or "", output, histories[id])
            continue
        if id not in archived:
            findings.lost.append(f"{id} is gone, without an archive")
            continue
        records[id] = archived[id]
        findings.figures["removed"] = findings.figures.get("removed", 0) + 1
    return records


def _check_pauses(load: Load, histories: dict[str, list[Entry]], pauses: Pauses, findings: Findings) -> None:
    """Check that nothing has started in the scope of a pause; by the clock, and by the order of the facts."""
    findings.invented += pauses.violations
    findings.figures["pauses"] = len(pauses.windows)
    for id, history in histories.items():
        plan = load.plans[id]
        if id not in load.earlier:
            findings.invented += find_starts(plan, id, history, pauses.windows, [plan.flow_name])
        is_paused = False
        for word in words_of(history):
            if word in ("paused", "resumed"):
                is_paused = word == "paused"
            index = word[1:].partition(".")[0]
            if (
                is_paused
                and word[0] == "+"
                and index.isdecimal()
                and ((), int(index)) in plan.expectation.executions
            ):
                findings.invented.append(f"{id}: {word}, and it was paused")


def _check_schedules(
    load: Load,
    archived: dict[str, _Record],
    executions: dict[str, list[dict[str, Any]]],
    journal: Journal,
    findings: Findings,
) -> None:
    """Check that each time of each schedule was started once, or is listed; and what became of it."""
    schedules = load.schedules
    for name in SCHEDULED:
        findings.add(schedules.check_times(name, load.client.schedule(name)["queued"]))
        in_redis, started = set(load.scheduled_ids(name)), schedules.started(name)
        there = in_redis | {id for id in archived if id.startswith(f"workflow:{name}-")}
        findings.lost += [f"{id} was started by {name}, and is not there" for id in started - there]
        findings.invented += [f"{id} is no outcome of {name}" for id in there - started]
        findings.figures[name] = len(started)
        for id in there:
            scheduled = program_of(id)
            last = str(scheduled.program.last_index)
            state = load.redis.hget(id, "state") if id in in_redis else archived[id].state
            if state != "FINISHED" and not (state == "TERMINATED" and name.endswith("terminate")):
                findings.lost.append(f"{id} is {state}")
                continue
            if state == "FINISHED":
                text = load.redis.hget(f"{id}:outputs", last) or "{}"
                output = json.loads(text) if id in in_redis else archived[id].output
                if output != scheduled.expectation.output:
                    findings.invented.append(f"{id}: output {_short(output)}")
            lines = executions.pop(id, [])
            _check_repeats(lines, journal, findings)
            if state == "FINISHED" and len({place_of(line) for line in lines}) != 2:
                findings.lost.append(f"{id}: not all of its tasks were executed")
    findings.invented += [f"{id}: executed, but no schedule has started it" for id in executions]


def _check_log(
    load: Load,
    plan: Plan,
    lines: list[dict[str, Any]],
    record: _Record,
    journal: Journal,
    findings: Findings,
) -> None:
    tokens = [line for line in lines if line.get("token")]
    if plan.id in load.earlier or not tokens:
        return
    findings.figures["lines"] = findings.figures.get("lines", 0) + len(tokens)
    written = load.client.logs(plan.id) if record.lines is None else record.lines
    findings.add(check_lines(plan.id, written, tokens, journal))


def _check_notices(load: Load, histories: dict[str, list[Entry]], findings: Findings) -> None:
    sink = load.installation.sink
    with suppress(AssertionError):  # what is missing then is a finding
        eventually(lambda: not sink.missing(histories), progress=lambda: sink.count)
    findings.add(sink.check(histories, load.earlier))
    findings.figures["notices"] = sum(map(len, sink.taken.values()))
    findings.figures["notices sent again"] = sink.count - findings.figures["notices"]


def _check_workflow(
    load: Load,
    plan: Plan,
    lines: list[dict[str, Any]],
    record: _Record,
    journal: Journal,
    findings: Findings,
) -> None:
    state, facts = record.state, words_of(record.history)
    expected_state = "FAILED" if plan.turns or plan.expectation.has_failed else "FINISHED"
    if state != expected_state:
        if plan.id not in load.failures:
            findings.lost.append(f"{plan.id} is {state}, not {expected_state}")
        return
    if state == "FAILED":
        reason = record.reason
        if ("the last turn" if plan.turns else "cannot merge") not in reason:
            findings.invented.append(f"{plan.id} has failed for another reason: {reason}")
    if state == "FINISHED":
        output = record.output
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
    if plan.id not in load.earlier:  # its executions may be of that workflow
        _check_repeats(lines, journal, findings)
    findings.figures["executions"] = findings.figures.get("executions", 0) + len(lines)
    if plan.turns or plan.expectation.has_failed or plan.id in journal.touched:
        return
    logged = {place_of(line) for line in lines}
    for place, execution in expected.items():
        if execution.call.base.partition(":")[0] in _OWN_GROUPS and place not in logged:
            findings.lost.append(f"{plan.id}: {execution.call.base} at {place} was not executed")


def _check_repeats(lines: list[dict[str, Any]], journal: Journal, findings: Findings) -> None:
    """Check that no attempt was executed twice unless a fault has hit one of its workers in between."""
    executed: dict[tuple[str, Place, int], dict[str, Any]] = {}
    for line in lines:
        key = line["workflow"], place_of(line), line["attempt"]
        earlier = executed.get(key)
        executed[key] = line
        if earlier is None:
            continue
        findings.figures["executed again"] = findings.figures.get("executed again", 0) + 1
        if not journal.excuses({earlier["slot"], line["slot"]}, earlier["at"], line["at"]):
            findings.doubled.append(
                f"{line['workflow']}: attempt {line['attempt']} of step {line['index']} was executed by "
                f"{earlier['slot']} at {earlier['at']:.3f} and by {line['slot']} at {line['at']:.3f}"
            )


def _check_listing(load: Load, known: Set[str], findings: Findings) -> None:
    listed = {id for id in load.redis.zrange("workflows:all", 0, -1) if not is_scheduled(id)}
    pruned = {id for id in known if not load.redis.exists(id)}
    findings.lost += [f"{id} is not in the list" for id in known - listed - pruned]
    findings.invented += [f"{id} was never started" for id in listed - load.plans.keys()]


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 200 else text[:199] + "…"
