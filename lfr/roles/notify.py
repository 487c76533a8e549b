"""The role notify: tells people and programs outside what the rules of `notify.rules` ask for.

It reads the ends of workflows from the bus, in a group of its own. A notice is queued in the transaction that
acknowledges its event; what only time shows, the watcher looks for. Deliveries are at least once: a receiver
knows a notice that comes twice by its id.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lfr import event_fields, events
from lfr.errors import BadSettings
from lfr.notices.compose import compose_late, compose_state
from lfr.notices.notice import Notice
from lfr.notices.quiet import Admission, Quiet, admit
from lfr.notices.rules import Rule, Trigger, parse_rules
from lfr.notifier.deliveries import Deliveries
from lfr.notifier.watcher import Watcher
from lfr.notifier.writer import NoticeWriter
from lfr.operations.notice_conditions import describe_record
from lfr.outbound.recipients import Recipients
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store import keys
from lfr.store.notices import publish_rules
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.stream.entries import Entry, acknowledge_command
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record

_TRIGGERS: Final = {
    events.END_WORKFLOW: Trigger.FINISHED,
    events.FAILED_WORKFLOW: Trigger.FAILED,
    events.TERMINATED_WORKFLOW: Trigger.TERMINATED,
}
"""What the kinds of events give notice of. All of them may show that a workflow has ended late."""

_PUBLISH_SECONDS: Final = 60.0
"""How often the rules are published again, in case Redis came back empty."""

_QUIET_SECONDS: Final = 1.0
"""How often to look for quiet times that are over."""


class Notify(Consumer):
    """Queues the notices of events, and delivers all that are queued. Raises BadSettings when it is made."""

    def __init__(self, store: Store, rules: Sequence[Rule]) -> None:
        super().__init__(store, "notify")
        recipients = Recipients(store.settings, rules)
        self._rules = rules
        self._deliveries = Deliveries(store, recipients, self.totals)
        self._writer = NoticeWriter(self.totals, self._deliveries.look_now)
        alive = recipients.webhooks.call_alive_url if store.settings.notify_alive_url else None
        name, submit = self.id.name, self._deliveries.submit
        self._watcher = Watcher(store, name, rules, self._writer, submit, alive)
        self._publish_at = 0.0
        self._quiet_at = 0.0

    def join(self, connection: Connection) -> None:
        """Create the group, and publish the rules."""
        super().join(connection)
        self._publish_at = 0.0

    def on_pass(self, connection: Connection) -> float:
        """Look for what only time shows, and deliver what is due."""
        now = time.monotonic()
        if now >= self._publish_at:
            self._publish_at = now + _PUBLISH_SECONDS
            publish_rules(connection, self._rules)
        self._watcher.run(connection)
        if now >= self._quiet_at:
            self._quiet_at = now + _QUIET_SECONDS
            self._watcher.end_quiet_times(connection)
        return min(self._deliveries.run(connection), super().on_pass(connection))

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Queue the notices of the events of a batch, in the transaction that acknowledges them."""
        ended = [(entry, trigger, id) for entry in batch for trigger, id in _parse_end(entry)]
        records = load_records(connection, [id for _, _, id in ended], for_list=True) if ended else []
        notices = [
            pair
            for (entry, trigger, id), record in zip(ended, records, strict=True)
            for pair in self._notices(entry, trigger, id, record)
        ]
        if not notices:
            self.acknowledge_later([entry.id for entry in batch])
            return
        acknowledge = acknowledge_command(self.id, [entry.id for entry in batch])

        def decide(now_ms: int, quiets: Mapping[str, Quiet]) -> tuple[Admission, list[Command]]:
            members = [member for _, _, member in notices]
            stored = connection.call("HMGET", keys.NOTICE_CONDITIONS, *members)
            new = [
                (rule, notice)
                for (rule, notice, _), since in zip(notices, stored, strict=True)
                if since is None
            ]
            return admit(quiets, new, now_ms), [acknowledge]

        self._writer.write(connection, decide, keys.NOTICE_CONDITIONS)

    def _notices(
        self, entry: Entry, trigger: Trigger, id: str, record: Record | None
    ) -> Iterator[tuple[Rule, Notice, str]]:
        """Yield the notices of the end of a workflow, each with its rule and its name among the conditions of
        which notice may have been given. Of a workflow that is deleted already, nobody knows the flow."""
        flow, labels = ("", {}) if record is None else (record.name, record.labels)
        facts = {"workflow": id} if record is None else describe_record(record)
        at_ms = int(entry.id.partition("-")[0])
        for rule in self._rules:
            if not rule.covers(flow, labels):
                continue
            if trigger in rule.triggers:
                yield rule, compose_state(rule, trigger, entry.id, facts, at_ms), ""
            if record is not None and Trigger.LATE in rule.triggers and _has_ended_late(record, rule):
                notice = compose_late(rule, facts, record.run, at_ms, has_ended=True)
                yield rule, notice, f"{rule.name} {Trigger.LATE} {id} {record.run}"

    def leave(self, connection: Connection) -> None:
        """Wait for the deliveries that run, let another process look, and leave the group."""
        self._deliveries.finish(connection)
        self._watcher.release(connection)
        super().leave(connection)


def _has_ended_late(record: Record, rule: Rule) -> bool:
    return record.ended_ms > 0 and record.ended_ms - record.started_ms > 1000 * rule.after_seconds


def _parse_end(entry: Entry) -> Iterator[tuple[Trigger, str]]:
    """Yield what an event gives notice of, and the id of the workflow; nothing for another event."""
    trigger = _TRIGGERS.get(event_fields.peek_kind(entry.fields) or "")
    if trigger is None or events.is_copy(entry.fields):
        return
    id = event_fields.peek_workflow(entry.fields)
    if id is not None and events.WORKFLOW_ID.fullmatch(id) and "/" not in id:
        yield trigger, id


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped. Return the exit code. Raises BadSettings, also without a rule: then
    the role would only cost."""
    rules = parse_rules(store.settings.notify_rules)
    if not rules and not store.settings.notify_alive_url:
        hint = "docs/notices.md has examples; without rules this role is not needed"
        raise BadSettings("there is no rule, and no notify.alive_url", place="notify.rules", hint=hint)
    return run_consumers(context, [Notify(store, rules)])
