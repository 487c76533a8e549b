"""Writes notices into Redis, in one transaction with what they are about: so none is lost and none is made
twice, whatever dies."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from lfr.notices.notice import Notice
from lfr.notices.quiet import Admission, Quiet
from lfr.store import keys
from lfr.store.notices import admission_commands, count_queued, watch_quiet_times
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.totals import NewTotals

LOGGER = logging.getLogger(__name__)

Decide: TypeAlias = Callable[[int, Mapping[str, Quiet]], tuple[Admission, Sequence[Command]]]
"""Returns what is sent and what else is written, from the time of the server in milliseconds since the epoch
and the quiet times by topic. It may be called again, and may read."""


class NoticeWriter:
    """Writes notices, and counts them. `on_queued` is called after some were queued."""

    def __init__(self, totals: NewTotals, on_queued: Callable[[], None]) -> None:
        self._totals = totals
        self._on_queued = on_queued

    def write(self, connection: Connection, decide: Decide, *watched: str) -> None:
        """Write what `decide` returns, in one transaction that is refused if a quiet time, or one of the
        `watched` keys, has changed since: then it is decided anew. (WATCH; MULTI/EXEC)"""

        def attempt() -> tuple[list[Command] | None, tuple[Admission, list[Notice]]]:
            now_ms, quiets = watch_quiet_times(connection, *watched)
            admission, others = decide(now_ms, quiets)
            names = {name for _, recipients in admission.sent for name in recipients}
            queued = count_queued(connection, names) if names else {}
            commands, dropped = admission_commands(admission, queued, now_ms)
            return [*commands, *others] or None, (admission, dropped)

        admission, dropped = retry_until_committed(connection, attempt)
        numbers = Counter(("counted", rule) for rule in admission.counted)
        for notice in dropped:
            LOGGER.error("too many notices wait: %s is dropped: %s", notice.id, notice.text)
            numbers["dropped", notice.rule] += 1
        self._totals.add(keys.NOTICE_TOTALS, numbers)
        if admission.sent:
            self._on_queued()
