"""The role receipts: logs each event that has been processed, then clears it from the stream.

Writes a line of JSON for each receipt: `receipt` and `for`, the ids of the receipt and of its event;
`action`, `at`; and `target`, the event, or null if it is gone (it had a receipt before). A line is written
before the receipt counts as logged: after a crash the last lines may stand there twice.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TextIO

from lfr import events
from lfr.errors import CannotWrite
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.cleanup import LoggedReceipt, StreamCleaner, queue_old_entries, queue_receipts
from lfr.store.stream.entries import Entry, as_text, read_entries
from lfr.store.stream.groups import FIRST_ID
from lfr.values.json import encode_json

_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

_NICE = 10
"""The niceness of the process: on a busy machine workflows come before the clearing of the stream."""

_CLEAR_EVERY_SECONDS = 0.25

_RESCAN_SECONDS = 60.0
"""How often the stream is scanned from its beginning for old events that nobody gives a receipt to."""

_MAX_CACHED_EVENTS = 10_000
_MAX_CACHED_BYTES = 4096
"""How many events are kept in memory until their receipt is read, and the size of the largest."""


class Receipts(Consumer):
    """Consumes receipts: writes a line to `log` for each, then clears the stream of it and of its event."""

    def __init__(self, store: Store, log: TextIO) -> None:
        super().__init__(store, "__receipt__", select=(events.RECEIPT,))
        self._log = log
        self._cleaner = StreamCleaner(self.id, store.settings.receipts_forget_seconds)
        self._clear_at = 0.0
        self._retain_ms = round(1000 * store.settings.events_retain_seconds)
        self._scanned_to = FIRST_ID
        self._rescan_at = 0.0
        self._cached_events: dict[str, str] = {}  # entry id -> the event as JSON

    def on_pass(self, connection: Connection) -> float:
        """Clear the stream, at most every 0.25 s, because a busy group has many pending entries to read."""
        now = time.monotonic()
        if now >= self._clear_at:
            self._queue_old_entries(connection, now)
            self._cleaner.clear(connection)
            self._clear_at = now + _CLEAR_EVERY_SECONDS
        return super().on_pass(connection)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Log the receipts of a batch, then acknowledge them and queue them with their events for clearing.

        Acknowledges all other events. Small ones stay in memory until their receipt is read; the rest is read
        from the stream again. Raises CannotWrite.
        """
        receipts: list[tuple[Entry, events.Receipt]] = []
        other_ids: list[str] = []
        for entry, values in _decode_all(batch):
            receipt = _parse_receipt(values)
            if receipt is not None:
                receipts.append((entry, receipt))
                continue
            other_ids.append(entry.id)
            if sum(map(len, entry.fields.values())) <= _MAX_CACHED_BYTES:
                self._cached_events[entry.id] = _event_json(entry, values)
        self.acknowledge_later(other_ids)
        if receipts:
            targets = self._load_targets(connection, [receipt.target for _, receipt in receipts])
            self._write(_log_line(entry, receipt, targets.get(receipt.target)) for entry, receipt in receipts)
            logged = [
                # If its event is gone, only the receipt itself is to be cleared.
                LoggedReceipt(entry.id, receipt.target if receipt.target in targets else entry.id)
                for entry, receipt in receipts
            ]
            queue_receipts(connection, self.id, logged)

    def _queue_old_entries(self, connection: Connection, now: float) -> None:
        scanned_to = queue_old_entries(connection, self.store.stream, self._scanned_to, self._retain_ms)
        if scanned_to == self._scanned_to and now >= self._rescan_at:
            scanned_to, self._rescan_at = FIRST_ID, now + _RESCAN_SECONDS
        self._scanned_to = scanned_to

    def _load_targets(self, connection: Connection, ids: Sequence[str]) -> dict[str, str]:
        """Return the events with these ids as JSON: most are cached, the others are read from the stream."""
        targets = {id: self._cached_events.pop(id) for id in ids if id in self._cached_events}
        missing = [id for id in ids if id not in targets]
        if missing:
            entries = read_entries(connection, self.store.stream, missing)
            targets.update((entry.id, _event_json(entry, values)) for entry, values in _decode_all(entries))
        while len(self._cached_events) > _MAX_CACHED_EVENTS:
            del self._cached_events[next(iter(self._cached_events))]
        return targets

    def _write(self, lines: Iterable[str]) -> None:
        try:
            self._log.writelines(lines)
            self._log.flush()
        except OSError as error:
            raise CannotWrite(f"cannot write the log of receipts: {error.strerror}") from None


def _decode_all(entries: Sequence[Entry]) -> Iterable[tuple[Entry, events.Values | events.Malformed]]:
    return zip(entries, events.decode_all([entry.fields for entry in entries]), strict=True)


def _parse_receipt(values: events.Values | events.Malformed) -> events.Receipt | None:
    """Return the receipt. None for any other event, and for a malformed receipt, which is a dead letter."""
    if isinstance(values, events.Malformed) or values.get(b"kind") != events.RECEIPT:
        return None
    try:
        receipt = events.parse_receipt(values)
    except events.Malformed:
        return None
    return receipt if _ENTRY_ID.fullmatch(receipt.target) else None


def _log_line(entry: Entry, receipt: events.Receipt, target: str | None) -> str:
    at = entry.fields.get(b"at", b"null").decode()
    members = f'"receipt":"{entry.id}","for":"{receipt.target}","action":{encode_json(receipt.action)}'
    return f'{{{members},"at":{at},"target":{target or "null"}}}'.replace("\n", " ") + "\n"


def _event_json(entry: Entry, values: events.Values | events.Malformed) -> str:
    """Return an event as one JSON object. Its fields are JSON already; those of a malformed event become
    texts."""
    if isinstance(values, events.Malformed):
        return encode_json(as_text(entry))
    members = (
        f"{encode_json(name.decode(errors='backslashreplace'))}:{value.decode()}"
        for name, value in entry.fields.items()
    )
    return "{" + ",".join(members) + "}"


def run(store: Store, context: RoleContext, to: str | None = None) -> int:
    """Run the role until it is stopped. Return the exit code. `to`: a file to append to instead of stdout.

    Raises CannotWrite if the file cannot be written.
    """
    try:
        log = nullcontext(sys.stdout) if to is None else Path(to).open("a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CannotWrite(f"cannot append to {to}: {error.strerror}") from None
    with suppress(PermissionError):  # a sandbox may forbid it; then the role has the priority of the others
        os.nice(_NICE)
    with log as file:
        return run_consumers(context, [Receipts(store, file)])
