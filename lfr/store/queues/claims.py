"""Claims: which group of workers does which tasks.

A group claims the names of its tasks, or a prefix such as `request:*`, when one of its processes starts. From
then on start-tasks of these names go to the queue of the group. Everyone who routes events watches the
version of the claims, so each task is in one place only.

A group is alive while one of its processes sends heartbeats that name the claim. Nobody takes a claim from a
group that is alive. A claim of a group that has not been alive for `tasks.forget` seconds lapses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from lfr.errors import Conflict
from lfr.store import keys
from lfr.store.processes import Heartbeat, read_heartbeats
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.stream.entries import flatten_pairs, parse_pairs

_ANY = "*"
"""Ends a claim that is a prefix. No name of a task has it."""


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims at one time.

    version  changes whenever the claims change
    groups   the name of a task, or a prefix with `*` -> the group
    """

    version: bytes | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    _prefixes: tuple[str, ...] = ()

    def group_of(self, base: str) -> str | None:
        """Return the group that has claimed the task `base`, or None."""
        group = self.groups.get(base)
        if group is None:
            for prefix in self._prefixes:
                if base.startswith(prefix):
                    return self.groups[prefix + _ANY]
        return group


def covers(claim: str, base: str) -> bool:
    """Return whether a claim is one for the task `base`."""
    return base.startswith(claim[:-1]) if claim.endswith(_ANY) else base == claim


def read_claims(connection: Connection) -> Claims:
    """Return all claims. (GET, HGETALL)"""
    version, flat = connection.execute([("GET", keys.CLAIMS_VERSION), ("HGETALL", keys.CLAIMS)])
    return parse_claims(version, flat)


def parse_claims(version: bytes | None, flat: Sequence[bytes]) -> Claims:
    """Return the claims of replies to GET CLAIMS_VERSION and HGETALL CLAIMS."""
    groups = {claim.decode(): group.decode() for claim, group in parse_pairs(flat).items()}
    prefixes = tuple(claim[:-1] for claim in groups if claim.endswith(_ANY))
    return Claims(version, groups, prefixes)


class ClaimConflict(Conflict):
    """Another group that is alive has claimed a task.

    heartbeat  the latest one of a process of that group
    """

    def __init__(self, claim: str, group: str, heartbeat: Heartbeat) -> None:
        process = heartbeat.process
        super().__init__(
            f"the group {group} does {claim} already: {process.name} on {process.host}, pid {process.pid}",
            hint="stop it, or start this worker with the same --group, to share the work",
        )
        self.heartbeat = heartbeat


def claim(
    connection: Connection, group: str, claims: Iterable[str], heartbeat: Sequence[Command] = ()
) -> Claims:
    """Claim these tasks for a group, and release claims of the group that no process of it makes any more.
    Return all claims as they are then.

    `heartbeat` are commands that tell others that this process is alive: they go into the same transaction.
    Tasks that are to be moved are not moved here, see `move`. Raises ClaimConflict. (WATCH, HGETALL; HSET,
    HDEL, SET)
    """
    requested = list(claims)

    def attempt() -> tuple[list[Command], bool]:
        before = _watch_claims(connection)
        living = _find_living(read_heartbeats(connection))
        added = [name for name in requested if before.groups.get(name) != group]
        losers = {before.groups[name] for name in added if name in before.groups}
        for name in added:
            owner = before.groups.get(name, "")
            if (owner, name) in living:
                raise ClaimConflict(name, owner, living[owner, name])
        released = [
            name
            for name, owner in before.groups.items()
            if owner == group and name not in requested and (owner, name) not in living
        ]
        commands = list(heartbeat)
        if added:
            commands.append(("HSET", keys.CLAIMS, *flatten_pairs((name, group) for name in added)))
        if released:
            commands.append(("HDEL", keys.CLAIMS, *released))
            losers.add(group)
        if losers:
            commands.append(("SADD", keys.UNSORTED, *sorted(losers)))
        if added or released:
            commands.append(new_version_command())
        return commands, bool(added or released)

    retry_until_committed(connection, attempt)
    return read_claims(connection)


def release_lapsed(connection: Connection) -> list[str]:
    """Release the claims of groups that have not been alive for `tasks.forget` seconds. Return these groups.
    (WATCH, HGETALL; EXISTS; HDEL, SADD, SET)"""

    def attempt() -> tuple[list[Command] | None, list[str]]:
        groups = _watch_claims(connection).groups
        names = sorted(set(groups.values()))
        lives = connection.execute([("EXISTS", keys.group_life(name)) for name in names])
        lapsed = [name for name, is_alive in zip(names, lives, strict=True) if not is_alive]
        if not lapsed:
            return None, []
        released = [name for name, group in groups.items() if group in lapsed]
        commands: list[Command] = [("HDEL", keys.CLAIMS, *released), ("SADD", keys.UNSORTED, *lapsed)]
        return [*commands, new_version_command()], lapsed

    return retry_until_committed(connection, attempt)


def _find_living(heartbeats: Iterable[Heartbeat]) -> dict[tuple[str, str], Heartbeat]:
    """Return the claims that living processes make: (group, claim) -> the heartbeat of one."""
    return {
        (group, name): heartbeat
        for heartbeat in heartbeats
        for group, names in (heartbeat.process.claims or {}).items()
        for name in names
    }


def new_version_command() -> Command:
    """Return the command that changes the version of the claims to one that never was. (SET)"""
    return ("SET", keys.CLAIMS_VERSION, uuid4().hex)


def _watch_claims(connection: Connection) -> Claims:
    replies: list[Reply] = connection.execute(
        [("WATCH", keys.CLAIMS_VERSION), ("GET", keys.CLAIMS_VERSION), ("HGETALL", keys.CLAIMS)]
    )
    return parse_claims(replies[1], replies[2])
