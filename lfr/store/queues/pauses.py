"""Pauses in Redis: one hash for all of them, which everyone caches who routes events.

A pause and a resume change the version of the claims, which every transaction watches that starts steps. So
after a pause nothing starts any more, also at a process that has just decided to start it, and nobody reads
more for that: the pauses are read with the claims, and both only if the version has changed.

What is held back is stored as a delayed start is, and stands in HELD_STARTS. A resume moves all of that to
the delayed starts, in its own transaction; any lifecycle starts it then, or holds it again for another pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lfr.engine.pauses import Hold, Pause, Pauses, PauseScope
from lfr.item_ids import parse_item_id
from lfr.store import keys
from lfr.store.queues.claims import new_version_command
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import parse_pairs
from lfr.values.json import decode_json, encode_json

_NAMED: Final = (PauseScope.FLOW, PauseScope.TASK)


def parse_pauses(flat: Sequence[bytes]) -> Pauses:
    """Return the pauses of a reply to HGETALL PAUSES."""
    if not flat:
        return _NO_PAUSES
    pauses = [_parse_pause(name.decode(), value) for name, value in parse_pairs(flat).items()]
    by_scope: dict[PauseScope, dict[str, Pause]] = {scope: {} for scope in PauseScope}
    for pause in pauses:
        by_scope[pause.scope][pause.name] = pause
    return Pauses(
        by_scope[PauseScope.ALL].get(""),
        by_scope[PauseScope.FLOW],
        by_scope[PauseScope.TASK],
        by_scope[PauseScope.WORKFLOW],
    )


_NO_PAUSES: Final = Pauses()


def _parse_pause(field: str, value: bytes) -> Pause:
    word, _, name = field.partition(" ")
    data = decode_json(value)
    if word == PauseScope.ALL:
        scope = PauseScope.ALL
    elif word in _NAMED:
        scope = PauseScope(word)
    else:
        scope, name = PauseScope.WORKFLOW, field
    return Pause(scope, name, data["since"], data.get("deadlines") == "stop", data.get("by", ""))


def _field(scope: PauseScope, name: str) -> str:
    if scope is PauseScope.WORKFLOW:
        return name
    return f"{scope} {name}" if scope in _NAMED else scope.value


def read_pauses(connection: Connection) -> Pauses:
    """Return all pauses. (HGETALL)"""
    return parse_pauses(connection.call("HGETALL", keys.PAUSES))


def watch_pauses(connection: Connection) -> Pauses:
    """Watch PAUSES, and return all pauses. (WATCH, HGETALL)"""
    _, flat = connection.execute([("WATCH", keys.PAUSES), ("HGETALL", keys.PAUSES)])
    return parse_pauses(flat)


def pause_commands(pause: Pause) -> list[Command]:
    """Return the commands that put a pause into force. (HSET, SET)"""
    deadlines = {"deadlines": "stop"} if pause.stops_deadlines else {}
    actor = {"by": pause.actor} if pause.actor else {}
    value = encode_json({"since": pause.since_ms, **deadlines, **actor})
    return [("HSET", keys.PAUSES, _field(pause.scope, pause.name), value), new_version_command()]


def resume_commands(pause: Pause) -> list[Command]:
    """Return the commands that end a pause, and let start what it has held back. What another pause holds
    back as well is held again when it is to start. The weights let it start at once, also if the clock of
    Redis has gone back since it was held. (HDEL, SET, ZUNIONSTORE, DEL)"""
    return [
        ("HDEL", keys.PAUSES, _field(pause.scope, pause.name)),
        new_version_command(),
        ("ZUNIONSTORE", keys.DELAYED_STARTS, 2, keys.DELAYED_STARTS, keys.HELD_STARTS, "WEIGHTS", 1, 0),
        ("DEL", keys.HELD_STARTS),
    ]


def forget_commands(pauses: Pauses, workflow: str) -> list[Command]:
    """Return the commands that end the pause of a workflow that has finished or is deleted, if it has one:
    otherwise it would be one of a later workflow with this id. (HDEL, SET)"""
    if workflow not in pauses.workflows:
        return []
    return [("HDEL", keys.PAUSES, workflow), new_version_command()]


def load_holds(connection: Connection, pauses: Pauses, workflows: Iterable[str]) -> dict[str, Hold]:
    """Return what may hold back steps of these workflows, items among them, by id; without those that nothing
    holds. Asks Redis only if a flow is paused. (HGET)"""
    if not pauses:
        return {}
    names = load_flow_names(connection, pauses, workflows)
    holds = {id: pauses.hold_of(id, names.get(id, ())) for id in workflows}
    return {id: hold for id, hold in holds.items() if hold is not None}


def load_flow_names(
    connection: Connection, pauses: Pauses, workflows: Iterable[str]
) -> Mapping[str, list[str]]:
    """Return the names of the flows of these workflows by their id, of a child also those of its parents;
    nothing if no flow is paused: then nobody needs them. (HGET)"""
    if not pauses.flows:
        return {}
    lineages = {id: _lineage(id) for id in workflows}
    pipeline = Pipeline(connection)
    ids = sorted({each for lineage in lineages.values() for each in lineage})
    replies = {id: pipeline.add("HGET", id, "name") for id in ids}
    pipeline.send()
    names = {id: _decode(reply.value_or_none) for id, reply in replies.items()}
    return {id: [names[each] for each in lineage] for id, lineage in lineages.items()}


def _lineage(id: str) -> list[str]:
    """Return the ids of a workflow and of its parents."""
    lineage = [id]
    while (item := parse_item_id(lineage[-1])) is not None:
        lineage.append(item.parent)
    return lineage


def _decode(name: Reply) -> str:
    return name.decode() if isinstance(name, bytes) else ""
