"""Send events, and list the newest events and dead letters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from lfr.errors import BadInput
from lfr.events import timestamp
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store.redis.connection import Store
from lfr.store.stream.dead_letters import DeadLetter, read_dead_letters
from lfr.store.stream.entries import Entry, append_command, as_text, read_newest
from lfr.values.json import InvalidJson, Json, decode_json

LARGEST_LIST: Final = 500

_CHUNK: Final = 50
_MOST_READ: Final = 5000
"""How many events are looked at, if a kind or a workflow chooses among them."""

_MOST_BYTES: Final = 16 * 2**20
"""As `_MOST_READ`: events may be large."""

_LONGEST: Final = 2000
"""Characters of a field that are told."""


def send_event(store: Store, kind: str, data: Mapping[str, Json] | None = None) -> str:
    """Append an event with these fields; its id on the stream. Raises BadInput."""
    values = dict(data or {})
    if not kind or not isinstance(kind, str):
        raise BadInput("an event needs a kind")
    reserved = values.keys() & {"kind", "apiVersion", "at"}
    if reserved:
        raise BadInput(f"the event's data may not have the field {min(reserved)}: lfr sets it")
    with store.connect() as connection:
        command = append_command(store.stream, kind, timestamp(time.time()), values)
        return str(connection.execute([command])[0].decode())


def list_events(
    store: Store, *, size: int = 50, kind: str | None = None, workflow: str | None = None
) -> list[dict[str, Any]]:
    """The newest events, newest first: id, at, kind, workflow (or None), and fields: by name, the JSON that
    stands there, of which no more than 2000 characters are told.

    `kind` and `workflow` choose among the newest 5000, or the newest 16 MiB if those are fewer. Raises
    BadInput for an id that cannot be one.
    """
    wanted = {"kind": kind, "workflow": None if workflow is None else parse_workflow_id(workflow)}
    found: list[dict[str, Any]] = []
    read = size_read = 0
    before = "+"
    with store.connect() as connection:
        while len(found) < size and read < _MOST_READ and size_read < _MOST_BYTES:
            entries = read_newest(connection, store.stream, before=before, count=_CHUNK)
            for entry in entries:
                told = _tell(entry)
                if all(value in (None, told[name]) for name, value in wanted.items()):
                    found.append(told)
            read += len(entries)
            size_read += sum(len(value) for entry in entries for value in entry.fields.values())
            if len(entries) < _CHUNK:
                break
            before = entries[-1].id
    return found[:size]


def list_dead_letters(store: Store, *, size: int = 50) -> list[dict[str, Any]]:
    """Events that could not be understood, newest first: id (on the stream), at (when that was found),
    reason, and fields as in `list_events`, but as they were."""
    with store.connect() as connection:
        return [_tell_letter(letter) for letter in read_dead_letters(connection, count=size)]


def _tell(entry: Entry) -> dict[str, Any]:
    words = {name: _word(entry.fields.get(name.encode())) for name in ("at", "kind", "workflow")}
    return {"id": entry.id, **words, "fields": _cut(as_text(entry))}


def _tell_letter(letter: DeadLetter) -> dict[str, Any]:
    return {"id": letter.id, "at": letter.at, "reason": letter.reason, "fields": _cut(letter.fields)}


def _word(encoded: bytes | None) -> str | None:
    try:
        value: Json = None if encoded is None else decode_json(encoded)
    except InvalidJson:
        return None
    return value[:_LONGEST] if isinstance(value, str) else None


def _cut(fields: Mapping[str, str]) -> dict[str, str]:
    return {
        name[:_LONGEST]: text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        for name, text in fields.items()
    }
