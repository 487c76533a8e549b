"""Large values beside the streams: each is stored once in the hash `W:large`, and events refer to it.

    SIZE.INDEX.ATTEMPT.DIGEST                  a value as JSON: its name says how many bytes it has, and which
                                               attempt it was first the input of, or the output
    INDEX.ATTEMPT@SIZE.INDEX.ATTEMPT.DIGEST    empty: this attempt uses the value with this name

A start-task event has `input_from`, the key and the name, in place of `input`; an end-task event of lfr's own
workers has `output_from` in place of `output`. So a value that goes to many steps, or through them, stands
once in Redis besides the outputs of the workflow, and events stay small.

A commit deletes the values that no running attempt uses any more. A worker writes the value of its output,
and that its attempt uses it, in the transaction that appends its end-task: so the commit that processes this
knows of it and, if the attempt is over, deletes what was written. Only commits delete, and only what their
load has read. No two write under one name unless they do the same attempt: so what a worker writes meanwhile
is not deleted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from lfr.engine.transition import Progress
from lfr.store import keys
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command, Connection
from lfr.values.json import Json, JsonText
from lfr.values.pointers import Pointer, parse_pointer

_USE: Final = re.compile(r"(\d+)\.(\d+)@(.+)")


def digest_of(text: str) -> str:
    """Return what distinguishes a value from others, by its JSON text."""
    return sha256(text.encode()).hexdigest()[:32]


def store_output_commands(
    workflow: str, index: int, attempt: int, text: str
) -> tuple[Pointer, list[Command]]:
    """Return a pointer to the output of an attempt, as JSON, and the commands that store it. (HSET)"""
    name = f"{len(text)}.{index}.{attempt}.{digest_of(text)}"
    key = keys.large_values(workflow)
    return Pointer(key, name), [("HSET", key, name, text, f"{index}.{attempt}@{name}", "")]


def is_stored_as(text: str, pointer: Pointer) -> bool:
    """Return whether a value, as JSON, is the one to which this refers."""
    return len(text) == pointer.size and pointer.name.endswith(digest_of(text))


def load_large_values(connection: Connection, pointers: Iterable[Pointer]) -> dict[Pointer, bytes]:
    """Return the values of these pointers as JSON, without those that do not exist any more. (HGET)"""
    distinct = list(dict.fromkeys(pointers))
    replies = connection.execute([("HGET", *pointer) for pointer in distinct], keep_errors=True)
    return {
        pointer: reply for pointer, reply in zip(distinct, replies, strict=True) if isinstance(reply, bytes)
    }


def with_whole_input(connection: Connection, routes: Routes, fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return the fields of a start-task with the input in place of a pointer, if the input does not go by
    pointer any more to who does the task now. (HGET)"""
    whole = dict(fields)
    pointer = parse_pointer(fields.get("input_from"), fields["workflow"])
    if pointer is None or routes.goes_by_pointer(fields["base"], pointer.size):
        return whole
    encoded = load_large_values(connection, [pointer]).get(pointer)
    if encoded is not None:  # else the worker fails the task
        del whole["input_from"]
        whole["input"] = JsonText(encoded.decode())
    return whole


def load_names(connection: Connection, workflows: Sequence[str]) -> list[set[str]]:
    """Return the names of the fields of `W:large`, for each of these workflows. (HKEYS)"""
    replies = connection.execute([("HKEYS", keys.large_values(workflow)) for workflow in workflows])
    return [{name.decode() for name in reply} for reply in replies]


def delete_large_values_command(workflow: str) -> Command:
    """Return the command that deletes all large values of a workflow. (DEL)"""
    return ("DEL", keys.large_values(workflow))


@dataclass(slots=True)
class LargeValues:
    """The large values of a workflow, as far as one commit concerns them.

    stored      the names of the fields of `W:large`; empty if they were not loaded: then none is deleted
    has_record  whether the record of the workflow says that it has large values
    names       the names of values by their ids: outputs that were loaded, inputs that are stored; each
                with the value itself, so that no other gets its id
    """

    workflow: str
    stored: Collection[str] = ()
    has_record: bool = False
    names: dict[int, tuple[Json, str]] = field(default_factory=dict)
    _new: dict[str, str] = field(default_factory=dict)  # field -> value

    def refer(self, value: Json, text: JsonText, index: int, attempt: int) -> Pointer:
        """Return a pointer to the input of an attempt, `text` as JSON. Note that the attempt uses it."""
        _, name = self.names.get(id(value), (None, ""))
        if name not in self.stored and name not in self._new:
            name = self._name(text, index, attempt)
            self.names[id(value)] = value, name
        self._new[f"{index}.{attempt}@{name}"] = ""
        return Pointer(keys.large_values(self.workflow), name)

    def _name(self, text: JsonText, index: int, attempt: int) -> str:
        """Return the name of a value that is stored, or note that it is to be stored, and return its name."""
        digest = digest_of(text)
        for name in (*self.stored, *self._new):
            if name.endswith(f".{digest}") and "@" not in name:
                return name
        name = f"{len(text)}.{index}.{attempt}.{digest}"
        self._new[name] = text
        return name

    def commands(self, progress: Progress) -> list[Command]:
        """Return the commands that store the new values, and delete those that no attempt uses which runs
        according to `progress`. (HSET, HDEL)"""
        if not self._new and not self.stored and not self.has_record:
            return []
        key = keys.large_values(self.workflow)
        uses = {name: match for name in self.stored if (match := _USE.fullmatch(name))}
        over = {name for name, match in uses.items() if not (progress.active and _runs(progress, match))}
        used = {match[3] for name, match in uses.items() if name not in over}
        used |= {name.partition("@")[2] for name in self._new if "@" in name}
        unused = over | {name for name in self.stored if name not in uses and name not in used}
        commands: list[Command] = []
        if self._new:
            commands.append(("HSET", key, *(part for pair in self._new.items() for part in pair)))
        if obsolete := unused - self._new.keys():
            commands.append(("HDEL", key, *sorted(obsolete)))
        # The record changes in any case, so that no commit counts on names that another one has read.
        remain = bool(self._new) or len(unused) < len(self.stored)
        commands.append(("HSET", self.workflow, "large", 1) if remain else ("HDEL", self.workflow, "large"))
        return commands


def _runs(progress: Progress, use: re.Match[str]) -> bool:
    """Return whether an attempt that uses a value may run: it does, or the progress of its step was not
    loaded, so that nothing has happened to it."""
    step = progress.step(int(use[1]))
    return step is None or step.active > 1 or (step.active == 1 and step.attempt == int(use[2]))
