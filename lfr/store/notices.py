"""The notices that are to be delivered: one entry for each notice and recipient, until it is delivered.

Whoever delivers a notice first moves its time into the future, by a lease: if it dies, another delivers the
notice again, under the same id. A recipient that fails gets a pause of its own, so that one that is away
costs one try in a while, and not one for each notice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lfr.notices.notice import Notice
from lfr.notices.quiet import Admission, Quiet
from lfr.notices.rules import Rule
from lfr.store import keys
from lfr.store.redis.connection import TIME, Command, Connection, parse_time_ms
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.stream.entries import flatten_pairs, parse_pairs
from lfr.values.json import Json

MAX_QUEUED: Final = 10_000
"""How many notices wait for a recipient, at most."""

MAX_LOST: Final = 100
"""How many notices that were given up are listed."""

_TEST_SECONDS: Final = 300
"""How long the results of a test are kept."""


@dataclass(frozen=True, slots=True)
class QueuedNotice:
    """A notice for one recipient.

    queued_ms  when it was queued, in milliseconds since the epoch
    failures   how often it was tried in vain; `reason`: why, the last time
    """

    notice: Notice
    recipient: str
    queued_ms: int
    failures: int = 0
    reason: str = ""

    @property
    def member(self) -> str:
        """Return its name in NOTICES."""
        return f"{self.recipient} {self.notice.id}"

    def encode(self) -> str:
        """Return it as Redis keeps it."""
        return json.dumps([self.notice.to_dict(), self.queued_ms, self.failures, self.reason])


@dataclass(frozen=True, slots=True)
class RecipientState:
    """How the latest tries to reach a recipient went; times are in milliseconds since the epoch, 0: never.

    failures  how many tries in a row were in vain, since `since_ms`, the last time for `reason`
    until_ms  when it is tried again
    sent_ms   when it took a notice last
    queued    how many notices wait for it
    """

    failures: int = 0
    until_ms: int = 0
    since_ms: int = 0
    sent_ms: int = 0
    reason: str = ""
    queued: int = 0

    def encode(self) -> str:
        """Return it as Redis keeps it, without `queued`."""
        return json.dumps([self.failures, self.until_ms, self.since_ms, self.sent_ms, self.reason])


def watch_quiet_times(connection: Connection, *more: str) -> tuple[int, dict[str, Quiet]]:
    """Return the time of the server, in milliseconds since the epoch, and the quiet times, by topic; watch
    them and `more` keys. (WATCH, TIME, HGETALL)"""
    _, time, reply = connection.execute(
        [("WATCH", keys.NOTICE_QUIET, *more), TIME, ("HGETALL", keys.NOTICE_QUIET)]
    )
    return parse_time_ms(time), {
        topic.decode(): _parse_quiet(text) for topic, text in parse_pairs(reply).items()
    }


def admission_commands(
    admission: Admission, queued: Mapping[str, int], now_ms: int
) -> tuple[list[Command], list[Notice]]:
    """Return the commands that queue the notices of an admission and store its quiet times, and the notices
    that have no room any more. `queued` says how many wait for each recipient. (HSET, HSETNX, ZADD, HDEL)"""
    commands: list[Command] = []
    dropped: list[Notice] = []
    counts = dict(queued)
    for notice, recipients in admission.sent:
        for recipient in recipients:
            if counts.get(recipient, 0) >= MAX_QUEUED:
                dropped.append(notice)
                continue
            counts[recipient] = counts.get(recipient, 0) + 1
            commands += queue_commands(QueuedNotice(notice, recipient, now_ms), now_ms)
    for topic, quiet in admission.changes.items():
        if quiet is None:
            commands.append(("HDEL", keys.NOTICE_QUIET, topic))
        else:
            last = quiet.last.to_dict() if quiet.last else None
            text = json.dumps([quiet.until_ms, quiet.count, last])
            commands.append(("HSET", keys.NOTICE_QUIET, topic, text))
    return commands, dropped


def count_queued(connection: Connection, recipients: Iterable[str]) -> dict[str, int]:
    """Return how many notices wait for each of these recipients. (ZCARD)"""
    names = sorted(set(recipients))
    counts = connection.execute([("ZCARD", keys.notices_due(name)) for name in names])
    return dict(zip(names, counts, strict=True))


def queue_commands(queued: QueuedNotice, due_ms: int) -> list[Command]:
    """Return the commands that queue a notice, to be delivered from `due_ms` on. (HSET, HSETNX, ZADD)"""
    return [
        ("HSET", keys.NOTICES, queued.member, queued.encode()),
        ("HSETNX", keys.NOTICE_RECIPIENTS, queued.recipient, RecipientState().encode()),
        ("ZADD", keys.notices_due(queued.recipient), due_ms, queued.notice.id),
    ]


def take_due(
    connection: Connection, room: Mapping[str, int], states: Mapping[str, RecipientState], lease_ms: int
) -> list[QueuedNotice]:
    """Take the notices that are due, up to `room` of each recipient, for `lease_ms`. Of a recipient that is
    paused, only tests are due. (WATCH, TIME, ZRANGEBYSCORE, HMGET; ZADD, ZREM)"""
    names = [name for name, count in room.items() if count > 0]
    if not names:
        return []

    def attempt() -> tuple[list[Command] | None, list[QueuedNotice]]:
        pipeline = Pipeline(connection)
        pipeline.add("WATCH", *map(keys.notices_due, names))
        time = pipeline.add(*TIME)
        pipeline.send()
        now_ms = parse_time_ms(time.value)
        pages = connection.execute([_due_command(name, room[name], states, now_ms) for name in names])
        members = [(name, id.decode()) for name, ids in zip(names, pages, strict=True) for id in ids]
        if not members:
            return None, []
        texts = connection.call("HMGET", keys.NOTICES, *(" ".join(member) for member in members))
        claimed: list[QueuedNotice] = []
        commands: list[Command] = []
        for (name, id), text in zip(members, texts, strict=True):
            if text is None:
                commands.append(("ZREM", keys.notices_due(name), id))
                continue
            claimed.append(_parse_queued(name, text))
            commands.append(("ZADD", keys.notices_due(name), now_ms + lease_ms, id))
        return commands, claimed

    return retry_until_committed(connection, attempt)


def _due_command(name: str, count: int, states: Mapping[str, RecipientState], now_ms: int) -> Command:
    is_paused = states.get(name, RecipientState()).until_ms > now_ms
    most = 0 if is_paused else now_ms
    return ("ZRANGEBYSCORE", keys.notices_due(name), "-inf", most, "LIMIT", 0, count)


def lease_commands(notices: Iterable[QueuedNotice], until_ms: int) -> list[Command]:
    """Return the commands that prolong the lease of notices that are being delivered. (ZADD XX)"""
    return [("ZADD", keys.notices_due(each.recipient), "XX", until_ms, each.notice.id) for each in notices]


def sent_commands(queued: QueuedNotice, now_ms: int) -> list[Command]:
    """Return the commands that remove a notice that was delivered. (HDEL, ZREM, HSET)"""
    state = RecipientState(sent_ms=now_ms)
    return [*_remove_commands(queued), ("HSET", keys.NOTICE_RECIPIENTS, queued.recipient, state.encode())]


def failed_commands(
    queued: QueuedNotice, state: RecipientState, reason: str, delay_ms: tuple[int, int], now_ms: int
) -> list[Command]:
    """Return the commands that put off a notice that could not be delivered, and its recipient: by `delay_ms`
    each, in this order. (HSET, ZADD)"""
    failed = replace(queued, failures=queued.failures + 1, reason=reason)
    recipient = replace(
        state,
        failures=state.failures + 1,
        until_ms=now_ms + delay_ms[1],
        since_ms=state.since_ms or now_ms,
        reason=reason,
    )
    return [
        ("HSET", keys.NOTICES, failed.member, failed.encode()),
        ("ZADD", keys.notices_due(failed.recipient), now_ms + delay_ms[0], failed.notice.id),
        ("HSET", keys.NOTICE_RECIPIENTS, failed.recipient, recipient.encode()),
    ]


def give_up_commands(queued: QueuedNotice, reason: str, now_ms: int) -> list[Command]:
    """Return the commands that remove a notice that could not be delivered for too long, and list it among
    the lost ones. (HDEL, ZREM, RPUSH, LTRIM)"""
    lost = {"at_ms": now_ms, "recipient": queued.recipient, "reason": reason, **queued.notice.to_dict()}
    return [
        *_remove_commands(queued),
        ("RPUSH", keys.LOST_NOTICES, json.dumps(lost)),
        ("LTRIM", keys.LOST_NOTICES, -MAX_LOST, -1),
    ]


def report_test_commands(queued: QueuedNotice, reason: str) -> list[Command]:
    """Return the commands that remove a test, and note how it went; an empty reason: well. (RPUSH, EXPIRE)"""
    key = keys.notice_test(queued.notice.id)
    result = json.dumps({"recipient": queued.recipient, "problem": reason or None})
    return [*_remove_commands(queued), ("RPUSH", key, result), ("EXPIRE", key, _TEST_SECONDS)]


def _remove_commands(queued: QueuedNotice) -> list[Command]:
    return [
        ("HDEL", keys.NOTICES, queued.member),
        ("ZREM", keys.notices_due(queued.recipient), queued.notice.id),
    ]


def cancel_test(connection: Connection, notice: Notice, recipients: Iterable[str]) -> None:
    """Remove what remains of a test. (HDEL, ZREM, DEL)"""
    commands: list[Command] = [("DEL", keys.notice_test(notice.id))]
    for recipient in recipients:
        commands += _remove_commands(QueuedNotice(notice, recipient, 0))
    connection.transact(commands)


def read_test_results(connection: Connection, id: str) -> list[dict[str, Any]]:
    """Return how a test went so far: for each recipient that was tried, recipient and problem (None: it was
    delivered). (LRANGE)"""
    return [json.loads(text) for text in connection.call("LRANGE", keys.notice_test(id), 0, -1)]


def publish_rules(connection: Connection, rules: Sequence[Rule]) -> None:
    """Store what the rules of this role say, for others to read, in place of what was stored. (DEL, HSET)"""
    commands: list[Command] = [("DEL", keys.NOTICE_RULES)]
    pairs = flatten_pairs((rule.name, json.dumps(rule.to_dict())) for rule in rules)
    if pairs:
        commands.append(("HSET", keys.NOTICE_RULES, *pairs))
    connection.transact(commands)


def read_rules(connection: Connection) -> dict[str, dict[str, Json]]:
    """Return what the rules say, as `Rule.to_dict`, by name: those that a role has published. (HGETALL)"""
    pairs = parse_pairs(connection.call("HGETALL", keys.NOTICE_RULES))
    return {name.decode(): json.loads(text) for name, text in sorted(pairs.items())}


def read_recipients(connection: Connection) -> dict[str, RecipientState]:
    """Return the state of each recipient that has ever had a notice. (HGETALL, ZCARD)"""
    pairs = parse_pairs(connection.call("HGETALL", keys.NOTICE_RECIPIENTS))
    states = {name.decode(): RecipientState(*json.loads(text)) for name, text in sorted(pairs.items())}
    counts = count_queued(connection, states)
    return {name: replace(state, queued=counts[name]) for name, state in states.items()}


def read_lost(connection: Connection) -> list[dict[str, Any]]:
    """Return the notices that were given up, the latest first: `Notice.to_dict` with recipient, reason, and
    at_ms, when it was given up. (LRANGE)"""
    return [json.loads(text) for text in reversed(connection.call("LRANGE", keys.LOST_NOTICES, 0, -1))]


def _parse_quiet(text: bytes) -> Quiet:
    until_ms, count, last = json.loads(text)
    return Quiet(until_ms, count, Notice.from_dict(last) if last else None)


def _parse_queued(recipient: str, text: bytes) -> QueuedNotice:
    notice, queued_ms, failures, reason = json.loads(text)
    return QueuedNotice(Notice.from_dict(notice), recipient, queued_ms, failures, reason)
