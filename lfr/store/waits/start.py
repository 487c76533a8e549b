"""Starts the waits of start-task events, and cancels waits.

Two consumers may read the same start-task, because a slow one loses its pending entries to another. So a wait
is stored in one transaction with the acknowledgement of its start-task, under a WATCH of the wait's key, and
only if the start-task is still pending after that WATCH and its step still runs. Who ends a step at once
changes that key, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lfr import events
from lfr.item_ids import root_workflow
from lfr.store import keys
from lfr.store.redis.connection import TIME, Command, Connection, parse_time_ms
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import commit_together_or_singly
from lfr.store.stream.entries import ConsumerId, acknowledge_command, check_reply, receipt_commands
from lfr.store.waits.registry import (
    add_wait_commands,
    cancel_mark_command,
    may_start,
    remove_wait_commands,
    watch_waits,
)
from lfr.store.workflows.attempt_status import is_of_run, runs
from lfr.tasks.wait_spec import LatchRequest, Wait
from lfr.values.times import format_timestamp


@dataclass(frozen=True, slots=True)
class StartTasks:
    """Start-task events as they were read under WATCH.

    now_ms      the time of Redis, in milliseconds since the epoch
    to_start    the entry ids of those to process now: still pending, and their attempt runs and neither waits
                already nor was cancelled
    started_ms  when the workflows of those in `to_start` started, by the id of the root workflow
    """

    now_ms: int
    to_start: frozenset[str]
    started_ms: Mapping[str, int]


def watch_start_tasks(
    connection: Connection, consumer: ConsumerId, tasks: Sequence[Wait | LatchRequest]
) -> StartTasks:
    """Watch the wait keys of these attempts, then read which of them must still start. Raises NoGroup.
    (WATCH, TIME, GET, XPENDING, HGET, HMGET)"""
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *(keys.wait(*each.task.attempt_id) for each in tasks))
    time = pipeline.add(*TIME)
    replies = [
        (
            pipeline.add("GET", keys.wait(*each.task.attempt_id)),
            pipeline.add("XPENDING", consumer.stream, consumer.group, each.entry_id, each.entry_id, 1),
            pipeline.add("HGET", keys.steps(each.task.workflow), each.task.index),
            pipeline.add("HMGET", root_workflow(each.task.workflow), "run", "started"),
        )
        for each in tasks
    ]
    pipeline.send()
    to_start: set[str] = set()
    started_ms: dict[str, int] = {}
    for each, (text, pending, progress, record) in zip(tasks, replies, strict=True):
        run, started = record.value_or_none or (None, None)
        can_start = may_start(text.value, each.entry_id) and runs(progress.value_or_none, each.task.attempt)
        if not can_start or started is None:
            continue
        run = (run or b"").decode()
        is_present = is_of_run(each.task.run, each.entry_id, run=run, started_ms=int(started))
        if is_present and check_reply(pending.value_or_error):
            to_start.add(each.entry_id)
            started_ms[root_workflow(each.task.workflow)] = int(started)
    return StartTasks(parse_time_ms(time.value), frozenset(to_start), started_ms)


def start_delays(connection: Connection, consumer: ConsumerId, delays: Sequence[Wait]) -> None:
    """Store waits that only the clock ends, append receipts for their start-tasks, and acknowledge these.
    A wait whose attempt is over, or that is stored already, is not stored."""

    def attempt(waits: Sequence[Wait]) -> list[Command]:
        tasks = watch_start_tasks(connection, consumer, waits)
        to_start = [wait.begun(tasks.now_ms) for wait in waits if wait.entry_id in tasks.to_start]
        commands = [command for wait in to_start for command in add_wait_commands(wait, tasks.now_ms)]
        return commands + processed_commands(consumer, waits, tasks.now_ms)

    commit_together_or_singly(connection, delays, attempt)


def cancel_waits(
    connection: Connection, consumer: ConsumerId, cancels: Sequence[tuple[str, events.CancelTask]]
) -> None:
    """Remove the waits of cancelled attempts, each with the id of its cancel-task event, and leave a mark.

    An attempt without a wait gets a mark, too. Acknowledges the events; the lifecycle appends their receipts.
    """

    def attempt(cancels: Sequence[tuple[str, events.CancelTask]]) -> list[Command]:
        ids = [cancel.attempt_id for _, cancel in cancels]
        waits = watch_waits(connection, [keys.attempt_member(*id) for id in ids])
        commands = remove_wait_commands([wait for wait in waits.values() if wait is not None])
        for (entry_id, _), id in zip(cancels, ids, strict=True):
            commands.append(cancel_mark_command(id, entry_id))
        return [*commands, acknowledge_command(consumer, [entry_id for entry_id, _ in cancels])]

    commit_together_or_singly(connection, cancels, attempt)


def ended_at_once_commands(attempts: Iterable[events.AttemptId]) -> list[Command]:
    """Return the commands for attempts that end without a stored wait. They leave nothing, but Redis refuses
    the transaction of another consumer that has read the same start-task, and watched the key of its wait
    before: it would store a wait that nobody ends. (SET, DEL)"""
    commands: list[Command] = []
    for attempt in attempts:
        commands += [("SET", keys.wait(*attempt), ""), ("DEL", keys.wait(*attempt))]
    return commands


def processed_commands(
    consumer: ConsumerId, tasks: Sequence[Wait | LatchRequest], now_ms: int
) -> list[Command]:
    """Return the commands that append receipts for these start-tasks and acknowledge them. (XADD, XACK)"""
    actions = {each.entry_id: "processed" for each in tasks}
    return receipt_commands(consumer, actions, format_timestamp(now_ms / 1000))
