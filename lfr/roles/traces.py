"""The role traces: exports the spans of workflows that have ended, to `traces.endpoint`.

It reads the ends of workflows from the bus, in a group of its own. A workflow is queued in the transaction
that acknowledges its event; its spans are rebuilt from its history, so that they have the same ids however
often they are exported: at least once. A receiver that is away holds up nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from lfr import event_fields, events
from lfr.errors import BadSettings
from lfr.exporter.exports import Exports
from lfr.outbound.span_receiver import SpanReceiver
from lfr.runtime.consumer import LOGGER, Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store import keys
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.stream.entries import Entry, acknowledge_command
from lfr.store.traces import MAX_QUEUED, TRACES_NAME, EndedWorkflow, queue_commands, read_receiver
from lfr.values.times import parse_timestamp

_ENDS: Final = (events.END_WORKFLOW, events.FAILED_WORKFLOW, events.TERMINATED_WORKFLOW)

_LIFE_SECONDS: Final = 10
_LIFE_EVERY_SECONDS: Final = 2.0
"""How long the mark that a traces role runs lasts, and how often it is renewed."""


class Traces(Consumer):
    """Queues the workflows that end, and exports those that are queued. Raises BadSettings when it is
    made."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "traces")
        self._live_at = 0.0
        self._exports = Exports(store, SpanReceiver(store.settings), self.totals)

    def join(self, connection: Connection) -> None:
        """Create the group, then tell lifecycles that a traces role runs."""
        super().join(connection)
        self._live_at = 0.0

    def on_pass(self, connection: Connection) -> float:
        """Tell lifecycles, every two seconds, that a traces role runs; export what is due. (SET EX)"""
        now = time.monotonic()
        if now >= self._live_at:
            self._live_at = now + _LIFE_EVERY_SECONDS
            connection.call("SET", keys.TRACES_ROLE, 1, "EX", _LIFE_SECONDS)
        return min(self._exports.run(connection), super().on_pass(connection))

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Queue the workflows that have ended, in the transaction that acknowledges their events. Those for
        which there is no room are dropped."""
        ended = [each for entry in batch for each in _parse_end(entry)]
        if not ended:
            self.acknowledge_later([entry.id for entry in batch])
            return
        room = max(0, MAX_QUEUED - read_receiver(connection).queued)
        if dropped := len(ended) - room if len(ended) > room else 0:
            LOGGER.error("too many workflows wait for their export: the spans of %d are dropped", dropped)
        acknowledge = acknowledge_command(self.id, [entry.id for entry in batch])
        connection.transact([*queue_commands(ended[:room], read_time_ms(connection)), acknowledge])
        if dropped:
            self.totals.add(keys.TRACE_TOTALS, {("dropped", TRACES_NAME): dropped})
        self._exports.look_now()

    def leave(self, connection: Connection) -> None:
        """Wait for the export that runs, and leave the group."""
        self._exports.finish(connection)
        super().leave(connection)


def _parse_end(entry: Entry) -> Iterator[EndedWorkflow]:
    """Yield the workflow that has ended, if an event says so of one that is no child."""
    if event_fields.peek_kind(entry.fields) not in _ENDS or events.is_copy(entry.fields):
        return
    id = event_fields.peek_workflow(entry.fields)
    if id is not None and events.WORKFLOW_ID.fullmatch(id) and "/" not in id:
        at_ms = parse_timestamp(entry.fields.get(b"at", b"").decode(errors="replace").strip('"'))
        yield EndedWorkflow(id, int(entry.id.partition("-")[0]) if at_ms is None else at_ms)


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped. Return the exit code. Raises BadSettings, also without an
    endpoint."""
    if not store.settings.traces_endpoint:
        hint = "docs/traces.md has examples; without it this role is not needed"
        raise BadSettings("no receiver of spans is set", place="traces.endpoint", hint=hint)
    return run_consumers(context, [Traces(store)])
