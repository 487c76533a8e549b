"""How a task worker takes a start-task and answers it: end-task, receipt and acknowledgement at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lfr import events
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import ConsumerId, Entry, acknowledge_command, append_command
from lfr.values.json import Json


@dataclass(frozen=True, slots=True)
class Completion:
    """What a worker says to the start-task with this id: the values of an end-task event; or None if
    somebody else says it, or nobody waits for it."""

    id: str
    values: Mapping[str, Json] | None


def parse_tasks(batch: Sequence[Entry]) -> tuple[list[tuple[str, events.StartTask]], list[str]]:
    """The tasks that a batch of events starts, each with the event's id; and the ids of all other events.

    Among those others is what only looks like a start-task: the lifecycle buries it.
    """
    candidates = [entry for entry in batch if events.is_kind(entry.fields, events.START_TASK)]
    tasks: dict[str, events.StartTask] = {}
    for entry, values in zip(
        candidates, events.decode_all([entry.fields for entry in candidates]), strict=True
    ):
        if not isinstance(values, events.Malformed):
            with suppress(events.Malformed):
                tasks[entry.id] = events.parse_start_task(values)
    return list(tasks.items()), [entry.id for entry in batch if entry.id not in tasks]


def complete_tasks(connection: Connection, consumer: ConsumerId, answers: Sequence[Completion]) -> None:
    """Append the end-tasks and the receipts, and acknowledge the start-tasks, in one transaction."""
    if not answers:
        return
    at = events.timestamp(time.time())
    commands: list[Command] = []
    for each in answers:
        if each.values is not None:
            commands.append(append_command(consumer.stream, events.END_TASK, at, each.values))
        commands.append(append_command(consumer.stream, events.RECEIPT, at, events.receipt_values(each.id)))
    connection.transact([*commands, acknowledge_command(consumer, [each.id for each in answers])])
