"""The items of an iterated step: what is still to do, what is done, and how one is begun and taken in.

Everything here is read under the watch of the parent, and written in one transaction with its record.
An item that has ended well is gone from Redis: its output stands with the parent, and the parent's
history tells when it ran. One that failed stays, for a restart goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lfr.engine import begin
from lfr.flow import Flow
from lfr.item_ids import ItemId
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.workflows.commit import create_workflow_commands
from lfr.store.workflows.record import parse_record, record_command
from lfr.values.json import Json, decode_json, encode_json


@dataclass(slots=True)
class Items:
    """How far the items of a step have come.

    total  how many there are; `begun` and `done` of them, the latter with success
    round  see ItemId
    """

    total: int
    begun: int
    done: int
    round: int


@dataclass(frozen=True, slots=True)
class EndedItem:
    """An item that has ended: with this output, as JSON, or failed for this reason."""

    id: ItemId
    output: bytes = b""
    failure: str | None = None


def load_items(connection: Connection, workflow: str, indices: Sequence[int]) -> dict[int, Items]:
    """How far the items of these steps have come, of those steps that have any. (HMGET)"""
    asked = [("HMGET", keys.items(workflow, index), "total", "begun", "done", "round") for index in indices]
    found = zip(indices, connection.execute(asked), strict=True)
    return {index: Items(*map(int, values)) for index, values in found if values[0] is not None}


def load_ended(connection: Connection, ids: Iterable[ItemId], last: Mapping[int, int]) -> list[EndedItem]:
    """Those of these items that have ended, each once. (HMGET, HGET)

    `last` is, by the iterated step, the index of the step whose output is the item's.
    """
    wanted = list(dict.fromkeys(ids))
    commands: list[Command] = [record_command(str(id)) for id in wanted]
    commands += [("HGET", keys.outputs(str(id)), last[id.index]) for id in wanted]
    replies = connection.execute(commands, keep_errors=True)
    ended: list[EndedItem] = []
    for id, reply, output in zip(wanted, replies, replies[len(wanted) :], strict=False):
        found = parse_record(str(id), reply)
        if found is not None and found.state is WorkflowState.FINISHED:
            ended.append(EndedItem(id, output or b"{}"))
        elif found is not None and found.state is WorkflowState.FAILED:
            ended.append(EndedItem(id, failure=found.reason))
    return ended


class Missing(Exception):
    """What must be there of the items of a step is not there: somebody has gone on with them meanwhile."""


def load_values(connection: Connection, workflow: str, index: int, numbers: Sequence[int]) -> list[Json]:
    """The items of these numbers, which have not begun. (HMGET) Raises Missing."""
    if not numbers:
        return []
    key = keys.items(workflow, index)
    values = connection.execute([("HMGET", key, *(f"i{number}" for number in numbers))])[0]
    if None in values:
        raise Missing(f"items of step {index} of {workflow}")
    return [decode_json(value) for value in values]


def load_outputs(
    connection: Connection, workflow: str, index: int, total: int, known: Mapping[int, bytes]
) -> list[bytes]:
    """The outputs of all items as JSON, in their order; `known` are those of the latest. (HMGET) Raises
    Missing."""
    values: list[Reply] = connection.execute(
        [("HMGET", keys.items(workflow, index), *(f"o{number}" for number in range(total)))]
    )[0]
    outputs = [known.get(number, value) for number, value in enumerate(values)]
    if None in outputs:
        raise Missing(f"outputs of step {index} of {workflow}")
    return outputs


def load_open(connection: Connection, workflow: str, index: int, items: Items) -> list[ItemId]:
    """The items that have begun and are not done. (HKEYS)"""
    fields = set(connection.execute([("HKEYS", keys.items(workflow, index))])[0])
    numbers = (number for number in range(items.begun) if b"o%d" % number not in fields)
    return [ItemId(workflow, index, number, items.round) for number in numbers]


def lay_out_commands(workflow: str, index: int, values: Sequence[Json]) -> list[Command]:
    """The commands that keep the items of a step until they begin. (HSET)"""
    fields: list[str | int] = []
    for number, value in enumerate(values):
        fields += (f"i{number}", encode_json(value))
    return [("HSET", keys.items(workflow, index), *fields)] if fields else []


def write_items_command(workflow: str, index: int, items: Items) -> Command:
    """The command that keeps how far the items of a step have come. (HSET)"""
    told = ("total", items.total, "begun", items.begun, "done", items.done, "round", items.round)
    return ("HSET", keys.items(workflow, index), *told)


def begin_items_commands(
    stream: str, part: Flow, ids: Sequence[ItemId], values: Sequence[Json], now_ms: int
) -> list[Command]:
    """The commands that begin a workflow for each of these items."""
    commands: list[Command] = []
    for id, value in zip(ids, values, strict=True):
        commands += create_workflow_commands(stream, str(id), part, "", begin(part, value), now_ms)
    if ids:
        taken = (f"i{id.number}" for id in ids)
        commands.append(("HDEL", keys.items(ids[0].parent, ids[0].index), *taken))
    return commands


def complete_item_commands(item: EndedItem) -> list[Command]:
    """The commands that move the output of an item that is done to its parent, and drop the item."""
    id = str(item.id)
    return [
        ("HSET", keys.items(item.id.parent, item.id.index), f"o{item.id.number}", item.output.decode()),
        ("DEL", id, keys.steps(id), keys.outputs(id), keys.history(id), keys.latched(id)),
    ]


def drop_items_command(workflow: str, index: int) -> Command:
    """The command that forgets the items of a step that has ended. (DEL)"""
    return ("DEL", keys.items(workflow, index))
