"""Everything that is stored for a workflow: loaded for an archive, and written by a restore.

A snapshot is plain data: `record` (name, source, state, reason; started and ended in milliseconds since the
epoch, 0: not yet; simulated, version, labels, see `load.Record`, may be missing), `counts` (active, done,
skipped, failed), `steps` (index -> waiting, active, attempt, retries), `outputs` (index -> JSON; -1: the
input), `latched` (index -> text, see `keys`; may be missing), `history` (at, facts, reason; see `history`),
and `items`: by the index of an iterated step, the counts total, begun, done, and round, the `values` of items
that have not begun, the `outputs` of those that are done, and the snapshots of the `open` ones, by number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from lfr.flow import Flow, FlowParts
from lfr.item_ids import ItemId, is_item
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import flatten_pairs, parse_pairs
from lfr.store.workflows.commit import STOPPED_FIELD, flow_fields, state_fields
from lfr.store.workflows.flow_texts import load_text
from lfr.store.workflows.history import RawEntry, format_element, read_raw_history
from lfr.store.workflows.items import load_item_counts, load_open_items, out_of_band_keys
from lfr.store.workflows.load import RECORD_FIELDS, parse_record
from lfr.values.json import Json, decode_json, encode_json

_MAX_ELEMENTS: Final = 1000
"""How many elements of a history one command writes."""


class WorkflowMissing(Exception):
    """A workflow or an item of it does not exist any more."""


def load_snapshot(
    connection: Connection, id: str, flow: Flow, parts: FlowParts | None = None
) -> dict[str, Any]:
    """Watch a workflow and its open items, and return its snapshot. Raises WorkflowMissing.

    `id` may be an item; then `flow` is its part of the flow, one of `parts`. What is loaded belongs together
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
        "history": [_describe_entry(entry) for entry in read_raw_history(connection, id)],
        "items": dict(_load_items(connection, id, flow, parts or FlowParts())),
    }


def _load_items(
    connection: Connection, id: str, flow: Flow, parts: FlowParts
) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, items in load_item_counts(connection, id, _iterated_steps(flow)).items():
        fields = parse_pairs(connection.call("HGETALL", keys.items(id, index)))
        snapshot = {
            **{"total": items.total, "begun": items.begun, "done": items.done, "round": items.round},
            "values": _decode_numbered(fields, b"i"),
            "outputs": _decode_numbered(fields, b"o"),
            "open": {
                str(item.number): load_snapshot(connection, str(item), parts.part(flow, index), parts)
                for item in load_open_items(connection, id, index, items)
            },
        }
        yield str(index), snapshot


def _iterated_steps(flow: Flow) -> list[int]:
    return [step.index for step in flow.own_steps if step.iterate]


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
    return {"at": entry.at_ms, "facts": entry.facts, **({"reason": entry.reason} if entry.reason else {})}


def snapshot_commands(
    id: str, flow: Flow, snapshot: Mapping[str, Any], run: str, parts: FlowParts
) -> Iterator[Command]:
    """Yield the commands that write a workflow, or an item, and its open items from its snapshot. They write
    neither the flow, its text nor the indexes of workflows. `run` is a new one, see Record. (HSET, RPUSH)"""
    record = snapshot["record"]
    state = state_fields(WorkflowState(record["state"]), record["ended"], record["reason"])
    counts = " ".join(map(str, snapshot["counts"]))
    text = "" if is_item(id) else record["source"]
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
    elements = (
        format_element(entry["at"], entry["facts"], entry.get("reason", "")) for entry in snapshot["history"]
    )
    while chunk := list(islice(elements, _MAX_ELEMENTS)):
        yield ("RPUSH", keys.facts(id), *chunk)
    for index, items in snapshot["items"].items():
        yield from _items_commands(id, int(index), flow, items, run, parts)


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
        yield from snapshot_commands(str(item), parts.part(flow, index), snapshot, run, parts)


def load_own_keys(
    connection: Connection, id: str, flow: Flow, parts: FlowParts | None = None
) -> Iterator[str]:
    """Yield the keys to delete with a workflow that has ended: its own and those of its open items. Some may
    not exist. Not those of attempts that run: waits, delayed starts, progress reports. (HMGET, HKEYS)"""
    parts = parts or FlowParts()
    yield from keys.whole_data(id)
    yield from out_of_band_keys(id, flow)
    for index, items in load_item_counts(connection, id, _iterated_steps(flow)).items():
        yield keys.items(id, index)
        for item in load_open_items(connection, id, index, items):
            yield from load_own_keys(connection, str(item), parts.part(flow, index), parts)
