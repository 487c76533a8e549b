"""The stored flows: by its name, each has numbered versions, which never change.

`flows:names` has the greatest number that each name has had, `flows:versions:NAME` its versions. A version is
a JSON object: digest (of the flow), source or text (as in a record: the flow text or its digest), applied
(milliseconds since the epoch), steps (how many), doc. It uses its flow and its text as a workflow does, so
both stay as long as the version is stored or a workflow of it exists.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lfr.flow import Flow
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import parse_pairs
from lfr.store.workflows.flow_texts import load_references, record_fields, release_commands, use_flow_commands


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """A version of a stored flow.

    number      counted from 1 for each name; a number is never used again
    digest      of the flow
    source      the flow text, if it is short
    text        the digest of a longer flow text, or empty
    applied_ms  when it was stored, in milliseconds since the epoch
    steps       how many steps the flow has
    doc         the documentation of `@flow`
    """

    name: str
    number: int
    digest: str
    source: str
    text: str
    applied_ms: int
    steps: int
    doc: str

    @property
    def reference_names(self) -> list[str]:
        """The names of its flow and, if that stands by itself, its text in `flows:refs`."""
        return [self.digest, *([keys.flow_text_name(self.text)] if self.text else [])]


@dataclass(frozen=True, slots=True)
class StoredFlows:
    """Stored flows as `watch_stored_flows` and `load_stored_flows` read them.

    numbers   the greatest number that each name has had, removed flows included
    versions  by name: the versions that are stored, the oldest first; no name without versions
    others    the names of the other flows that are stored, sorted, if they were asked for
    """

    numbers: Mapping[str, int]
    versions: Mapping[str, Sequence[FlowVersion]]
    others: Sequence[str] = ()


def _load_numbers(connection: Connection) -> dict[str, int]:
    """Return the names that stored flows have or had, each with its greatest number. (HGETALL)"""
    pairs = parse_pairs(connection.call("HGETALL", keys.FLOW_NAMES))
    return {name.decode(): int(number) for name, number in pairs.items()}


def load_stored_flows(connection: Connection, names: Iterable[str] | None = None) -> StoredFlows:
    """Return the stored flows with these names; None: all. (HGETALL)"""
    numbers = _load_numbers(connection)
    chosen = sorted(numbers if names is None else numbers.keys() & set(names))
    replies = connection.execute([("HGETALL", keys.flow_versions(name)) for name in chosen])
    versions = {
        name: _parse_versions(name, reply) for name, reply in zip(chosen, replies, strict=True) if reply
    }
    return StoredFlows(numbers, versions)


def load_latest_versions(
    connection: Connection, *, prefix: str, after: str, count: int
) -> list[tuple[FlowVersion, int]]:
    """Return the latest versions of up to `count` stored flows by name, those that begin with `prefix` and
    come behind `after`, each with how many versions there are. (HGETALL, HGET, HLEN)"""
    numbers = _load_numbers(connection)
    names = sorted(name for name in numbers if name.startswith(prefix) and name > after)
    latest: list[tuple[FlowVersion, int]] = []
    while names and len(latest) < count:
        page, names = names[: count - len(latest)], names[count - len(latest) :]
        pipeline = Pipeline(connection)
        replies = [
            (
                name,
                pipeline.add("HGET", keys.flow_versions(name), numbers[name]),
                pipeline.add("HLEN", keys.flow_versions(name)),
            )
            for name in page
        ]
        pipeline.send()
        latest += [
            (_parse_version(name, numbers[name], data.value), versions.value)
            for name, data, versions in replies
            if data.value is not None  # else the flow is removed
        ]
    return latest


def watch_stored_flows(connection: Connection, names: Iterable[str] | None = None) -> StoredFlows:
    """Return the stored flows with these names, None: all, and the names of the others; watch that no stored
    flow changes. (WATCH, HGETALL, EXISTS)"""
    connection.execute([("WATCH", keys.FLOW_NAMES)])
    stored = load_stored_flows(connection, names)
    return replace(stored, others=_select_stored(connection, stored.numbers.keys() - stored.versions.keys()))


def load_stored_names(connection: Connection) -> list[str]:
    """Return the names of all stored flows, sorted. (HGETALL, EXISTS)"""
    return _select_stored(connection, _load_numbers(connection))


def _select_stored(connection: Connection, names: Iterable[str]) -> list[str]:
    """Return those of these names that have a version, sorted: the others are of removed flows."""
    chosen = sorted(names)
    replies = connection.execute([("EXISTS", keys.flow_versions(name)) for name in chosen])
    return [name for name, exists in zip(chosen, replies, strict=True) if exists]


def load_version(connection: Connection, name: str, number: int | None) -> FlowVersion | None:
    """Return a version of a stored flow; `number` None: the latest one. None if it is not stored. (HGET)"""
    if number is None:
        latest = connection.call("HGET", keys.FLOW_NAMES, name)
        if latest is None:
            return None
        number = int(latest)
    data = connection.call("HGET", keys.flow_versions(name), number)
    return None if data is None else _parse_version(name, number, data)


def load_flow_and_text(connection: Connection, version: FlowVersion) -> tuple[bytes | None, str]:
    """Return the canonical JSON of a version's flow, None if it is not stored, and its flow text. (GET)"""
    return connection.call("GET", keys.flow(version.digest)), load_text_of(connection, version)


def load_text_of(connection: Connection, version: FlowVersion) -> str:
    """Return the flow text of a version; empty if it has just been removed. (GET)"""
    if not version.text:
        return version.source
    text = connection.call("GET", keys.flow(keys.flow_text_name(version.text)))
    return "" if text is None else str(text.decode())


def store_version_commands(flow: Flow, text: str, number: int, now_ms: int) -> list[Command]:
    """Return the commands that store a new version of the flow with its name. (SET, HINCRBY, HSET)"""
    field, value = record_fields(text)
    data = {
        "digest": flow.digest,
        field: value,
        "applied": now_ms,
        "steps": flow.size,
        **({"doc": flow.doc} if flow.doc else {}),
    }
    return [
        *use_flow_commands(flow, text, is_stored=False),
        ("HSET", keys.flow_versions(flow.name), number, json.dumps(data)),
        ("HSET", keys.FLOW_NAMES, flow.name, number),
    ]


def watch_users(connection: Connection, versions: Iterable[FlowVersion]) -> dict[str, int]:
    """Watch who uses the flows and the texts of these versions, one at least, and return how many users each
    has, by its name in `flows:refs`. (WATCH, HMGET)"""
    connection.execute([("WATCH", keys.FLOW_REFERENCES)])
    return load_references(connection, list(_count_uses(versions)))


def remove_commands(stored: StoredFlows, names: Sequence[str], users: Mapping[str, int]) -> list[Command]:
    """Return the commands that remove stored flows with these names, one at least: all of their versions.

    Their greatest number stays. `users` is what `watch_users` has returned for these versions. (DEL, HSET,
    HINCRBY, HDEL)
    """
    commands: list[Command] = [("DEL", *map(keys.flow_versions, names))]
    commands += [("HSET", keys.FLOW_NAMES, name, stored.numbers[name]) for name in names]
    uses = _count_uses(version for name in names for version in stored.versions[name])
    return commands + release_commands(users, uses)


def _count_uses(versions: Iterable[FlowVersion]) -> Counter[str]:
    return Counter(name for version in versions for name in version.reference_names)


def _parse_versions(name: str, reply: Any) -> list[FlowVersion]:
    versions = [_parse_version(name, int(number), data) for number, data in parse_pairs(reply).items()]
    return sorted(versions, key=lambda version: version.number)


def _parse_version(name: str, number: int, data: bytes) -> FlowVersion:
    fields = json.loads(data)
    return FlowVersion(
        name,
        number,
        digest=fields["digest"],
        source=fields.get("source", ""),
        text=fields.get("text", ""),
        applied_ms=fields["applied"],
        steps=fields["steps"],
        doc=fields.get("doc", ""),
    )
