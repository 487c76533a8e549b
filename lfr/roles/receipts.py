"""The role receipts: logs each event that has been processed.

Writes a line of JSON for each receipt: `receipt` and `for`, the ids of the receipt and of its event;
`action`, `at`; and `target`, the event, or null if it is gone (it had a receipt before). A line is written
before the receipt counts as logged: after a crash the last lines may stand there twice.

On the bus, each receipt is an event, and the housekeeper of the lifecycles clears both once every group has
read them. In `workflows:receipts`, a receipt is for many entries of a stream that only one group reads: this
role deletes them when it has logged them.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from lfr import events
from lfr.errors import CannotWrite
from lfr.host.journal import is_journal
from lfr.host.rotated_file import RotatedFile
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.stream.entries import Entry, acknowledge_command, as_text
from lfr.store.stream.read_size import MAX_READ_BYTES, ReadSize, read_entries, read_ranges
from lfr.values.json import encode_json
from lfr.values.printable import printable_json

_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

LOGGER = logging.getLogger(__name__)

_FILE = "receipts.jsonl"
_FILES = 10
"""The name of the file under systemd, and how many files stay."""

_ROTATE_MB = 100.0

_NICE = 10
"""The niceness of the process: on a busy machine workflows come before the clearing of the stream."""

_LIFE_SECONDS = 10
_LIFE_EVERY_SECONDS = 2.0
"""How long the key lives that tells others that a receipts role runs, and how often it is set."""

_MAX_JOINED = 16
"""How many receipts for entries of queues are logged at once: each may be for a whole batch of a worker."""

_PAUSE_SECONDS = 0.05
"""The pause after a read of less than a batch: the receipts of a busy installation come in fewer reads."""

_MAX_CACHED_EVENTS = 10_000
_MAX_CACHED_BYTES = 4096
"""How many events are kept in memory until their receipt is read, and the size of the largest."""


class Receipts(Consumer):
    """Consumes receipts and writes a line to `log` for each."""

    def __init__(self, store: Store, log: TextIO) -> None:
        super().__init__(
            store, "__receipt__", streams=(store.stream, keys.RECEIPTS), select=(events.RECEIPT,)
        )
        self._log = log
        self._live_at = 0.0
        self._target_read_size = ReadSize()
        self._joined_read_size = ReadSize()
        self._cached_events: dict[str, str] = {}  # entry id -> the event as JSON

    def join(self, connection: Connection) -> None:
        """Create the groups, then tell others that a receipts role runs."""
        super().join(connection)
        self._live_at = 0.0

    def on_pass(self, connection: Connection) -> float:
        """Tell others, every two seconds, that a receipts role runs. (SET EX)"""
        now = time.monotonic()
        if now >= self._live_at:
            self._live_at = now + _LIFE_EVERY_SECONDS
            connection.call("SET", keys.RECEIPTS_ROLE, 1, "EX", _LIFE_SECONDS)
        return super().on_pass(connection)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Log the receipts of a batch, then settle them. Raises CannotWrite.

        Acknowledges all other events. Small ones stay in memory until their receipt is read; the rest is read
        from the stream again.
        """
        if len(batch) < self.capacity():
            self.pause_once(_PAUSE_SECONDS)
        joined = [entry for entry in batch if entry.stream == keys.RECEIPTS]
        if joined:
            self._log_some_joined(connection, joined)
        receipts: list[tuple[Entry, events.Receipt]] = []
        others: list[Entry] = []
        for entry, values in _decode_all([entry for entry in batch if entry.stream != keys.RECEIPTS]):
            receipt = _parse_receipt(values)
            if receipt is not None:
                receipts.append((entry, receipt))
                continue
            others.append(entry)
            if sum(map(len, entry.fields.values())) <= _MAX_CACHED_BYTES:
                self._cached_events[entry.id] = _event_json(entry, values)
        if receipts:
            self._write(self._bus_lines(connection, receipts))
        self.settle_later([*others, *(entry for entry, _ in receipts)])

    def _log_some_joined(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Log receipts for entries of queues, fewer at once if these are large; leave the rest to later
        passes once they are too large for one pass."""
        while entries:
            count = self._joined_read_size.next_count(_MAX_JOINED)
            received_before = connection.received_bytes
            self._log_joined(connection, entries[:count])
            size = connection.received_bytes - received_before
            self._joined_read_size.note(len(entries[:count]), size)
            entries = entries[count:]
            if entries and size > MAX_READ_BYTES // 2:
                self.process_later(entries)
                return

    def _log_joined(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Log receipts for entries of queues, then delete these and the receipts in one transaction. One read
        serves all entries of a stream, unless they are large. (XRANGE; XACK, XDEL)"""
        receipts = [(entry, _parse_joined(values)) for entry, values in _decode_all(entries)]
        ids: dict[str, list[str]] = defaultdict(list)
        for _, receipt in receipts:
            if receipt is not None:
                ids[receipt.stream] += receipt.targets
        targets: dict[str, dict[str, str]] = defaultdict(dict)
        for stream, target_ids in ids.items():
            for page in read_ranges(connection, stream, target_ids, self._target_read_size):
                decoded = _decode_all(page)
                targets[stream] |= {target.id: _event_json(target, values) for target, values in decoded}
        for entry, receipt in receipts:
            if receipt is not None:
                self._write(_log_lines(entry, receipt.action, receipt.targets, targets[receipt.stream]))
        receipt_ids = [entry.id for entry in entries]
        [consumer] = (id for id in self.ids if id.stream == keys.RECEIPTS)
        commands: list[Command] = [("XDEL", stream, *target_ids) for stream, target_ids in ids.items()]
        commands += [acknowledge_command(consumer, receipt_ids), ("XDEL", keys.RECEIPTS, *receipt_ids)]
        connection.transact(commands)

    def _bus_lines(
        self, connection: Connection, receipts: Sequence[tuple[Entry, events.Receipt]]
    ) -> Iterator[str]:
        """Yield the lines of receipts on the bus. Most of their events are cached, the others are read from
        the stream, a few at a time."""
        cached = [self._cached_events.pop(receipt.target, None) for _, receipt in receipts]
        missing = [each.target for (_, each), text in zip(receipts, cached, strict=True) if text is None]
        targets = read_entries(connection, self.store.stream, missing)
        target = next(targets, None)
        for (entry, receipt), text in zip(receipts, cached, strict=True):
            events_by_id = {} if text is None else {receipt.target: text}
            if text is None and target is not None and target.id == receipt.target:
                [(_, values)] = _decode_all([target])
                events_by_id[receipt.target] = _event_json(target, values)
                target = next(targets, None)
            yield from _log_lines(entry, receipt.action, [receipt.target], events_by_id)
        while len(self._cached_events) > _MAX_CACHED_EVENTS:
            del self._cached_events[next(iter(self._cached_events))]

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


def _parse_joined(values: events.Values | events.Malformed) -> events.JoinedReceipt | None:
    """Return the receipt for entries of a queue, or None if the event is none."""
    if isinstance(values, events.Malformed):
        return None
    try:
        return events.parse_joined_receipt(values)
    except events.Malformed:
        return None


def _log_lines(entry: Entry, action: str, ids: Iterable[str], targets: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a receipt for the events with these ids. `targets` has the events as JSON, by id,
    without those that are gone."""
    at = entry.fields.get(b"at", b"null").decode()
    before, between = (
        f'{{"receipt":"{entry.id}","for":"',
        f'","action":{encode_json(action)},"at":{at},"target":',
    )
    for id in ids:
        yield printable_json(f"{before}{id}{between}{targets.get(id, 'null')}}}") + "\n"


def _event_json(entry: Entry, values: events.Values | events.Malformed) -> str:
    """Return an event as one JSON object. Its fields are JSON already; those of a malformed event become
    texts."""
    if isinstance(values, events.Malformed):
        return encode_json(as_text(entry))
    return (_object_template(tuple(entry.fields)) % tuple(entry.fields.values())).decode()


@lru_cache(maxsize=16)
def _object_template(names: tuple[bytes, ...]) -> bytes:
    """Return a JSON object with these members, `%b` in place of each value. Few kinds of event are many."""
    members = (encode_json(name.decode(errors="backslashreplace")).encode() for name in names)
    return b"{" + b",".join(member.replace(b"%", b"%%") + b":%b" for member in members) + b"}"


def run(store: Store, context: RoleContext, to: str | None = None, rotate: float = _ROTATE_MB) -> int:
    """Run the role until it is stopped. Return the exit code.

    to      the file to append to; "-": stdout; None: stdout too, but if that is the journal, a file in the
            folder for logs that systemd names: the journal drops lines, and splits long ones
    rotate  the size in millions of bytes after which the file becomes FILE.1, and FILE.1 FILE.2; 0: never

    Raises CannotWrite if the file cannot be written.
    """
    if to is None and is_journal(sys.stdout, os.environ):
        folder = os.environ.get("LOGS_DIRECTORY", "").partition(":")[0]
        to = str(Path(folder, _FILE)) if folder else None
    try:
        log: Any = nullcontext(sys.stdout)
        if to not in (None, "-"):
            log = RotatedFile(Path(str(to)), size=round(rotate * 1e6), count=_FILES)
            LOGGER.info("the receipts go to %s", to)
    except OSError as error:
        raise CannotWrite(f"cannot append to {to}: {error.strerror}") from None
    with suppress(PermissionError):  # a sandbox may forbid it; then the role has the priority of the others
        os.nice(_NICE)
    with log as file:
        return run_consumers(context, [Receipts(store, file)])
