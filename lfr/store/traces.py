"""The ended workflows whose spans are to be exported, until the receiver has taken them.

Whoever exports a workflow first moves its time into the future, by a lease: if it dies, another exports it
again, with the same ids. The queue is bounded: a receiver that is away for long costs spans, and nothing
else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lfr.item_ids import is_item
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import TIME, Command, Connection, parse_time_ms
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.stream.entries import flatten_pairs
from lfr.store.workflows.history import History, parse_history_list
from lfr.store.workflows.record import Record
from lfr.trace_context import trace_of
from lfr.values.json import decode_json, encode_json

MAX_QUEUED: Final = 10_000
"""How many workflows wait for their export, at most."""

TRACES_NAME: Final = "traces"
"""The name in TRACE_TOTALS."""

_TEST: Final = "test"
_CHILD_MS: Final = 3_600_000
"""How long the history of a child waits for its export."""

_TEST_SECONDS: Final = 300
"""How long the result of a test is kept."""


@dataclass(frozen=True, slots=True)
class EndedWorkflow:
    """A workflow, or a child, that ended at this time, in milliseconds since the epoch; or, with the id
    `test`, a test of the export, with its number."""

    id: str
    at_ms: int

    @property
    def member(self) -> str:
        """Return its name in TRACES."""
        return f"{self.id} {self.at_ms}"

    @property
    def is_test(self) -> bool:
        """Whether it is no workflow."""
        return self.id == _TEST

    @property
    def is_child(self) -> bool:
        """Whether it is a child that has succeeded, and is deleted."""
        return is_item(self.id)

    @classmethod
    def parse(cls, member: bytes) -> EndedWorkflow:
        """Return what `member` has made a text of."""
        id, _, at_ms = member.decode().rpartition(" ")
        return cls(id, int(at_ms))


def make_test(number: int) -> EndedWorkflow:
    """Return a test of the export."""
    return EndedWorkflow(_TEST, number)


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """How the latest tries to export went; times are in milliseconds since the epoch, 0: never.

    failures  how many tries in a row were in vain, since `since_ms`, the last time for `reason`
    until_ms  when it is tried again
    sent_ms   when the receiver took spans last
    queued    how many workflows wait
    """

    failures: int = 0
    until_ms: int = 0
    since_ms: int = 0
    sent_ms: int = 0
    reason: str = ""
    queued: int = 0

    def command(self) -> Command:
        """Return the command that stores it, without `queued`. (SET)"""
        values = [self.failures, self.until_ms, self.since_ms, self.sent_ms, self.reason]
        return ("SET", keys.TRACE_RECEIVER, json.dumps(values))

    def after_failure(self, reason: str, delay_ms: int, now_ms: int) -> ReceiverState:
        """Return the state after a try in vain, before a pause of `delay_ms`."""
        return replace(
            self,
            failures=self.failures + 1,
            until_ms=now_ms + delay_ms,
            since_ms=self.since_ms or now_ms,
            reason=reason,
        )


def read_receiver(connection: Connection) -> ReceiverState:
    """Return how the latest tries went, and how many workflows wait. (GET, ZCARD)"""
    text, queued = connection.execute([("GET", keys.TRACE_RECEIVER), ("ZCARD", keys.TRACES)])
    return replace(ReceiverState(*json.loads(text)) if text else ReceiverState(), queued=int(queued))


def queue_commands(ended: Iterable[EndedWorkflow], due_ms: int) -> list[Command]:
    """Return the commands that queue workflows, or a test, to be exported from `due_ms` on. (ZADD NX)"""
    pairs = flatten_pairs((due_ms, each.member) for each in ended)
    return [("ZADD", keys.TRACES, "NX", *pairs)] if pairs else []


def keep_child_commands(
    routes: Routes, child: str, parent: Record, reference: str, name: str
) -> list[Command]:
    """Return the commands that keep the history of a child that has succeeded, and queue the export of its
    steps; they come before those that delete it. None, if no traces role runs, or if its workflow wants no
    spans. `reference` is that of its flow, `name` the name of that. (COPY, RPUSH, PEXPIRE, ZADD)"""
    if not routes.has_exports or not trace_of(child, parent.run, parent.traceparent).is_sampled:
        return []
    ended = EndedWorkflow(child, routes.now_ms)
    key = keys.traced_child(ended.member)
    details = encode_json([reference, name, parent.run, parent.traceparent])
    return [
        ("COPY", keys.facts(child), key, "REPLACE"),
        ("RPUSH", key, details),
        ("PEXPIRE", key, _CHILD_MS),
        *queue_commands([ended], routes.now_ms),
    ]


def load_kept_child(connection: Connection, ended: EndedWorkflow) -> tuple[Record, History] | None:
    """Return what `keep_child_commands` has kept of a child: its record, as far as spans need it, and its
    history; None: it has expired. (LRANGE)"""
    elements = connection.call("LRANGE", keys.traced_child(ended.member), 0, -1)
    if len(elements) < 2:
        return None
    reference, name, run, traceparent = decode_json(elements[-1])
    history = parse_history_list(elements[:-1])
    record = Record(
        id=ended.id,
        reference=reference,
        state=WorkflowState.FINISHED,
        started_ms=history.entries[0].at_ms,
        active=0,
        done=0,
        skipped=0,
        failed=0,
        name=name,
        ended_ms=ended.at_ms,
        total=None,
        simulated=0,
        reason="",
        run=run,
        traceparent=traceparent,
    )
    return record, history


def drop_excess(connection: Connection) -> int:
    """Remove from the queue what is beyond MAX_QUEUED, the latest; return how many those were.
    (ZREMRANGEBYRANK)"""
    return int(connection.call("ZREMRANGEBYRANK", keys.TRACES, MAX_QUEUED, -1))


def take_due(
    connection: Connection, state: ReceiverState, *, count: int, lease_ms: int
) -> list[EndedWorkflow]:
    """Take up to `count` workflows whose export is due, for `lease_ms`. While the receiver is left alone,
    only tests are due. (WATCH, TIME, ZRANGEBYSCORE; ZADD)"""

    def attempt() -> tuple[list[Command] | None, list[EndedWorkflow]]:
        _, time = connection.execute([("WATCH", keys.TRACES), TIME])
        now_ms = parse_time_ms(time)
        most = 0 if state.until_ms > now_ms else now_ms
        members = connection.call("ZRANGEBYSCORE", keys.TRACES, "-inf", most, "LIMIT", 0, count)
        due = [EndedWorkflow.parse(member) for member in members]
        return (lease_commands(due, now_ms + lease_ms) if due else None), due

    return retry_until_committed(connection, attempt)


def lease_commands(ended: Iterable[EndedWorkflow], until_ms: int) -> list[Command]:
    """Return the commands that change when these exports are due, if they are still queued. (ZADD XX)"""
    pairs = flatten_pairs((until_ms, each.member) for each in ended)
    return [("ZADD", keys.TRACES, "XX", *pairs)] if pairs else []


def remove_commands(ended: Sequence[EndedWorkflow]) -> list[Command]:
    """Return the commands that remove exports from the queue, and what is kept for them. (ZREM, DEL)"""
    if not ended:
        return []
    children = [keys.traced_child(each.member) for each in ended if each.is_child]
    deletions: list[Command] = [("DEL", *children)] if children else []
    return [("ZREM", keys.TRACES, *(each.member for each in ended)), *deletions]


def report_test_commands(test: EndedWorkflow, problem: str, trace_id: str) -> list[Command]:
    """Return the commands that remove a test, and note how it went; no problem: well. (ZREM, SET)"""
    result = json.dumps({"trace_id": trace_id, "problem": problem or None})
    key = keys.trace_test(str(test.at_ms))
    return [*remove_commands([test]), ("SET", key, result, "EX", _TEST_SECONDS)]


def read_test_result(connection: Connection, test: EndedWorkflow) -> dict[str, Any] | None:
    """Return how a test went: trace_id and problem (None: well); None: it has not been tried yet. (GET)"""
    text = connection.call("GET", keys.trace_test(str(test.at_ms)))
    return None if text is None else json.loads(text)


def cancel_test(connection: Connection, test: EndedWorkflow) -> None:
    """Remove what remains of a test. (ZREM, DEL)"""
    connection.transact([*remove_commands([test]), ("DEL", keys.trace_test(str(test.at_ms)))])
