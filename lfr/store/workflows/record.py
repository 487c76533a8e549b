"""A workflow's record, and the indexes by which workflows are listed.

The record is the hash `W`. Its fields:

    version  1, the layout of what is kept      state    one of WorkflowState
    flow     reference of the flow              started  milliseconds since the epoch, of Redis' clock
    name     the flow's name, or empty          ended    the same, once it has ended
    source   the text that it was compiled from reason   why it failed
    steps    how many steps its flow has        brief    the beginning of `reason`, which lists show
    counts   "active done skipped failed": how many invocations run, how many steps have ended how

The workflow of an item stands in no index: it is found by the step of its parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfr.engine import Progress
from lfr.flow import Flow
from lfr.item_ids import is_item
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.clock import TIME, parse_time_ms
from lfr.store.redis.connection import Command, Connection, Reply

LAYOUT_VERSION = 1

LONGEST_BRIEF = 300
"""Characters: a list must not carry reasons of any length."""

_FIELDS = ("flow", "state", "started", "counts", "name", "ended", "steps", "reason")
_LISTED = (*_FIELDS[:-1], "brief")


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a workflow as a whole. Times in milliseconds since the epoch; 0: not yet.

    `total` is how many steps its flow has, None if the record does not say it; `reason` may be cut, where
    the record was read for a list.
    """

    id: str
    digest: str
    state: WorkflowState
    started_ms: int
    active: int
    done: int
    skipped: int
    failed: int
    name: str
    ended_ms: int
    total: int | None
    reason: str

    def progress(self) -> Progress:
        """The counts and the state as a Progress of which no step has been loaded yet."""
        return Progress(
            state=self.state, active=self.active, done=self.done, skipped=self.skipped, failed=self.failed
        )


def record_command(workflow: str, *, to_advance: bool = False) -> Command:
    """The command whose reply `parse_record` takes; only what an advance needs, if asked so. (HMGET)"""
    return ("HMGET", workflow, *(_FIELDS[:4] if to_advance else _FIELDS))


def parse_record(workflow: str, reply: Reply) -> Record | None:
    """The record of a workflow, or None if there is no such workflow."""
    if not isinstance(reply, list) or reply[0] is None:
        return None  # an error: the key holds something else
    digest, state, started, counts = reply[:4]
    active, done, skipped, failed = map(int, counts.split())
    name, ended, total, reason = (value or b"" for value in reply[4:] or (None,) * 4)
    return Record(
        id=workflow,
        digest=digest.decode(),
        state=_STATES[state],
        started_ms=int(started),
        active=active,
        done=done,
        skipped=skipped,
        failed=failed,
        name=name.decode(),
        ended_ms=int(ended or 0),
        total=int(total) if total else None,
        reason=reason.decode(),
    )


_STATES = {state.encode(): state for state in WorkflowState}


def counts_fields(progress: Progress) -> tuple[str, str]:
    """The field of the record that holds the counts, and its value."""
    return "counts", f"{progress.active} {progress.done} {progress.skipped} {progress.failed}"


def create_record_commands(
    workflow: str, flow: Flow, source: str, progress: Progress, started_ms: int
) -> list[Command]:
    """The commands that make a workflow known: its record, and the indexes."""
    state = progress.state
    fields: list[str | int] = ["version", LAYOUT_VERSION, "flow", flow.reference, "name", flow.name]
    fields += ("steps", flow.size, *(("source", source) if source else ()))
    fields += ("state", state, "started", started_ms, *counts_fields(progress))
    known: Command = ("HSET", workflow, *fields)
    return [known] if is_item(workflow) else [known, *index_commands(workflow, state, started_ms)]


def index_commands(workflow: str, state: WorkflowState, started_ms: int) -> list[Command]:
    """The commands that put a workflow where lists look for it."""
    return [
        ("ZADD", keys.ALL, started_ms, workflow),
        ("ZADD", keys.state(state), started_ms, workflow),
    ]


def change_state_commands(
    workflow: str, was: WorkflowState, now: WorkflowState, started_ms: int
) -> list[Command]:
    """The commands that move a workflow from one state's index to another's."""
    if is_item(workflow):
        return []
    return [
        ("ZREM", keys.state(was), workflow),
        ("ZADD", keys.state(now), started_ms, workflow),
    ]


def reason_fields(reason: str) -> tuple[str, str, str, str]:
    """The fields of the record that hold why a workflow failed, and their values."""
    return "reason", reason, "brief", reason[:LONGEST_BRIEF]


def load_records(
    connection: Connection, workflows: Sequence[str], *, for_list: bool = False
) -> list[Record | None]:
    """The records of these workflows, in this order, in one round trip; with `for_list`, reasons are cut.
    (HMGET)"""
    fields = _LISTED if for_list else _FIELDS
    replies = connection.execute([("HMGET", workflow, *fields) for workflow in workflows], keep_errors=True)
    return [parse_record(workflow, reply) for workflow, reply in zip(workflows, replies, strict=True)]


def load_names(connection: Connection, workflows: Sequence[str]) -> list[str]:
    """The names of the flows of these workflows, in one round trip; empty of those that are gone. (HGET)"""
    names = connection.execute([("HGET", workflow, "name") for workflow in workflows], keep_errors=True)
    return [name.decode() if isinstance(name, bytes) else "" for name in names]


def load_source(connection: Connection, workflow: str) -> str:
    """The text that a workflow's flow was compiled from; empty if it is not known. (HGET)"""
    source = connection.execute([("HGET", workflow, "source")])[0]
    return "" if source is None else str(source.decode())


def load_page(
    connection: Connection, state: WorkflowState | None, after: tuple[int, str] | None, *, count: int
) -> list[tuple[int, str]]:
    """Starts (milliseconds since the epoch) and ids of workflows, newest first, behind the one `after`.

    Stays in place while new ones arrive. (ZREVRANK, or ZCOUNT if that one is gone; ZREVRANGE)
    """
    key = keys.ALL if state is None else keys.state(state)
    first = 0
    if after is not None:
        started_ms, id = after
        rank, newer = connection.execute([("ZREVRANK", key, id), ("ZCOUNT", key, f"({started_ms}", "+inf")])
        first = newer if rank is None else rank + 1
    flat = connection.execute([("ZREVRANGE", key, first, first + count - 1, "WITHSCORES")])[0]
    return [(int(float(score)), id.decode()) for id, score in zip(flat[::2], flat[1::2], strict=True)]


def count_states(connection: Connection) -> dict[WorkflowState, int]:
    """How many workflows are in each state. (ZCARD)"""
    counts = connection.execute([("ZCARD", keys.state(state)) for state in WorkflowState])
    return dict(zip(WorkflowState, counts, strict=True))


def count_all(connection: Connection) -> int:
    """How many workflows there are. (ZCARD)"""
    return int(connection.execute([("ZCARD", keys.ALL)])[0])


def watch_new(connection: Connection, workflow: str, digest: str) -> tuple[int, Record | None, bool]:
    """Watch what the beginning of a workflow depends on: its record, and the flow of this digest.

    Returns the time of Redis in milliseconds since the epoch, the record if the id is taken, and
    whether the flow is stored already. (WATCH, TIME, HMGET, EXISTS)
    """
    flow = keys.flow(digest)
    commands: list[Command] = [("WATCH", workflow, flow), TIME, record_command(workflow), ("EXISTS", flow)]
    _, time, reply, is_stored = connection.execute(commands, keep_errors=True)
    return parse_time_ms(time), parse_record(workflow, reply), bool(is_stored)
