"""A workflow taken away, with its flow if no other uses that."""

from __future__ import annotations

from collections.abc import Sequence

from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection


def watch_references(connection: Connection, digest: str) -> int:
    """Watch how many workflows use a flow; how many do. (WATCH, HGET)"""
    reply = connection.execute([("WATCH", keys.FLOW_REFERENCES), ("HGET", keys.FLOW_REFERENCES, digest)])
    return int(reply[1] or 0)


def delete_workflow_commands(
    id: str, state: WorkflowState, own: Sequence[str], digest: str, references: int
) -> list[Command]:
    """The commands that take a workflow away: its keys, its places in the indexes, and its use of the flow.

    (DEL, ZREM, HINCRBY, HDEL)
    """
    commands: list[Command] = [
        ("DEL", *own),
        ("ZREM", keys.ALL, id),
        ("ZREM", keys.state(state), id),
    ]
    if references > 1:
        return [*commands, ("HINCRBY", keys.FLOW_REFERENCES, digest, -1)]
    return [*commands, ("HDEL", keys.FLOW_REFERENCES, digest), ("DEL", keys.flow(digest))]
