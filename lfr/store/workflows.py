"""A workflow's record, and the indexes by which workflows are listed.

The record is the hash `W`. Its fields:

    version  1, the layout of what is kept      state    one of WorkflowState
    flow     digest of the flow                 started  milliseconds since the epoch, of Redis' clock
    name     the flow's name, or empty          ended    the same, once it has ended
    source   the text that it was compiled from reason   why it failed
    active, done, skipped, failed               how many invocations run, how many steps ended how
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfr.engine import Progress
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.connection import Command, Link, Reply

LAYOUT_VERSION = 1

_FIELDS = ("flow", "name", "state", "started", "ended", "reason", "active", "done", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a workflow as a whole. Times in milliseconds since the epoch; 0: not yet."""

    id: str
    digest: str
    name: str
    state: WorkflowState
    started_ms: int
    ended_ms: int
    reason: str
    active: int
    done: int
    skipped: int
    failed: int

    def progress(self, *, is_whole: bool = False) -> Progress:
        """The counts and the state as a Progress of which no step has been loaded yet."""
        return Progress(
            state=self.state,
            is_whole=is_whole,
            active=self.active,
            done=self.done,
            skipped=self.skipped,
            failed=self.failed,
        )


def read_record(workflow: str) -> Command:
    """The command whose reply `record` takes. (HMGET)"""
    return ("HMGET", workflow, *_FIELDS)


def record(workflow: str, reply: Reply) -> Record | None:
    """The record of a workflow, or None if there is no such workflow."""
    if not isinstance(reply, list) or reply[0] is None:
        return None  # an error: the key holds something else
    digest, name, state, started, ended, reason, *counts = (value or b"" for value in reply)
    active, done, skipped, failed = (int(count or 0) for count in counts)
    return Record(
        id=workflow,
        digest=digest.decode(),
        name=name.decode(),
        state=WorkflowState(state.decode()),
        started_ms=int(started or 0),
        ended_ms=int(ended or 0),
        reason=reason.decode(),
        active=active,
        done=done,
        skipped=skipped,
        failed=failed,
    )


def create_record(workflow: str, flow: Flow, source: str, started_ms: int) -> list[Command]:
    """The commands that make a workflow known: its record without counts, and the indexes."""
    fields = ("version", LAYOUT_VERSION, "flow", flow.digest, "name", flow.name, "source", source)
    return [
        ("HSET", workflow, *fields, "state", WorkflowState.RUNNING, "started", started_ms),
        ("ZADD", keys.ALL, started_ms, workflow),
        ("ZADD", keys.state(WorkflowState.RUNNING), started_ms, workflow),
    ]


def change_state(workflow: str, was: WorkflowState, now: WorkflowState, started_ms: int) -> list[Command]:
    """The commands that move a workflow from one state's index to another's."""
    return [
        ("ZREM", keys.state(was), workflow),
        ("ZADD", keys.state(now), started_ms, workflow),
    ]


def read_records(link: Link, workflows: Sequence[str]) -> list[Record | None]:
    """The records of these workflows, in this order, in one round trip."""
    replies = link.exchange([read_record(workflow) for workflow in workflows], keep_errors=True)
    return [record(workflow, reply) for workflow, reply in zip(workflows, replies, strict=True)]


def newest(link: Link, state: WorkflowState | None, *, skip: int, count: int) -> list[str]:
    """Ids of workflows, newest first, of one state or of all. (ZREVRANGE: O(log n + skip + count))"""
    key = keys.ALL if state is None else keys.state(state)
    ids = link.exchange([("ZREVRANGE", key, skip, skip + count - 1)])[0]
    return [id.decode() for id in ids]


def watch_record(link: Link, workflow: str) -> tuple[int, Record | None]:
    """Watch and read one record: the time of Redis in milliseconds since the epoch, and what is there.

    (WATCH, TIME, HMGET)
    """
    _, (seconds, microseconds), reply = link.exchange(
        [("WATCH", workflow), ("TIME",), read_record(workflow)], keep_errors=True
    )
    return int(seconds) * 1000 + int(microseconds) // 1000, record(workflow, reply)
