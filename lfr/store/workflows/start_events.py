"""Start-task events of attempts, now or later, with the deadlines of the attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lfr import events
from lfr.store import keys
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command
from lfr.values.json import Json, decode_json, decode_json_lines, encode_json, encode_json_lines


def start_task_commands(routes: Routes, fields: Mapping[str, Json], timeout: float | None) -> list[Command]:
    """Return the commands that append a start-task event with these fields and set the attempt's deadline,
    `timeout` seconds after `routes`; None: it has no deadline. (XADD, ZADD)"""
    commands = routes.start_task_commands(fields)
    if timeout is not None:
        names = [fields["name"], fields["base"]]
        member = deadline_member(timeout, names, *attempt_of(fields))
        commands.append(("ZADD", keys.DEADLINES, routes.now_ms + round(1000 * timeout), member))
    return commands


def attempt_of(fields: Mapping[str, Json]) -> events.AttemptId:
    """Return the attempt that the fields of a start-task event name."""
    return fields["workflow"], fields["index"], fields["attempt"], fields.get("run", "")


def deadline_member(
    timeout: float, names: list[str], workflow: str, index: int, attempt: int, run: str
) -> str:
    """Return the member of DEADLINES for an attempt. `names` are those of its task: as the flow has it,
    and the task behind it."""
    # JSON, because a name from a foreign archive may be any text.
    last = encode_json([*names, run] if run else names)
    return f"{workflow} {index} {attempt} {timeout:.10g} {last}"


def parse_deadline(member: str) -> tuple[dict[str, Json], str, str]:
    """Return the attempt of a deadline as an event's fields (workflow, name, index, attempt, run), its
    `base`, and its timeout in seconds as text."""
    workflow, index, attempt, timeout, names = member.split(" ", 4)
    name, base, *run = decode_json(names.encode())
    fields = {"workflow": workflow, "name": name, "index": int(index), "attempt": int(attempt)}
    return {**fields, **({"run": run[0]} if run else {})}, base, timeout


_NESTED_FIELDS: Final = ("input", "parameters")
"""The fields of a start-task event that may be nested to the limit: no JSON may stand around them."""


def delayed_start_commands(
    fields: Mapping[str, Json], delay: float, timeout: float | None, now_ms: int
) -> list[Command]:
    """Return the commands that store a start-task event until it is due, in `delay` seconds. (SET, ZADD)"""
    attempt = attempt_of(fields)
    due = ("ZADD", keys.DELAYED_STARTS, now_ms + round(1000 * delay), keys.attempt_member(*attempt))
    return [_store_start_command(fields, timeout), due]


def held_start_commands(fields: Mapping[str, Json], timeout: float | None, now_ms: int) -> list[Command]:
    """Return the commands that store a start-task event until no pause holds it back. (SET, ZADD)"""
    member = keys.attempt_member(*attempt_of(fields))
    return [_store_start_command(fields, timeout), ("ZADD", keys.HELD_STARTS, now_ms, member)]


def _store_start_command(fields: Mapping[str, Json], timeout: float | None) -> Command:
    flat = {name: value for name, value in fields.items() if name not in _NESTED_FIELDS}
    nested = (fields.get(name) for name in _NESTED_FIELDS)  # an input by pointer is in `flat`
    lines = encode_json_lines({"task": flat, "timeout": timeout}, *nested)
    return ("SET", keys.delayed_start(*attempt_of(fields)), lines)


def forget_start_commands(attempts: Sequence[events.AttemptId]) -> list[Command]:
    """Return the commands that delete what there is of starts that are delayed or held. (DEL, ZREM)"""
    if not attempts:
        return []
    members = [keys.attempt_member(*attempt) for attempt in attempts]
    return [
        ("DEL", *(keys.delayed_start(*attempt) for attempt in attempts)),
        ("ZREM", keys.DELAYED_STARTS, *members),
        ("ZREM", keys.HELD_STARTS, *members),
    ]


def parse_delayed_start(lines: bytes) -> tuple[dict[str, Json], float | None]:
    """Return the fields of a delayed start-task event, and the timeout of its attempt in seconds or None."""
    head, *nested = decode_json_lines(lines)
    fields = {**head["task"], **dict(zip(_NESTED_FIELDS, nested, strict=True))}
    if "input_from" in fields:
        del fields["input"]
    return fields, head["timeout"]
