"""Deletes many workflows that have ended in one transaction: those that have nothing but keys of their own.

One by one, each takes some 26 commands, most of them to look for what few have: tasks that run, children, a
pause, a flow that nobody else uses. Here all are looked at together, and those few are left to that way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lfr.flow import Flow
from lfr.operations.intervene import Condition
from lfr.operations.operator_actions import note_action
from lfr.operations.permitted_actions import WorkflowAction, states_that_permit
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.pipeline import Pipeline
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_texts import (
    load_references,
    reference_names,
    release_commands,
    watch_references,
)
from lfr.store.workflows.items import out_of_band_keys
from lfr.store.workflows.record import LIST_FIELDS, Record, parse_record
from lfr.store.workflows.search_indexes import unindex_together_commands

MAX_TOGETHER: Final = 25
"""How many workflows one transaction deletes; other clients wait for it."""

_MAX_TASKS: Final = 100
"""A workflow of a flow with more tasks is deleted by itself: each may have a key."""

_MANY_USERS: Final = 1000
"""If a flow keeps so many users, nobody deletes it before this transaction is over. Then its count need not
be watched, which every start of this flow changes."""


@dataclass(slots=True)
class Deletion:
    """What has become of workflows: `deleted`; `unchanged`, because they are gone or do not fulfil the
    condition; and those that are to be deleted one by one."""

    deleted: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)


def delete_ended_workflows(
    store: Store, connection: Connection, flows: FlowCache, conditions: Mapping[str, Condition]
) -> Deletion:
    """Delete those of these workflows, up to MAX_TOGETHER, that fulfil their conditions, in one transaction.

    If somebody changes one of them meanwhile, nothing is deleted, and all of them remain. (WATCH, HMGET,
    HLEN; DEL, ZREM, HINCRBY, HDEL, XADD)
    """
    done = Deletion()
    if not conditions:
        return done
    records, names_by_id = _load(connection, flows, conditions, done)
    if not records:
        connection.unwatch()
        return done
    uses = Counter(name for record in records for name in names_by_id[record.id])
    references = load_references(connection, list(uses))
    if any(count - uses[name] < _MANY_USERS for name, count in references.items()):
        references = watch_references(connection, list(uses))
    flow_of = flows.fetch(connection, {record.reference for record in records})
    own_keys = [key for record in records for key in _own_keys(record.id, flow_of[record.reference])]
    commands: list[Command] = [("DEL", *own_keys), *unindex_together_commands(records)]
    commands += release_commands(references, uses)
    for record in records:
        commands += note_action(store, WorkflowAction.DELETE, workflow=record.id)
    if connection.transact(commands) is None:
        return Deletion(unchanged=done.unchanged, remaining=[*done.remaining, *(each.id for each in records)])
    done.deleted = [record.id for record in records]
    return done


def _load(
    connection: Connection, flows: FlowCache, conditions: Mapping[str, Condition], done: Deletion
) -> tuple[list[Record], dict[str, list[str]]]:
    """Watch workflows. Return the records of those that are to be deleted, and the names of what they use in
    `flows:refs`, by id; note the others in `done`."""
    ids = list(conditions)
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", keys.CLAIMS_VERSION, *ids)  # this version changes with the pauses, too
    replies = [pipeline.add("HMGET", id, *LIST_FIELDS, "text") for id in ids]
    hashes = [[pipeline.add("HLEN", key) for key in (keys.steps(id), keys.outputs(id))] for id in ids]
    pauses = pipeline.add("HMGET", keys.PAUSES, *ids)
    pipeline.send()
    records: list[Record] = []
    names: dict[str, list[str]] = {}
    states = states_that_permit(WorkflowAction.DELETE)
    candidates: list[Record] = []
    rows = zip(ids, replies, hashes, pauses.value, strict=True)
    for id, reply, own_hashes, pause in rows:
        fields = reply.value_or_none
        record = None if fields is None else parse_record(id, fields[:-1])
        has_wrong_key = any(each.value_or_none is None for each in (reply, *own_hashes))
        if has_wrong_key or pause is not None:
            done.remaining.append(id)
        elif record is None or not conditions[id](record):
            done.unchanged.append(id)
        elif record.active or record.state not in states:
            done.remaining.append(id)
        else:
            candidates.append(record)
            names[id] = reference_names(record.reference, fields[-1])
    flow_of = flows.fetch(connection, {record.reference for record in candidates})
    for record in candidates:
        if _has_own_keys_alone(flow_of.get(record.reference)):
            records.append(record)
        else:
            done.remaining.append(record.id)
    return records, names


def _has_own_keys_alone(flow: Flow | None) -> bool:
    return (
        flow is not None
        and flow.part_end is None
        and flow.step_count <= _MAX_TASKS
        and not flow.steps_with_children
    )


def _own_keys(id: str, flow: Flow) -> list[str]:
    return [*keys.whole_data(id), *out_of_band_keys(id, flow)]
