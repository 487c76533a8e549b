"""How a task worker takes a start-task and answers it: end-task, receipt and acknowledgement at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lfr import events
from lfr.flow import Json
from lfr.store.connection import Command, Link
from lfr.store.stream import Entry, Reader, acknowledge, append


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says to the start-task with this id: the values of an end-task event."""

    id: str
    values: Mapping[str, Json]


def read_task(entry: Entry) -> events.StartTask | None:
    """The task that an event starts. None for any other event, and for one that the lifecycle buries."""
    if not events.is_kind(entry.fields, events.START_TASK):
        return None
    try:
        return events.read_start_task(events.decode(entry.fields))
    except events.Malformed:
        return None


def answer(link: Link, reader: Reader, answers: Sequence[Answer]) -> None:
    """Append the end-tasks and the receipts, and acknowledge the start-tasks, in one transaction."""
    if not answers:
        return
    at = events.timestamp(time.time())
    commands: list[Command] = []
    for each in answers:
        commands.append(append(reader.stream, events.END_TASK, at, each.values))
        commands.append(append(reader.stream, events.RECEIPT, at, events.receipt(each.id)))
    link.transact([*commands, acknowledge(reader, [each.id for each in answers])])
