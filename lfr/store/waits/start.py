"""Start-tasks of waits: which of those that were read are still to be done, and how their doing is written.

A start-task can be read twice: a role that is slow finds that another has taken over what it read. So a
wait is kept in one transaction with the acknowledgement of its start-task, under a watch of its own key;
and only if, after that watch, the start-task is still pending and its step still runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from lfr import events
from lfr.store import keys
from lfr.store.redis.clock import TIME, parse_time_ms
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.stream.entries import ConsumerId, acknowledge_command, check_reply, receipt_commands
from lfr.store.waits.registry import (
    add_wait_commands,
    cancelled_mark_command,
    may_begin,
    remove_wait_commands,
    watch_waits,
)
from lfr.tasks.wait_spec import LatchStep, Wait


class Standing(NamedTuple):
    """What was found of start-tasks, under watch.

    now_ms      the time of Redis, in milliseconds since the epoch
    wanted      the ids of those that are still to be done
    started_ms  when the workflow of each of these started, likewise, by the workflow's id
    """

    now_ms: int
    wanted: Collection[str]
    started_ms: Mapping[str, int]


def root_of(workflow: str) -> str:
    """The workflow that an item, or an item of an item, belongs to; itself, if it is no item."""
    return workflow.partition("/")[0]


def watch_started(
    connection: Connection, consumer: ConsumerId, tasks: Sequence[Wait | LatchStep]
) -> Standing:
    """Watch where these waits would be kept, then see which are to be done. (WATCH, GET, XPENDING, HGET)"""
    names = [(each.task.workflow, each.task.index, each.task.attempt) for each in tasks]
    commands: list[Command] = [("WATCH", *(keys.wait(*name) for name in names)), TIME]
    for each, name in zip(tasks, names, strict=True):
        workflow, index, _ = name
        commands += (
            ("GET", keys.wait(*name)),
            ("XPENDING", consumer.stream, consumer.group, each.since, each.since, 1),
            ("HGET", keys.steps(workflow), index),
            ("HGET", root_of(workflow), "started"),
        )
    replies = connection.execute(commands, keep_errors=True)
    wanted: set[str] = set()
    started_ms: dict[str, int] = {}
    for number, each in enumerate(tasks):
        text, pending, progress, started = replies[2 + 4 * number : 6 + 4 * number]
        is_due = may_begin(check_reply(text), each.since) and _runs(progress, each.task.attempt)
        if is_due and check_reply(pending) and isinstance(started, bytes):
            wanted.add(each.since)
            started_ms[each.task.workflow] = int(started)
    return Standing(parse_time_ms(replies[1]), wanted, started_ms)


def keep_delays(connection: Connection, consumer: ConsumerId, delays: Sequence[Wait]) -> bool:
    """Keep these waits, which nothing but the clock ends; False if somebody else has touched one."""
    standing = watch_started(connection, consumer, delays)
    kept = [
        command for wait in delays if wait.since in standing.wanted for command in add_wait_commands(wait)
    ]
    return connection.transact(kept + start_receipt_commands(consumer, delays, standing.now_ms)) is not None


def cancel_waits(
    connection: Connection, consumer: ConsumerId, cancels: Mapping[str, events.CancelTask]
) -> bool:
    """Forget the waits of attempts that are over, by the id of the cancel-task event; False if somebody else
    has touched one.

    A mark is left in place of each. The lifecycle gives the receipts.
    """
    names = [(each.workflow, each.index, each.attempt) for each in cancels.values()]
    found = watch_waits(connection, [" ".join(map(str, name)) for name in names])
    commands = remove_wait_commands([wait for wait in found if wait is not None])
    commands += [cancelled_mark_command(name, id) for id, name in zip(cancels, names, strict=True)]
    return connection.transact([*commands, acknowledge_command(consumer, list(cancels))]) is not None


def start_receipt_commands(
    consumer: ConsumerId, tasks: Sequence[Wait | LatchStep], now_ms: int
) -> list[Command]:
    """The commands that say that these start-tasks have been dealt with."""
    return receipt_commands(
        consumer, {each.since: "processed" for each in tasks}, events.timestamp(now_ms / 1000)
    )


def _runs(progress: Reply, attempt: int) -> bool:
    """Whether this attempt of a step runs, by what `keys.steps` says of it."""
    if not isinstance(progress, bytes):  # gone; or what the event names is no workflow: WRONGTYPE
        return False
    _, active, latest = map(int, progress.split()[:3])
    return active > 0 and latest == attempt
