"""Flows and flow texts, stored once for all workflows that use them, and how many do; a short text stands in
the record instead.

A record has the field `source`, the text itself; or `text`, the digest of the text; or neither, without a
text. `flows:refs` counts the workflows that have a text as it counts those that use a flow: the last of them
to be deleted takes the text with it. A version of a stored flow counts as a workflow does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from lfr.flow import Flow
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection

_MAX_BYTES_IN_RECORD: Final = 64
"""Redis keeps a hash in its compact form as long as no value is longer than this."""

_DIGEST_LENGTH: Final = 32
"""In hexadecimal digits: 128 bits, so two texts that anybody writes have two digests."""


def record_fields(text: str) -> tuple[str, ...]:
    """Return the fields of a record that hold a flow text or name it, with their values in turn."""
    if not text:
        return ()
    digest = _digest(text)
    return ("source", text) if digest is None else ("text", digest)


def use_text_commands(text: str) -> list[Command]:
    """Return the commands that count one more workflow that has a flow text, and store the text; none for a
    text that stands in the record. (HINCRBY, SET NX)"""
    digest = _digest(text)
    if digest is None:
        return []
    name = keys.flow_text_name(digest)
    return [("HINCRBY", keys.FLOW_REFERENCES, name, 1), ("SET", keys.flow(name), text, "NX")]


def use_flow_commands(flow: Flow, text: str, *, is_stored: bool) -> list[Command]:
    """Return the commands that count one more workflow with this flow and text, and store both; the flow only
    if it is not `is_stored`. (SET, HINCRBY)"""
    use: list[Command] = [("HINCRBY", keys.FLOW_REFERENCES, flow.digest, 1), *use_text_commands(text)]
    return use if is_stored else [("SET", keys.flow(flow.digest), flow.canonical_json), *use]


def load_text(connection: Connection, workflow: str) -> str:
    """Return the flow text of a workflow; empty if it has none. (HMGET, GET)"""
    source, digest = connection.call("HMGET", workflow, "source", "text")
    if digest is not None:
        source = connection.call("GET", keys.flow(keys.flow_text_name(digest.decode())))
    return "" if source is None else str(source.decode())


def load_reference_names(connection: Connection, workflow: str) -> list[str]:
    """Return the names in `flows:refs` of the flow and the text of a workflow: no text if it stands in the
    record; no name if there is no record. (HMGET)"""
    digest, text = connection.call("HMGET", workflow, "flow", "text")
    return [] if digest is None else reference_names(digest.decode(), text)


def reference_names(digest: str, text: bytes | None) -> list[str]:
    """Return the names in `flows:refs` of what a workflow uses, from the fields `flow` and `text` of its
    record."""
    return [digest, *([] if text is None else [keys.flow_text_name(text.decode())])]


def watch_references(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Watch how many users flows and texts have, one at least, and return these numbers by their names in
    `flows:refs`. (WATCH, HMGET)"""
    connection.execute([("WATCH", keys.FLOW_REFERENCES)])
    return load_references(connection, names)


def load_references(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Return how many users these flows and texts have, one at least, by their names in `flows:refs`.
    (HMGET)"""
    counts = connection.call("HMGET", keys.FLOW_REFERENCES, *names)
    return {name: int(count or 0) for name, count in zip(names, counts, strict=True)}


def release_commands(references: Mapping[str, int], uses: Mapping[str, int]) -> list[Command]:
    """Return the commands that count users less, and delete the flows and texts that then have none.

    `references` says how many users each has, by its name in `flows:refs`; `uses`, how many of them go.
    (HINCRBY, HDEL, DEL)
    """
    commands: list[Command] = []
    for name, count in references.items():
        if count > uses[name]:
            commands.append(("HINCRBY", keys.FLOW_REFERENCES, name, -uses[name]))
        else:
            commands += [("HDEL", keys.FLOW_REFERENCES, name), ("DEL", keys.flow(name))]
    return commands


def _digest(text: str) -> str | None:
    """Return the digest of a flow text; None if the text is short enough for the record."""
    data = text.encode(errors="surrogatepass")
    if len(data) <= _MAX_BYTES_IN_RECORD:
        return None
    return hashlib.sha256(data).hexdigest()[:_DIGEST_LENGTH]
