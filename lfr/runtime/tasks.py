"""How a task worker takes a start-task event, checks that its attempt is current, and completes it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from lfr import events
from lfr.errors import Refused, Unreachable
from lfr.runtime.consumer import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.stream.entries import ConsumerId, Entry, acknowledge_command, append_command
from lfr.store.workflows.attempt_status import is_current
from lfr.values.json import Json

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Completion:
    """How a worker completes the start-task with this entry id.

    `values` are those of the end-task event; None if another process appends that event, or if the attempt
    is not current.
    """

    id: str
    values: Mapping[str, Json] | None


def parse_tasks(batch: Sequence[Entry]) -> tuple[list[tuple[str, events.StartTask]], list[str]]:
    """Return the start-tasks of a batch with their entry ids, and the ids of all other entries.

    A malformed start-task counts as another entry: the lifecycle copies it to the dead letters.
    """
    candidates = [entry for entry in batch if events.peek_kind(entry.fields) == events.START_TASK]
    decoded = events.decode_all([entry.fields for entry in candidates])
    tasks: dict[str, events.StartTask] = {}
    for entry, values in zip(candidates, decoded, strict=True):
        if not isinstance(values, events.Malformed):
            with suppress(events.Malformed):
                tasks[entry.id] = events.parse_start_task(values)
    return list(tasks.items()), [entry.id for entry in batch if entry.id not in tasks]


def complete_tasks(connection: Connection, consumer: ConsumerId, completions: Sequence[Completion]) -> None:
    """Append the end-tasks and receipts, and acknowledge the start-tasks, in one transaction."""
    if not completions:
        return
    commands = [command for each in completions for command in completion_commands(consumer.stream, each)]
    ids = [completion.id for completion in completions]
    connection.transact([*commands, acknowledge_command(consumer, ids)])


def completion_commands(stream: str, completion: Completion) -> list[Command]:
    """Return the commands that append the end-task and the receipt. Raises InvalidJson. (XADD)"""
    at = events.timestamp(time.time())
    receipt = append_command(stream, events.RECEIPT, at, events.receipt_values(completion.id))
    if completion.values is None:
        return [receipt]
    return [append_command(stream, events.END_TASK, at, completion.values), receipt]


def retry_on_disconnect(store: Store, call: Callable[[Connection], T], what: str) -> T:
    """Return what `call` returns; call it again until Redis is back, so that an outage does not fail a task.

    `what` names what waits meanwhile, for the log.
    """
    backoff = FIRST_BACKOFF_SECONDS
    while True:
        try:
            with store.connect() as connection:
                return call(connection)
        except (Unreachable, Refused) as error:
            LOGGER.error("%s; %s waits", error, what)
            time.sleep(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)


def is_current_with_retry(store: Store, task: events.StartTask) -> bool:
    """Return whether an attempt is current, as `is_current` does; wait until Redis answers, however long."""
    return retry_on_disconnect(
        store, lambda connection: is_current(connection, task), f"{task.base} of {task.workflow}"
    )
