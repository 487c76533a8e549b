"""Looks for what only time shows: one process at a time, every ten seconds.

Redis holds the conditions of which notice was given, so that each is told once while it holds, whichever
process looks. The same process calls the URL of the dead man's switch while all is well.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from lfr.notices.compose import compose_dead_letters
from lfr.notices.notice import Notice
from lfr.notices.quiet import Admission, Quiet, admit, end_quiet_times
from lfr.notices.rules import Rule, Trigger
from lfr.notifier.writer import NoticeWriter
from lfr.operations.notice_conditions import (
    Condition,
    WorkflowConditions,
    find_gone_roles,
    find_missed,
    find_troubles,
    live_roles,
)
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.hold import hold_key, release_key
from lfr.store.notices import read_recipients
from lfr.store.processes import read_heartbeats
from lfr.store.redis.connection import Command, Connection, Store, read_time_ms
from lfr.store.stream.dead_letters import parse_dead_letter
from lfr.store.stream.entries import flatten_pairs, parse_pairs, read_last_id, read_newest
from lfr.store.stream.groups import FIRST_ID
from lfr.store.workflows.queries import load_members
from lfr.values.stream_id import StreamId

LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 10.0

_HOLD_MS: Final = 30_000
"""After this time without a sign of the watcher another process takes its place."""

_FORGET_MS: Final = 600_000
"""How long a condition is remembered that is over: the end of a late workflow may be read after that."""

_FORGET_ROLE_MS: Final = 24 * 3600 * 1000
"""After this time without a process a role counts as stopped for good."""

_MAX_DEAD_LETTERS: Final = 100
"""How many new dead letters are counted."""

_MAX_CONDITIONS: Final = 10_000
"""How many conditions are remembered. Of those beyond there is no notice until others are over."""

_CURSOR: Final = "dead-letters"
"""The field of NOTICE_CONDITIONS with the id of the last dead letter that was looked at."""


class Watcher:
    """The watcher of this process, which looks while it holds the key for it. `name` identifies the process.

    submit  runs a call in another thread; `call_alive_url` is None without a dead man's switch
    """

    def __init__(
        self,
        store: Store,
        name: str,
        rules: Sequence[Rule],
        writer: NoticeWriter,
        submit: Callable[[Callable[[], None]], None],
        call_alive_url: Callable[[], None] | None,
    ) -> None:
        self._store = store
        self._name = name
        self._rules = {rule.name: rule for rule in rules}
        self._writer = writer
        self._submit = submit
        self._call_alive_url = call_alive_url
        self._alive_seconds = store.settings.notify_alive_every_seconds
        self._workflows = WorkflowConditions(store)
        self._look_at = 0.0
        self._alive_at = 0.0
        self._troubles: list[str] = []

    def run(self, connection: Connection) -> None:
        """Look, if it is time to and this process holds the key."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + min(_LOOK_SECONDS, self._alive_seconds)
        if not hold_key(connection, keys.NOTICE_WATCHER, self._name, _HOLD_MS):
            return
        last_alive = self._note_roles(connection)
        self._write_conditions(connection, last_alive)
        if self._call_alive_url is not None and now >= self._alive_at:
            self._alive_at = now + self._alive_seconds
            self._report_alive(connection, last_alive)

    def end_quiet_times(self, connection: Connection) -> None:
        """Send what was only counted in quiet times that are over."""
        self._writer.write(
            connection, lambda now_ms, quiets: (end_quiet_times(quiets, self._rules, now_ms), [])
        )

    def release(self, connection: Connection) -> None:
        """Let another process look at once."""
        release_key(connection, keys.NOTICE_WATCHER, self._name)

    def _note_roles(self, connection: Connection) -> dict[str, int]:
        """Note which roles are alive, and return when each was, in milliseconds since the epoch; without
        those that are stopped for good. (HGETALL; HSET, HDEL)"""
        now_ms = read_time_ms(connection)
        reply = parse_pairs(connection.call("HGETALL", keys.NOTICE_ROLES))
        last_alive = {name.decode(): int(ms) for name, ms in reply.items()}
        live = dict.fromkeys(sorted(live_roles(read_heartbeats(connection))), now_ms)
        last_alive |= live
        old = [name for name, ms in last_alive.items() if now_ms - ms > _FORGET_ROLE_MS]
        commands: list[Command] = [("HSET", keys.NOTICE_ROLES, *flatten_pairs(live.items()))] if live else []
        commands += [("HDEL", keys.NOTICE_ROLES, *old)] if old else []
        connection.execute(commands)
        return {name: ms for name, ms in last_alive.items() if name not in old}

    def _write_conditions(self, connection: Connection, last_alive: Mapping[str, int]) -> None:
        now_ms = read_time_ms(connection)
        conditions = {each.member: each for each in self._find(connection, last_alive, now_ms)}

        def decide(now_ms: int, quiets: Mapping[str, Quiet]) -> tuple[Admission, list[Command]]:
            stored = parse_pairs(connection.call("HGETALL", keys.NOTICE_CONDITIONS))
            cursor = stored.pop(_CURSOR.encode(), None)
            times = {member.decode(): int(ms) for member, ms in stored.items()}
            new = [member for member in conditions if member not in times]
            room = max(0, _MAX_CONDITIONS - len(times))
            remembered = conditions.keys() - new[room:]
            notices = [(conditions[member].rule, conditions[member].notice) for member in new[:room]]
            letters, commands = self._dead_letters(connection, cursor, now_ms)
            over = self._find_over(connection, times.keys() - conditions.keys())
            changes = {member: now_ms for member in remembered if times.get(member, 0) <= 0}
            changes |= {member: -now_ms for member in over if times[member] > 0}
            forgotten = [
                member for member in over if times[member] < 0 and now_ms + times[member] > _FORGET_MS
            ]
            if changes:
                commands.append(("HSET", keys.NOTICE_CONDITIONS, *flatten_pairs(changes.items())))
            if forgotten:
                commands.append(("HDEL", keys.NOTICE_CONDITIONS, *forgotten))
            return admit(quiets, [*notices, *letters], now_ms), commands

        self._writer.write(connection, decide, keys.NOTICE_CONDITIONS)

    def _find(
        self, connection: Connection, last_alive: Mapping[str, int], now_ms: int
    ) -> Iterator[Condition]:
        for rule in self._rules.values():
            if Trigger.LATE in rule.triggers:
                yield from self._workflows.find_late(connection, rule, now_ms)
            if Trigger.STUCK in rule.triggers:
                yield from self._workflows.find_stuck(connection, rule, now_ms)
            if Trigger.MISSED in rule.triggers:
                yield from find_missed(connection, rule, now_ms)
            if Trigger.ROLE_GONE in rule.triggers:
                yield from find_gone_roles(connection, rule, last_alive, now_ms)

    def _find_over(self, connection: Connection, members: Iterable[str]) -> list[str]:
        """Return those of the conditions that this look has not found which do not hold any more. One look
        examines some of the workflows only: so of the others those count that do not run any more."""
        over: list[str] = []
        unsure: dict[str, str] = {}
        for member in members:
            rule, trigger, workflow, *_ = member.split(" ")
            is_of_workflow = trigger in (Trigger.LATE, Trigger.STUCK) and rule in self._rules
            if is_of_workflow and workflow not in self._workflows.examined.get(rule, ()):
                unsure[member] = workflow
            else:
                over.append(member)
        ids = sorted(set(unsure.values()))
        running = set(load_members(connection, [keys.state(WorkflowState.RUNNING)], ids)) if ids else set()
        return over + [member for member, workflow in unsure.items() if workflow not in running]

    def _dead_letters(
        self, connection: Connection, cursor: bytes | None, now_ms: int
    ) -> tuple[list[tuple[Rule, Notice]], list[Command]]:
        """Return the notices of new dead letters, and the command that notes that they were looked at. Those
        that were there at the first look are old. (XINFO, XREVRANGE; HSET)"""
        rules = [rule for rule in self._rules.values() if Trigger.DEAD_LETTER in rule.triggers]
        if not rules:
            return [], []
        last_id = read_last_id(connection, keys.DEAD_LETTERS) or FIRST_ID
        if cursor is not None and cursor.decode() == last_id:
            return [], []
        noted: list[Command] = [("HSET", keys.NOTICE_CONDITIONS, _CURSOR, last_id)]
        if cursor is None:
            return [], noted
        entries = read_newest(connection, keys.DEAD_LETTERS, count=_MAX_DEAD_LETTERS)
        after = StreamId.parse(cursor.decode())
        count = sum(StreamId.parse(entry.id) > after for entry in entries)
        if not count:
            return [], noted
        words = f"over {count}" if count == _MAX_DEAD_LETTERS else str(count)
        reason = parse_dead_letter(entries[0]).reason
        notices = [(rule, compose_dead_letters(rule, last_id, words, reason, now_ms)) for rule in rules]
        return notices, noted

    def _report_alive(self, connection: Connection, last_alive: Mapping[str, int]) -> None:
        now_ms = read_time_ms(connection)
        troubles = find_troubles(self._store, last_alive, read_recipients(connection), now_ms)
        if troubles != self._troubles:
            if troubles:
                LOGGER.warning("not all is well, so notify.alive_url is not called: %s", "; ".join(troubles))
            else:
                LOGGER.info("all is well again: notify.alive_url is called")
        self._troubles = troubles
        if not troubles:
            self._submit(self._call_alive)

    def _call_alive(self) -> None:
        assert self._call_alive_url is not None
        try:
            self._call_alive_url()
        except DeliveryFailed as error:
            LOGGER.warning("notify.alive_url does not answer as it should: %s", error)
