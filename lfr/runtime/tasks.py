"""How a task worker takes a start-task event, checks that its attempt is current, and completes it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from lfr import event_fields, events
from lfr.errors import Refused, TooLarge, Unreachable
from lfr.event_fields import Malformed
from lfr.runtime.consumer import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.stream.entries import ConsumerId, Entry, append_command, receipt_commands, settle_commands
from lfr.store.workflows.attempt_status import is_current
from lfr.store.workflows.large_values import is_stored_as, load_large_values, store_output_commands
from lfr.values.json import ABSENT, InvalidJson, Json, JsonText, decode_json, encode_json
from lfr.values.pointers import Pointer
from lfr.values.times import format_timestamp

LOGGER = logging.getLogger(__name__)

FIRST_SUSPECT_DELIVERY: Final = 3
"""From this delivery on, a task may be what has killed those who had read it."""

INPUT_IS_GONE: Final = "its input is gone from Redis"
"""Why a task fails whose input is ABSENT."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Completion:
    """How a worker completes the start-task with this entry id.

    `values` are those of the end-task event; None if another process appends that event, or if the attempt
    is not current. `commands` go before that event.
    """

    id: str
    values: Mapping[str, Json] | None
    commands: Sequence[Command] = ()


def parse_tasks(
    batch: Sequence[Entry], accepts: Callable[[str], bool] = lambda base: True
) -> tuple[list[tuple[str, events.StartTask]], list[str]]:
    """Return the start-tasks of a batch with their entry ids, and the ids of all other entries.

    `accepts` says by the `base` of a task whether the caller does it; the others are not decoded, and count
    as other entries. So does a copy of a start-task that a group has claimed, and a malformed one: the
    lifecycle copies it to the dead letters.
    """
    candidates = [
        entry
        for entry in batch
        if event_fields.peek_kind(entry.fields) == events.START_TASK
        and not events.is_copy(entry.fields)
        and accepts(event_fields.peek_base(entry.fields) or "")
    ]
    decoded = event_fields.decode_all([entry.fields for entry in candidates])
    tasks: dict[str, events.StartTask] = {}
    for entry, values in zip(candidates, decoded, strict=True):
        if not isinstance(values, Malformed):
            with suppress(Malformed):
                tasks[entry.id] = events.parse_start_task(values)
    return list(tasks.items()), [entry.id for entry in batch if entry.id not in tasks]


def complete_tasks(
    connection: Connection, consumer: ConsumerId, completions: Sequence[Completion], *, has_receipts: bool
) -> None:
    """Append the end-tasks, and settle the start-tasks, in one transaction; if that is too large, in one for
    each. A task whose output is too large by itself fails."""
    if not completions:
        return
    try:
        connection.transact(complete_tasks_commands(consumer, completions, has_receipts=has_receipts))
    except TooLarge as error:
        if len(completions) == 1:
            completions = [failed_completion(completions[0], str(error))]
        for completion in completions:
            complete_tasks(connection, consumer, [completion], has_receipts=has_receipts)


def failed_completion(completion: Completion, reason: str) -> Completion:
    """Return the completion of the same task by a failure that is not retried: its output is too large."""
    values = {
        name: value
        for name, value in (completion.values or {}).items()
        if name not in ("output", "output_from")
    }
    values |= {"status": events.Status.FAILURE, "reason": f"its output cannot be stored: {reason}"}
    return Completion(completion.id, {**values, "retry": False})


def complete_tasks_commands(
    consumer: ConsumerId,
    completions: Sequence[Completion],
    *,
    has_receipts: bool,
    action: str = "processed",
) -> list[Command]:
    """Return the commands that append the end-tasks and settle the start-tasks: those on the bus get receipts
    with this `action` and are acknowledged; for those in a queue, see `settle_commands`."""
    at = format_timestamp(time.time())
    commands = [command for each in completions for command in completion_commands(each, at)]
    ids = [completion.id for completion in completions]
    if keys.has_one_group(consumer.stream):
        return commands + settle_commands(consumer, ids, at, has_receipts=has_receipts, action=action)
    return commands + receipt_commands(consumer, dict.fromkeys(ids, action), at)


def completion_commands(completion: Completion, at: str) -> list[Command]:
    """Return the commands that append the end-task, none if it has none. Raises InvalidJson. (XADD)"""
    if completion.values is None:
        return []
    return [*completion.commands, append_command(keys.ENDS, events.END_TASK, at, completion.values)]


def successful_completion(id: str, task: events.StartTask, output: Json, large_bytes: int) -> Completion:
    """Return the completion of the start-task with this entry id by an output. One of `large_bytes` or more
    is stored beside the end-task, unless it is the input, which is stored already. Raises InvalidJson."""
    text = JsonText(encode_json(output))
    if len(text) < large_bytes:
        return Completion(id, events.end_task_values(task, output=text))
    pointer, commands = task.input_from, list[Command]()
    if pointer is None or not is_stored_as(text, pointer):
        pointer, commands = store_output_commands(task.workflow, task.index, task.attempt, text)
    return Completion(id, events.end_task_values(task, output_from=pointer), commands)


def load_inputs(
    connection: Connection, tasks: Sequence[tuple[str, events.StartTask]]
) -> list[tuple[str, events.StartTask]]:
    """Return start-tasks, each with its entry id, with the inputs to which they refer; ABSENT if that is gone
    from Redis: then the attempt is over, or somebody has deleted the key. (HGET)"""
    pointers = [task.input_from for _, task in tasks if task.input_from is not None]
    if not pointers:
        return list(tasks)
    inputs = load_large_values(connection, pointers)
    return [(id, _with_input(task, inputs)) for id, task in tasks]


def _with_input(task: events.StartTask, inputs: Mapping[Pointer, bytes]) -> events.StartTask:
    if task.input_from is None:
        return task
    encoded = inputs.get(task.input_from)
    try:
        return replace(task, input=ABSENT if encoded is None else decode_json(encoded))
    except InvalidJson:
        return replace(task, input=ABSENT)


def deadly_reason(deliveries: int) -> str:
    """Return why a task fails that was handed out so often, each time to a worker that died with it."""
    return f"the worker died {deliveries} times with this task (setting tasks.deliveries)"


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
