"""Everything that is stored for a workflow: loaded for an archive, and written by a restore.

A snapshot is plain data: `record` (name, source, state, reason; started and ended in milliseconds since the
epoch, 0: not yet; simulated, version, labels, see `Record`, and paused, with deadlines `run` or `stop`,
may be missing), `counts` (active, done, skipped, failed), `steps` (index -> waiting, active, attempt,
retries), `outputs` (index -> JSON; -1: the input), `latched` (index -> text, see `keys`; may be missing),
`history` (at, facts, reason, actor and actor_reason; see `history`), `removed` (what earlier entries of the
history said, see there; may be missing), `log` (may be missing: for each attempt
that has written something index, attempt, delivery, lines, evidence; see `task_logs`), and `items`: by the
index of an iterated step, the counts total, begun, done, and round, the `values` of items that have not
begun, the `outputs` of those that are done, and the snapshots of the `open` ones, by number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final

from lfr.actor import make_actor
from lfr.engine.transition import Fact, FactKind
from lfr.flow import Flow, FlowParts
from lfr.item_ids import ItemId
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import flatten_pairs, parse_pairs
from lfr.store.workflows.commit import STOPPED_FIELD
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_texts import load_text, use_flow_commands
from lfr.store.workflows.history import RawEntry, format_elements, read_raw_history
from lfr.store.workflows.items import (
    load_child_flow,
    load_item_counts,
    load_open_items,
)
from lfr.store.workflows.record import (
    RECORD_FIELDS,
    FailedStep,
    failed_step_of,
    flow_fields,
    parse_record,
    state_fields,
)
from lfr.store.workflows.task_logs import export_log, restored_log_commands
from lfr.values.json import Json, decode_json, encode_json

_MAX_ELEMENTS: Final = 1000
"""How many elements of a history one command writes."""


class WorkflowMissing(Exception):
    """A workflow or an item of it does not exist any more."""


def load_snapshot(connection: Connection, id: str, flow: Flow, flows: FlowCache) -> dict[str, Any]:
    """Watch a workflow and its open children, and return its snapshot. Raises WorkflowMissing.

    `id` may be a child; then `flow` is that of `load_child_flow`. What is loaded belongs together
    only if no watched key changes meanwhile. (WATCH, HMGET, HGETALL, LRANGE)
    """
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", id)
    record_reply = pipeline.add("HMGET", id, *RECORD_FIELDS)
    steps = pipeline.add("HGETALL", keys.steps(id))
    outputs = pipeline.add("HGETALL", keys.outputs(id))
    latched = pipeline.add("HGETALL", keys.counted_attempts(id))
    pipeline.send()
    record = parse_record(id, record_reply.value)
    if record is None:
        raise WorkflowMissing(id)
    history = read_raw_history(connection, id)
    return {
        "record": {
            **{"name": record.name, "source": load_text(connection, id)},
            **{"state": record.state.value, "reason": record.reason},
            **{"started": record.started_ms, "ended": record.ended_ms},
            **({"simulated": record.simulated} if record.simulated else {}),
            **({} if record.version is None else {"version": record.version}),
            **({"labels": record.labels} if record.labels else {}),
        },
        "counts": [record.active, record.done, record.skipped, record.failed],
        "steps": {key.decode(): _parse_numbers(value) for key, value in parse_pairs(steps.value).items()},
        "outputs": {key.decode(): decode_json(value) for key, value in parse_pairs(outputs.value).items()},
        "latched": {
            key.decode(): value.decode()
            for key, value in parse_pairs(latched.value).items()
            if key != STOPPED_FIELD.encode()
        },
        "history": [_describe_entry(entry) for entry in history.entries],
        **({} if history.removed is None else {"removed": history.removed}),
        **({"log": log} if (log := export_log(connection, id, range(flow.first, flow.last + 1))) else {}),
        "items": dict(_load_items(connection, id, flow, flows)),
    }


def _load_items(
    connection: Connection, id: str, flow: Flow, flows: FlowCache
) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, items in load_item_counts(connection, id, flow.steps_with_children).items():
        fields = parse_pairs(connection.call("HGETALL", keys.items(id, index)))
        snapshot = {
            **{"total": items.total, "begun": items.begun, "done": items.done, "round": items.round},
            "values": _decode_numbered(fields, b"i"),
            "outputs": _decode_numbered(fields, b"o"),
            "open": {
                str(item.number): _load_child(connection, flow, item, flows)
                for item in load_open_items(connection, id, index, items)
            },
        }
        yield str(index), snapshot


def _load_child(connection: Connection, flow: Flow, child: ItemId, flows: FlowCache) -> dict[str, Any]:
    own_flow = load_child_flow(connection, flows, flow, child)
    if own_flow is None:
        raise WorkflowMissing(str(child))
    called = {} if flow.steps[child.index].iterate else {"flow": own_flow.to_dict()}
    return {**called, **load_snapshot(connection, str(child), own_flow, flows)}


def _decode_numbered(fields: Mapping[bytes, bytes], prefix: bytes) -> dict[str, Json]:
    """Return the JSON values of the fields whose names are the prefix and a number, by number."""
    return {
        name[1:].decode(): decode_json(value)
        for name, value in fields.items()
        if name[:1] == prefix and name[1:].isdigit()
    }


def _parse_numbers(value: bytes) -> list[int]:
    return [int(number) for number in value.split()]


def _describe_entry(entry: RawEntry) -> dict[str, Any]:
    actor = entry.actor
    optional = {
        "reason": entry.reason,
        "actor": actor.name if actor else "",
        "actor_reason": actor.reason if actor else "",
    }
    return {
        "at": entry.at_ms,
        "facts": entry.facts,
        **{name: text for name, text in optional.items() if text},
    }


def _format_entry(entry: Mapping[str, Any]) -> Iterator[str]:
    actor = make_actor(entry["actor"], entry.get("actor_reason", "")) if entry.get("actor") else None
    return format_elements(entry["at"], entry["facts"].split(), entry.get("reason", ""), actor)


def snapshot_commands(
    id: str, flow: Flow, snapshot: Mapping[str, Any], run: str, parts: FlowParts
) -> Iterator[Command]:
    """Yield the commands that write a workflow, or a child, and its open children from its snapshot. They
    write neither the flow, its text nor the indexes of workflows, but the flows that are called. `run` is a
    new one, see Record. (HSET, RPUSH; HINCRBY, SET)"""
    record = snapshot["record"]
    state = state_fields(
        WorkflowState(record["state"]), record["ended"], record["reason"], _failed_step(flow, snapshot)
    )
    counts = " ".join(map(str, snapshot["counts"]))
    text = "" if flow.part_end is not None else record["source"]
    version, labels = record.get("version"), record.get("labels", {})
    fields = (*flow_fields(flow, record["name"], text, run, version, labels), "started", record["started"])
    simulated = ("simulated", record["simulated"]) if record.get("simulated") else ()
    yield ("HSET", id, *fields, "counts", counts, *state, *simulated)
    for key, values in (
        (keys.steps(id), {index: " ".join(map(str, step)) for index, step in snapshot["steps"].items()}),
        (keys.outputs(id), {index: encode_json(output) for index, output in snapshot["outputs"].items()}),
        (keys.counted_attempts(id), snapshot.get("latched", {})),
    ):
        if values:
            yield ("HSET", key, *flatten_pairs(values.items()))
    elements = chain.from_iterable(map(_format_entry, snapshot["history"]))
    while chunk := list(islice(elements, _MAX_ELEMENTS)):
        yield ("RPUSH", keys.facts(id), *chunk)
    if removed := snapshot.get("removed"):
        yield ("SET", keys.removed_history(id), encode_json(removed))
        yield ("HSET", id, "removed", f"{removed['entries']} {removed['entries']}")
    yield from restored_log_commands(id, snapshot.get("log", ()))
    for index, items in snapshot["items"].items():
        yield from _items_commands(id, int(index), flow, items, run, parts)


def _failed_step(flow: Flow, snapshot: Mapping[str, Any]) -> FailedStep | None:
    """Return the step that has failed a workflow, by the latest failure in its history."""
    if snapshot["record"]["state"] == WorkflowState.FAILED:
        for entry in reversed(snapshot["history"]):
            facts = list(map(Fact.parse, entry["facts"].split()))
            if any(fact.index is None and fact.kind is FactKind.FAILED for fact in facts):
                return failed_step_of(facts, flow)
    return None


def _items_commands(
    id: str, index: int, flow: Flow, items: Mapping[str, Any], run: str, parts: FlowParts
) -> Iterator[Command]:
    fields = flatten_pairs((name, items[name]) for name in ("total", "begun", "done", "round"))
    for prefix, values in (("i", items["values"]), ("o", items["outputs"])):
        pairs = ((f"{prefix}{number}", encode_json(value)) for number, value in values.items())
        fields += flatten_pairs(pairs)
    yield ("HSET", keys.items(id, index), *fields)
    for number, snapshot in items["open"].items():
        item = ItemId(id, index, int(number), items["round"])
        child_flow = child_flow_of(flow, index, snapshot, parts)
        if child_flow.part_end is None:
            yield from use_flow_commands(child_flow, snapshot["record"]["source"], is_stored=False)
        yield from snapshot_commands(str(item), child_flow, snapshot, run, parts)


def child_flow_of(flow: Flow, index: int, snapshot: Mapping[str, Any], parts: FlowParts) -> Flow:
    """Return the flow of a child whose parsed snapshot this is: that in it, or the part of its parent's."""
    called: Flow | None = snapshot.get("flow")
    return parts.part(flow, index) if called is None else called
