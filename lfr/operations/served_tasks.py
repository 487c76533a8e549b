"""Finds the tasks of a flow that nobody does: no role, no worker, no simulation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lfr.store.processes import Process, read_heartbeats
from lfr.store.redis.connection import Store
from lfr.store.stream.groups import read_groups
from lfr.tasks.catalogue import find_built_in
from lfr.values.checks import suggestion

_TASKS_ROLE: Final = "tasks"
_SIMULATE_ROLE: Final = "simulate"
_ALL_ROLE: Final = "worker"
"""The role that does all built-in tasks."""

_OWN_GROUPS: Final = frozenset(
    {"lifecycle", "wait", "starting", "request", "redis", "resource", "__receipt__"}
)


@dataclass(frozen=True, slots=True)
class UnservedTask:
    """A task that nobody does: why a workflow would wait at it, and what to do, which may be empty."""

    message: str
    hint: str


def find_unserved_tasks(store: Store, names: Iterable[str]) -> dict[str, UnservedTask]:
    """Return which of these tasks nobody does now, by name; for an alias, name the task behind it.

    Processes tell by their heartbeats which tasks they do. A worker of an earlier version, and a foreign
    worker, which is a group on the stream and sends none, may do any task: then only built-in tasks are
    reported.
    """
    with store.connect() as connection:
        processes = [heartbeat.process for heartbeat in read_heartbeats(connection)]
        groups = read_groups(connection, store.stream)
    roles = {process.role for process in processes}
    claims = set(_claims(processes))
    native_groups = {group for process in processes for group in process.claims or ()}
    foreign = [
        group.name for group in groups if group.consumers and group.name not in _OWN_GROUPS | native_groups
    ]
    does_any = _SIMULATE_ROLE in roles or bool(foreign)
    does_any = does_any or any(each.role == _TASKS_ROLE and each.claims is None for each in processes)
    unserved: dict[str, UnservedTask] = {}
    for name in dict.fromkeys(names):
        built_in = find_built_in(name)
        if built_in is not None:
            if not roles & {built_in.role, _ALL_ROLE}:
                hint = f"lfr {built_in.role}, or lfr {_ALL_ROLE}"
                unserved[name] = UnservedTask(f"no role {built_in.role} runs, which does {name}", hint)
        elif not does_any and not any(_covers(claim, name) for claim in claims):
            unserved[name] = UnservedTask(f"no worker runs that does the task {name}", _hint(name, claims))
    return unserved


def _claims(processes: Sequence[Process]) -> Iterator[str]:
    for process in processes:
        claims: Mapping[str, Sequence[str]] = process.claims or {}
        for names in claims.values():
            yield from names


def _covers(claim: str, name: str) -> bool:
    """Return whether a claim, a name or a prefix such as `img:*`, is one for the task of this name."""
    return name.startswith(claim[:-1]) if claim.endswith("*") else name == claim


def _hint(name: str, claims: Iterable[str]) -> str:
    names = sorted(claim for claim in claims if not claim.endswith("*"))
    return suggestion(name, names) or "lfr tasks FILE.py runs a worker"
