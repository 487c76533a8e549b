"""What is deleted with a workflow: its own keys, its places in indexes, and the flows that only it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lfr.flow import Flow
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_texts import load_reference_names, release_commands
from lfr.store.workflows.items import (
    load_child_flow,
    load_item_counts,
    load_open_items,
    out_of_band_keys,
)
from lfr.store.workflows.record import Record
from lfr.store.workflows.search_indexes import unindex_commands


@dataclass(frozen=True, slots=True)
class OwnData:
    """What is deleted with a workflow: keys, and how often it and the children of its calls use each flow and
    each flow text, by their names in `flows:refs`."""

    keys: list[str] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)


def load_own_data(
    connection: Connection, id: str, flow: Flow, flows: FlowCache, data: OwnData | None = None
) -> OwnData:
    """Return what is to be deleted with a workflow that has ended, and with its open children; added to
    `data`. Some keys may not exist. Not those of attempts that run: waits, delayed starts, progress reports.
    (HMGET, HKEYS)"""
    data = data or OwnData()
    data.keys.extend((*keys.whole_data(id), *out_of_band_keys(id, flow)))
    if flow.part_end is None:
        data.uses.update(load_reference_names(connection, id))
    for index, items in load_item_counts(connection, id, flow.steps_with_children).items():
        data.keys.append(keys.items(id, index))
        for child in load_open_items(connection, id, index, items):
            child_flow = load_child_flow(connection, flows, flow, child)
            if child_flow is not None:
                load_own_data(connection, str(child), child_flow, flows, data)
    return data


def delete_workflow_commands(
    record: Record, own_keys: Sequence[str], references: Mapping[str, int], uses: Mapping[str, int]
) -> list[Command]:
    """Return the commands that delete a workflow, given with its name and labels, and flows and texts that no
    others use then.

    `own_keys` and `uses` are those of `load_own_data`. `references` says how many users these flows and texts
    have, this one included, as `watch_references` returns it. (DEL, ZREM, HINCRBY, HDEL)
    """
    commands: list[Command] = [("DEL", *own_keys, keys.begun_calls(record.id, record.run))]
    commands += unindex_commands(record.id, [record.state], record.name, record.labels)
    return commands + release_commands(references, uses)
