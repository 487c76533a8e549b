"""Sends events, and lists the newest events of the bus, queues and buffered events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from lfr.engine.step_inputs import normalize_value
from lfr.errors import BadInput, NotFound
from lfr.events import ACTOR, ACTOR_REASON, OPERATOR_ACTION, actor_values
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store.queues.backlog import read_queue
from lfr.store.redis.connection import Store
from lfr.store.stream.entries import Entry, append_command, as_text, read_newest
from lfr.store.waits.event_buffer import read_buffered_events
from lfr.values.json import InvalidJson, Json, decode_json, encode_json
from lfr.values.texts import cut
from lfr.values.times import format_timestamp

MAX_LIST_SIZE: Final = 500

_CHUNK: Final = 50

_MAX_EVENTS: Final = 5000
_MAX_BYTES: Final = 16 * 2**20
"""How many events, and bytes of events, are read at most if a kind or a workflow filters them."""

_MAX_LENGTH: Final = 2000
"""How many characters of a field's name and of its text are returned."""


def send_event(store: Store, kind: str, data: Mapping[str, Json] | None = None) -> str:
    """Append an event of this kind to the stream, with `data` as its fields (None: none); return its id.

    Raises BadInput for an empty kind, or that of `operator_actions`; for fields that lfr sets (kind,
    apiVersion, at; lfr_actor and lfr_reason, which say who sends it by hand); for values that are no JSON.
    """
    values = {name: normalize_value(f"the field {name}", value) for name, value in (data or {}).items()}
    if not kind or not isinstance(kind, str):
        raise BadInput("an event needs a kind")
    if kind == OPERATOR_ACTION:
        raise BadInput(f"lfr itself sends {kind}, for what somebody has done: nobody else may say so")
    reserved = values.keys() & {"kind", "apiVersion", "at", ACTOR, ACTOR_REASON}
    if reserved:
        raise BadInput(f"the event's data may not have the field {min(reserved)}: lfr sets it")
    values |= actor_values(store.actor)
    with store.connect() as connection:
        command = append_command(store.stream, kind, format_timestamp(time.time()), values)
        [id] = connection.transact([command]) or [b""]  # no key is watched, so it has been appended
        return str(id.decode())


def list_events(
    store: Store, *, size: int = 50, kind: str | None = None, workflow: str | None = None
) -> list[dict[str, Any]]:
    """List up to `size` events on the stream, newest first.

    Each as plain data: id; at, kind, workflow, each None if it is no text; and fields: by name, the JSON text
    of the value, cut to 2000 characters. Only those of `kind` and `workflow` (None: all) among the newest
    5000 events, or the newest 16 MiB if those are fewer. Raises BadInput for the id of the workflow.
    """
    filters = {"kind": kind, "workflow": None if workflow is None else parse_workflow_id(workflow)}
    events: list[dict[str, Any]] = []
    events_read = bytes_read = 0
    before = "+"
    with store.connect() as connection:
        while len(events) < size and events_read < _MAX_EVENTS and bytes_read < _MAX_BYTES:
            entries = read_newest(connection, store.stream, before=before, count=_CHUNK)
            for entry in entries:
                event = _describe_event(entry)
                if all(value in (None, event[name]) for name, value in filters.items()):
                    events.append(event)
            events_read += len(entries)
            bytes_read += sum(len(value) for entry in entries for value in entry.fields.values())
            if len(entries) < _CHUNK:
                break
            before = entries[-1].id
    return events[:size]


def list_queue(store: Store, group: str, *, size: int = 50) -> list[dict[str, Any]]:
    """List the first `size` entries of the queue of a group of workers, oldest first.

    Each as `list_events` describes an event, with is_read: whether a worker has read it. An entry leaves the
    queue when its task has ended. Raises NotFound if the group has no queue.
    """
    with store.connect() as connection:
        entries = read_queue(connection, group, count=size)
    if entries is None:
        raise NotFound(f"no group {group[:100]} has a queue", hint="lfr status shows the groups of workers")
    return [{**_describe_event(entry), "is_read": is_read} for entry, is_read in entries]


def list_buffered_events(store: Store, *, size: int = 50, kind: str | None = None) -> list[dict[str, Any]]:
    """List up to `size` events that are buffered for a wait:event that begins later, newest first.

    Only those of `kind`, unless it is None. Each as plain data: id, kind; used, whether it has completed a
    wait; and fields, as in `list_events`.
    """
    with store.connect() as connection:
        events = read_buffered_events(connection, kind, count=size)
    return [
        {
            "id": event.id,
            "kind": event.kind,
            "used": event.is_used,
            "fields": truncate_fields({name: encode_json(value) for name, value in event.fields.items()}),
        }
        for event in events
    ]


def _describe_event(entry: Entry) -> dict[str, Any]:
    texts = {name: _parse_text(entry.fields.get(name.encode())) for name in ("at", "kind", "workflow")}
    return {"id": entry.id, **texts, "fields": truncate_fields(as_text(entry))}


def _parse_text(encoded: bytes | None) -> str | None:
    try:
        value: Json = None if encoded is None else decode_json(encoded)
    except InvalidJson:
        return None
    return value[:_MAX_LENGTH] if isinstance(value, str) else None


def truncate_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of an event with names and texts of up to 2000 characters each."""
    return {name[:_MAX_LENGTH]: cut(text, _MAX_LENGTH) for name, text in fields.items()}
