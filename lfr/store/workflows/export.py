"""A workflow with all that is kept of it, as plain data: what an archive holds and a deletion takes away.

A snapshot has `record` (state, reason, started, ended: milliseconds since the epoch, 0: not yet; name,
source), `counts` (active, done, skipped, failed), `steps` (index -> waiting, active, attempt, retries),
`outputs` (index -> JSON; -1: the input), `history` (at, facts, reason; see history.py), and `items`: by the
index of an iterated step, total, begun, done and round (see items.py), the `values` that have not begun,
the `outputs` of those that are done, and the snapshots of those that are `open`, by number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lfr.flow import Flow, StepKind
from lfr.item_ids import ItemId
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import parse_pairs
from lfr.store.workflows.commit import LAYOUT_VERSION, reason_fields
from lfr.store.workflows.items import load_item_counts, load_open_items
from lfr.values.json import Json, decode_json, encode_json

_RECORD = ("name", "source", "state", "reason", "started", "ended")


class Gone(Exception):
    """A workflow, or an item of one, is not there any more."""


def load_snapshot(connection: Connection, id: str, flow: Flow) -> dict[str, Any]:
    """The snapshot of a workflow, or of an item with its part of the flow; all of it is watched from now on.
    It is one moment's only if it has not moved after. (WATCH, HMGET, HGETALL, XRANGE) Raises Gone."""
    _, record, counts, steps, outputs, history = connection.execute(
        [
            ("WATCH", id),
            ("HMGET", id, *_RECORD),
            ("HGET", id, "counts"),
            ("HGETALL", keys.steps(id)),
            ("HGETALL", keys.outputs(id)),
            ("XRANGE", keys.history(id), "-", "+"),
        ]
    )
    if counts is None:
        raise Gone(id)
    texts = [(value or b"").decode() for value in record]
    *words, started, ended = texts
    return {
        "record": {
            **dict(zip(_RECORD, words, strict=False)),
            "started": int(started or 0),
            "ended": int(ended or 0),
        },
        "counts": [int(count) for count in counts.split()],
        "steps": {key.decode(): _numbers(value) for key, value in parse_pairs(steps).items()},
        "outputs": {key.decode(): decode_json(value) for key, value in parse_pairs(outputs).items()},
        "history": [_moment(parse_pairs(flat)) for _, flat in history],
        "items": dict(_read_items(connection, id, flow)),
    }


def _read_items(connection: Connection, id: str, flow: Flow) -> Iterator[tuple[str, dict[str, Any]]]:
    iterated = [step.index for step in flow.own_steps if step.iterate]
    for index, items in load_item_counts(connection, id, iterated).items():
        fields = parse_pairs(connection.execute([("HGETALL", keys.items(id, index))])[0])
        yield (
            str(index),
            {
                "total": items.total,
                "begun": items.begun,
                "done": items.done,
                "round": items.round,
                "values": _of(fields, b"i"),
                "outputs": _of(fields, b"o"),
                "open": {
                    str(item.number): load_snapshot(connection, str(item), flow.part(index))
                    for item in load_open_items(connection, id, index, items)
                },
            },
        )


def _of(fields: dict[bytes, bytes], sign: bytes) -> dict[str, Json]:
    return {
        name[1:].decode(): decode_json(value)
        for name, value in fields.items()
        if name[:1] == sign and name[1:].isdigit()
    }


def snapshot_commands(id: str, flow: Flow, snapshot: dict[str, Any]) -> Iterator[Command]:
    """The commands that make a workflow, or an item, of a snapshot. Neither the flow nor the indexes of
    workflows are written by them. (HSET, XADD)"""
    record = snapshot["record"]
    told = [value for name in _RECORD if name != "reason" for value in (name, record[name])]
    told += (*reason_fields(record["reason"]), "steps", flow.size)
    counts = " ".join(map(str, snapshot["counts"]))
    yield ("HSET", id, "version", LAYOUT_VERSION, "flow", flow.reference, "counts", counts, *told)
    for key, values in (
        (keys.steps(id), {index: " ".join(map(str, step)) for index, step in snapshot["steps"].items()}),
        (keys.outputs(id), {index: encode_json(output) for index, output in snapshot["outputs"].items()}),
    ):
        if values:
            yield ("HSET", key, *(word for pair in values.items() for word in pair))
    for moment in snapshot["history"]:
        yield ("XADD", keys.history(id), "*", *(word for pair in moment.items() for word in pair))
    for index, items in snapshot["items"].items():
        yield from _write_items(id, int(index), flow, items)


def _write_items(id: str, index: int, flow: Flow, items: dict[str, Any]) -> Iterator[Command]:
    fields: list[str | int] = []
    for name in ("total", "begun", "done", "round"):
        fields += (name, items[name])
    for sign, values in (("i", items["values"]), ("o", items["outputs"])):
        for number, value in values.items():
            fields += (f"{sign}{number}", encode_json(value))
    yield ("HSET", keys.items(id, index), *fields)
    for number, snapshot in items["open"].items():
        item = ItemId(id, index, int(number), items["round"])
        yield from snapshot_commands(str(item), flow.part(index), snapshot)


def load_own_keys(connection: Connection, id: str, flow: Flow) -> Iterator[str]:
    """Every key that belongs to a workflow, with those of its items. (HMGET, HKEYS)"""
    yield from (id, keys.steps(id), keys.outputs(id), keys.history(id), keys.counted_attempts(id))
    yield from (keys.handed_over(id, step.index) for step in flow.own_steps if step.kind is StepKind.TASK)
    iterated = [step.index for step in flow.own_steps if step.iterate]
    for index, items in load_item_counts(connection, id, iterated).items():
        yield keys.items(id, index)
        for item in load_open_items(connection, id, index, items):
            yield from load_own_keys(connection, str(item), flow.part(index))


def _numbers(value: bytes) -> list[int]:
    return [int(number) for number in value.split()]


def _moment(fields: dict[bytes, bytes]) -> dict[str, Any]:
    moment: dict[str, Any] = {"at": int(fields[b"at"]), "facts": fields[b"facts"].decode()}
    if b"reason" in fields:
        moment["reason"] = fields[b"reason"].decode(errors="replace")
    return moment
