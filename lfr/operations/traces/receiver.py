"""What people ask about the export of spans: how it goes, and whether the receiver takes a specimen."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from lfr.errors import Conflict
from lfr.store.processes import read_heartbeats
from lfr.store.redis.connection import Store
from lfr.store.traces import ReceiverState, cancel_test, make_test, queue_commands, read_test_result
from lfr.values.times import iso_time

_POLL_SECONDS: Final = 0.1

TEST_SECONDS: Final = 40.0
"""How long a test waits for the receiver: longer than one post may take."""


def describe_receiver(state: ReceiverState) -> dict[str, Any]:
    """Describe how the export of spans goes: queued, how many workflows wait; failures, how many tries in a
    row were in vain; reason, of the last one, or None; since (the first of them), sent (the receiver took
    spans last): times, or None."""
    return {
        "queued": state.queued,
        "failures": state.failures,
        "reason": state.reason or None,
        "since": iso_time(state.since_ms),
        "sent": iso_time(state.sent_ms),
    }


def send_test(store: Store, *, wait_seconds: float = TEST_SECONDS) -> dict[str, Any]:
    """Let the role traces export a specimen, a span of a trace of its own, once, and wait for that.

    Returns trace_id, of the specimen (None: the role has not reported), and problem, why the receiver has not
    taken it, or None. The role does it as it exports every span: with its secrets, from its host. Raises
    Conflict if no such role runs.
    """
    with store.connect() as connection:
        if not any(each.process.role == "traces" for each in read_heartbeats(connection)):
            raise Conflict("no traces role runs, so nothing is exported", hint="lfr traces")
        test = make_test(secrets.randbits(48))
        connection.transact(queue_commands([test], 0))
        result: dict[str, Any] | None = None
        deadline = time.monotonic() + wait_seconds
        try:
            while result is None and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                result = read_test_result(connection, test)
        finally:
            cancel_test(connection, test)
    late = f"the role traces has not reported within {wait_seconds:g} s"
    return result or {"trace_id": None, "problem": late}
