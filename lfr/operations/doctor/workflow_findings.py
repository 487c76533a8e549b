"""Examines workflows: what is left of those that are gone, lists that are wrong, latches that nobody will
release, workflows that cannot move."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final
from uuid import uuid4

from lfr.errors import NotFound
from lfr.item_ids import root_workflow
from lfr.operations.doctor.finding import Finding, Severity, name_some
from lfr.operations.explain.cause import CauseKind
from lfr.operations.explain.explanation import explain_workflow
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.leftovers import (
    KeySpace,
    ListFault,
    correct_lists,
    delete_orphans,
    find_list_faults,
    find_orphans,
    find_stale_timers,
    remove_stale_timers,
)
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.waits.latch_holders import HeldLatch, read_held_latches
from lfr.store.waits.latches import complete_opened_countdowns, reset
from lfr.store.workflows.queries import load_range, load_records

_MAX_LATCHES: Final = 10_000
_MAX_EXPLAINED: Final = 50
"""How many of the workflows that have run longest are examined step by step."""


def examine_workflows(store: Store, connection: Connection, space: KeySpace) -> Iterator[Finding]:
    """Yield what is wrong with workflows, timers and latches."""
    if orphans := find_orphans(connection, space):
        count = sum(map(len, orphans.values()))
        yield Finding(
            Severity.WARNING,
            "orphaned-keys",
            f"keys are left of workflows that are gone, {count:,} in all: {name_some(orphans)}",
            "they take memory for nothing",
            "deletes them",
            partial(_delete_orphans, store, orphans),
        )
    yield from _examine_lists(store, connection)
    if timers := find_stale_timers(connection):
        count = sum(map(len, timers.values()))
        yield Finding(
            Severity.WARNING,
            "stale-timers",
            f"timers belong to attempts or workflows that are over: {count:,}",
            "they take memory, and lfr status counts them",
            "removes them",
            partial(_remove_timers, store, timers),
        )
    yield from _examine_latches(store, connection)
    yield from _examine_standing(store, connection)


def _delete_orphans(store: Store, orphans: Mapping[str, Sequence[str]]) -> str:
    with store.connect() as connection:
        return f"deleted: {delete_orphans(connection, orphans):,}"


def _remove_timers(store: Store, timers: Mapping[str, Sequence[str]]) -> str:
    with store.connect() as connection:
        return f"removed: {remove_stale_timers(connection, timers):,}"


def _examine_lists(store: Store, connection: Connection) -> Iterator[Finding]:
    faults = find_list_faults(connection)
    if ids := faults[ListFault.RECORDLESS]:
        yield Finding(
            Severity.WARNING,
            ListFault.RECORDLESS,
            f"workflows are listed of which nothing is left: {name_some(ids)}",
            "lists and counts are wrong",
            "removes them from the lists",
            partial(_correct_lists, store, ids),
        )
    if ids := faults[ListFault.MISPLACED]:
        yield Finding(
            Severity.WARNING,
            ListFault.MISPLACED,
            f"workflows are listed in another state than they have: {name_some(ids)}",
            "lists, counts and retention are wrong",
            "lists each under the state of its record",
            partial(_correct_lists, store, ids),
        )
    if ids := faults[ListFault.HALF_LOST]:
        yield Finding(
            Severity.ERROR,
            ListFault.HALF_LOST,
            f"the record of workflows is gone: {name_some(ids)}",
            "nothing can continue them",
            f"lfr delete {ids[0]} removes what is left of one",
        )
    if ids := faults[ListFault.FLOWLESS]:
        yield Finding(
            Severity.ERROR,
            ListFault.FLOWLESS,
            f"the flow of workflows is gone: {name_some(ids)}",
            "they cannot go on",
            "a start of the same flow text stores it again; else lfr delete",
        )
    if ids := faults[ListFault.IDLE]:
        yield Finding(
            Severity.ERROR,
            ListFault.IDLE,
            f"workflows run of which no step does: {name_some(ids)}",
            "they cannot move",
            f"lfr terminate {ids[0]}, and lfr restart, start its steps again",
        )


def _correct_lists(store: Store, ids: Sequence[str]) -> str:
    with store.connect() as connection:
        return f"corrected: {correct_lists(connection, ids):,}"


def _examine_latches(store: Store, connection: Connection) -> Iterator[Finding]:
    names = connection.call("ZRANGEBYSCORE", keys.LATCHES, "+inf", "+inf", "LIMIT", 0, _MAX_LATCHES)
    held = [
        each
        for each in read_held_latches(connection, [name.decode() for name in names]).values()
        if each.count and each.count > 0 and each.holders and each.has_all_holders
    ]
    roots = list(dict.fromkeys(root_workflow(id) for each in held for id in each.holders))
    records = load_records(connection, roots, for_list=True) if roots else []
    states = {id: None if each is None else each.state for id, each in zip(roots, records, strict=True)}
    leaked: list[HeldLatch] = []
    for latch in held:
        holders = {states[root_workflow(id)] for id in latch.holders}
        if holders == {None}:
            leaked.append(latch)
        elif WorkflowState.RUNNING not in holders:
            ids = name_some(latch.holders)
            yield Finding(
                Severity.WARNING,
                "latch-of-ended",
                f"the latch {latch.name} is at {latch.count}, and all its holders have ended: {ids}",
                "what waits for it may wait for ever",
                _cure_of_latch(latch, states),
            )
    if leaked:
        yield Finding(
            Severity.ERROR,
            "leaked-latches",
            f"latches are held by workflows that are deleted: {name_some(each.name for each in leaked)}",
            "nobody will release them, and what waits for them waits for ever",
            "resets them to zero, and resumes what waits",
            partial(_reset_latches, store, leaked),
        )


def _cure_of_latch(latch: HeldLatch, states: Mapping[str, WorkflowState | None]) -> str:
    way = f"lfr latches reset {shlex.quote(latch.name)}"
    stopped = [
        id
        for id in map(root_workflow, latch.holders)
        if states[id] in (WorkflowState.FAILED, WorkflowState.TERMINATED)
    ]
    if stopped:
        return f"lfr restart {stopped[0]}, so that it releases it; or {way}"
    return f"{way}, unless another workflow is to release it"


def _reset_latches(store: Store, latches: Sequence[HeldLatch]) -> str:
    resumed = 0
    with store.connect() as connection:
        for latch in latches:
            before = reset(connection, store.stream, latch.name, tag=str(uuid4()), expected=latch)
            resumed += before.waiter_count
        while complete_opened_countdowns(connection, read_time_ms(connection)):
            pass
    return f"reset: {len(latches):,}; steps that resume: {resumed:,}"


def _examine_standing(store: Store, connection: Connection) -> Iterator[Finding]:
    """Yield the workflows of which a task is lost, or that wait for each other in a circle."""
    index = keys.state(WorkflowState.RUNNING)
    oldest = load_range(connection, index, None, count=_MAX_EXPLAINED, newest_first=False)
    standing: dict[str, list[str]] = {CauseKind.LOST: [], CauseKind.CIRCLE: []}
    for _, id in oldest:
        try:
            causes = {step["cause"]: step["index"] for step in explain_workflow(store, id)["steps"]}
        except NotFound:  # it has just been deleted, or is half lost
            continue
        for kind, steps in standing.items():
            if kind in causes:
                steps.append(f"{id} {causes[kind]}")
    for kind, text in (
        (CauseKind.LOST, "the task of a step stands in no queue"),
        (CauseKind.CIRCLE, "workflows wait in a circle for latches that they hold"),
    ):
        if standing[kind]:
            yield Finding(
                Severity.ERROR,
                kind.value,
                f"{text}: {name_some(standing[kind])}",
                "they cannot move",
                f"lfr why {standing[kind][0]} says what to do",
            )
