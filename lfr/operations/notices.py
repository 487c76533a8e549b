"""What people do about notices: list rules and recipients, and test a rule."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from lfr.errors import Conflict, NotFound
from lfr.notices.compose import compose_test
from lfr.notices.rules import Rule, Trigger
from lfr.store import keys
from lfr.store.notices import (
    QueuedNotice,
    cancel_test,
    queue_commands,
    read_lost,
    read_recipients,
    read_rules,
    read_test_results,
)
from lfr.store.processes import read_heartbeats
from lfr.store.redis.connection import Command, Connection, Store, read_time_ms
from lfr.store.totals import load_totals
from lfr.values.checks import suggestion
from lfr.values.times import iso_time

_POLL_SECONDS: Final = 0.1

TEST_SECONDS: Final = 60.0
"""How long a test waits for its recipients: longer than most of them may take."""

_COUNTS: Final = ("sent", "counted", "failed", "given_up", "dropped")


def list_notices(store: Store) -> dict[str, Any]:
    """Describe the rules and recipients of notices as plain data.

    is_alive    whether a process of the role notify is alive; the rules are those of the last one
    rules       each rule: as `Rule.to_dict`; and counts of its notices: sent, counted (only counted, in a
                quiet time), failed (tries in vain), given_up, dropped (too many waited)
    recipients  each that has had a notice: name; queued, how many wait; failures, how many tries in a row
                were in vain; reason, of the last one, or None; since (the first of them), retry, sent (the
                last notice that it took): times, or None
    lost        the latest notices that were given up: id, rule, text, recipient, reason, at

    Raises Unreachable, Refused.
    """
    with store.connect() as connection:
        rules, totals = read_rules(connection), load_totals(connection, keys.NOTICE_TOTALS)
        recipients, lost = read_recipients(connection), read_lost(connection)
        is_alive = _has_role(connection)
    return {
        "is_alive": is_alive,
        "rules": [
            {**rule, "counts": {key: totals.get(name, {}).get(key, 0) for key in _COUNTS}}
            for name, rule in rules.items()
        ],
        "recipients": [
            {
                "name": name,
                "queued": state.queued,
                "failures": state.failures,
                "reason": state.reason or None,
                "since": iso_time(state.since_ms),
                "retry": iso_time(state.until_ms),
                "sent": iso_time(state.sent_ms),
            }
            for name, state in recipients.items()
        ],
        "lost": [
            {
                **{key: each[key] for key in ("id", "rule", "text", "recipient", "reason")},
                "at": iso_time(each["at_ms"]),
            }
            for each in lost
        ],
    }


def send_test(store: Store, name: str, *, wait_seconds: float = TEST_SECONDS) -> list[dict[str, Any]]:
    """Let the role notify deliver a specimen to each recipient of a rule now, once, and wait for that.

    Returns for each recipient: recipient; problem, why it was not delivered, or None. The role does it as it
    delivers every notice: with its secrets, from its host. Raises NotFound for an unknown rule, and Conflict
    if no such role runs.
    """
    with store.connect() as connection:
        if not _has_role(connection):
            raise Conflict("no notify role runs, so nothing is delivered", hint="lfr notify")
        rules = read_rules(connection)
        if name not in rules:
            hint = suggestion(name, rules) or f"there are {', '.join(rules) or 'none'}"
            raise NotFound(f"there is no rule {name[:63]}", hint=hint)
        rule = _rule_of(rules[name])
        now_ms = read_time_ms(connection)
        notice = compose_test(rule, uuid4().hex[:12], now_ms)
        commands: list[Command] = []
        for recipient in rule.recipients:
            commands += queue_commands(QueuedNotice(notice, recipient, now_ms), 0)
        connection.transact(commands)
        results: list[dict[str, Any]] = []
        deadline = time.monotonic() + wait_seconds
        try:
            while len(results) < len(rule.recipients) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                results = read_test_results(connection, notice.id)
        finally:
            cancel_test(connection, notice, rule.recipients)
    problems = {each["recipient"]: each["problem"] for each in results}
    late = f"the role notify has not reported within {wait_seconds:g} s"
    return [{"recipient": each, "problem": problems.get(each, late)} for each in rule.recipients]


def _rule_of(data: Mapping[str, Any]) -> Rule:
    return Rule(data["name"], frozenset(map(Trigger, data["when"])), tuple(data["to"]))


def _has_role(connection: Connection) -> bool:
    return any(each.process.role == "notify" for each in read_heartbeats(connection))
