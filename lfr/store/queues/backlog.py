"""Reads what waits: the entries of each stream, what each group has to do, tasks that nobody has claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfr.store import keys
from lfr.store.redis.connection import Connection, Reply
from lfr.store.redis.pipeline import Pipeline, ReplyHandle
from lfr.store.stream.entries import Entry, parse_entries
from lfr.store.stream.groups import MAX_COUNTED_LAG, Group, parse_groups
from lfr.values.stream_id import StreamId


@dataclass(frozen=True, slots=True)
class WaitingTasks:
    """The running attempts of a task that nobody has claimed.

    count      how many there are
    oldest_ms  when the first of them started, in milliseconds since the epoch
    """

    base: str
    count: int
    oldest_ms: int


def read_unclaimed(connection: Connection) -> list[WaitingTasks]:
    """Return the tasks that nobody has claimed and that wait, the one that waits longest first. (SMEMBERS;
    ZCARD, ZRANGE)"""
    pipeline = Pipeline(connection)
    replies = {
        name.decode(): (
            pipeline.add("ZCARD", keys.unclaimed(name.decode())),
            pipeline.add("ZRANGE", keys.unclaimed(name.decode()), 0, 0, "WITHSCORES"),
        )
        for name in connection.call("SMEMBERS", keys.UNCLAIMED)
    }
    pipeline.send()
    waiting = [
        WaitingTasks(base, count.value, int(float(oldest.value[1])))
        for base, (count, oldest) in replies.items()
        if count.value and oldest.value
    ]
    return sorted(waiting, key=lambda tasks: (tasks.oldest_ms, tasks.base))


def count_waiting(
    connection: Connection, groups: Sequence[str], bases: Sequence[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many entries the queues of these groups have, and how many attempts of these unclaimed tasks
    wait, both by name, in one round trip. (XLEN, ZCARD)"""
    pipeline = Pipeline(connection)
    lengths = {group: pipeline.add("XLEN", keys.queue(group)) for group in groups}
    counts = {base: pipeline.add("ZCARD", keys.unclaimed(base)) for base in bases}
    pipeline.send()
    return (
        {group: length.value_or_none or 0 for group, length in lengths.items()},
        {base: count.value_or_none or 0 for base, count in counts.items()},
    )


@dataclass(frozen=True, slots=True)
class GroupState:
    """What a group has to do on one stream.

    consumers   how many it has
    lag         how many entries it has not read
    pending     how many entries its consumers have read and not acknowledged
    unread_ms   when the oldest entry came that it has not read, as `Workforce.now_ms`; None: it has read all
    """

    name: str
    consumers: int
    lag: int
    pending: int
    unread_ms: int | None


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream: its key, how many entries it has, when the oldest came (as `Workforce.now_ms`; None: there is
    none), and its groups."""

    key: str
    length: int
    oldest_ms: int | None
    groups: Sequence[GroupState]


def read_streams(connection: Connection, streams: Sequence[str]) -> list[StreamState]:
    """Return the state of these streams, in two or three round trips; one that does not exist is empty.

    Where Redis does not report a lag, the unread entries are counted: on the bus up to MAX_COUNTED_LAG; a
    stream of one group has no other entries than those that are pending or unread. (XLEN, XRANGE, XINFO)
    """
    pipeline = Pipeline(connection)
    lengths = [pipeline.add("XLEN", stream) for stream in streams]
    oldest = [pipeline.add("XRANGE", stream, "-", "+", "COUNT", 1) for stream in streams]
    groups = [pipeline.add("XINFO", "GROUPS", stream) for stream in streams]
    pipeline.send()
    parsed = [parse_groups(reply.value_or_none or ()) for reply in groups]
    unread = {
        (stream, group.raw_name): pipeline.add("XRANGE", stream, _after(group), "+", "COUNT", 1)
        for stream, stream_groups in zip(streams, parsed, strict=True)
        for group in stream_groups
    }
    counted = {
        (stream, group.raw_name): pipeline.add("XRANGE", stream, _after(group), "+", "COUNT", MAX_COUNTED_LAG)
        for stream, stream_groups in zip(streams, parsed, strict=True)
        for group in stream_groups
        if group.lag is None and not keys.has_one_group(stream)
    }
    pipeline.send()
    return [
        StreamState(
            key=stream,
            length=length.value_or_none or 0,
            oldest_ms=_entry_ms(first),
            groups=[
                _group_state(
                    group,
                    unread[stream, group.raw_name],
                    counted.get((stream, group.raw_name)),
                    length.value_or_none or 0,
                )
                for group in stream_groups
            ],
        )
        for stream, length, first, stream_groups in zip(streams, lengths, oldest, parsed, strict=True)
    ]


def _after(group: Group) -> str:
    return f"({group.last_delivered}"


def _group_state(
    group: Group, unread: ReplyHandle, counted: ReplyHandle | None, stream_length: int
) -> GroupState:
    unread_ms = _entry_ms(unread)
    if group.lag is not None:
        lag = group.lag
    elif counted is not None:
        lag = len(counted.value_or_none or ())
    else:
        lag = 0 if unread_ms is None else max(1, stream_length - group.pending)
    return GroupState(group.name, group.consumers, lag, group.pending, unread_ms)


def _entry_ms(entries: ReplyHandle) -> int | None:
    """Return the time in the id of the first entry of a reply to XRANGE, or None if there is none."""
    reply: Reply = entries.value_or_none
    return StreamId.parse(reply[0][0].decode()).ms if reply else None


def read_queue(connection: Connection, group: str, *, count: int) -> list[tuple[Entry, bool]] | None:
    """Return up to `count` entries of the queue of a group, oldest first, each with whether a worker has read
    it; None if the group has no queue. (EXISTS, XRANGE, XINFO)"""
    queue = keys.queue(group)
    pipeline = Pipeline(connection)
    exists = pipeline.add("EXISTS", queue)
    entries = pipeline.add("XRANGE", queue, "-", "+", "COUNT", count)
    groups = pipeline.add("XINFO", "GROUPS", queue)
    pipeline.send()
    if not exists.value:
        return None
    delivered = max((each.last_delivered for each in parse_groups(groups.value_or_none or ())), default=None)
    return [
        (entry, delivered is not None and StreamId.parse(entry.id) <= delivered)
        for entry in parse_entries(entries.value, queue)
    ]
