"""The role receipts: logs each event that has been processed.

Writes a line of JSON for each receipt: `receipt` and `for`, the ids of the receipt and of its event;
`action`, `at`; and `target`, the event, or null if it is gone (it had a receipt before). A line is written
before the receipt counts as logged: after a crash the last lines may stand there twice.

In `workflows:receipts`, a receipt is for many entries of one stream. When it is logged, this role deletes
those that only one group reads; the housekeeper of the lifecycles clears those of the bus once every group
has read them. A receipt on the bus is an event for one other, and is cleared with it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from lfr import event_fields, events
from lfr.errors import CannotWrite
from lfr.event_fields import Malformed, Values
from lfr.host.journal import is_journal
from lfr.host.rotated_file import RotatedFile
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store import keys
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.cleanup import clear_commands
from lfr.store.stream.entries import Entry, acknowledge_command, flatten_pairs
from lfr.store.stream.event_texts import EventTexts
from lfr.store.stream.read_size import MAX_READ_BYTES, ReadSize
from lfr.values.json import encode_json
from lfr.values.printable import printable_json_lines

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
_MAX_CACHED_EVENT_BYTES = 4096
"""How many events are kept in memory until their receipt is read, and the size of the largest."""


_ParsedReceipt: TypeAlias = tuple[Entry, events.JoinedReceipt]


class Receipts(Consumer):
    """Consumes receipts and writes a line to `log` for each."""

    def __init__(self, store: Store, log: TextIO) -> None:
        super().__init__(
            store, "__receipt__", streams=(store.stream, keys.RECEIPTS), select=(events.RECEIPT,)
        )
        self._log_file = log
        self._live_at = 0.0
        self._texts = EventTexts()
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
        on_bus = [entry for entry in batch if entry.stream != keys.RECEIPTS]
        receipts = self._parse_bus_receipts(on_bus)
        receipt_ids = {entry.id for entry, _ in receipts}
        self._cache([entry for entry in on_bus if entry.id not in receipt_ids])
        if joined := [entry for entry in batch if entry.stream == keys.RECEIPTS]:
            self._log_some_joined(connection, joined)
        size = ReadSize()
        while receipts:
            count = size.next_count(len(receipts))
            received_before = connection.received_bytes
            self._log(connection, receipts[:count])
            size.note(count, connection.received_bytes - received_before)
            receipts = receipts[count:]
        while len(self._cached_events) > _MAX_CACHED_EVENTS:
            del self._cached_events[next(iter(self._cached_events))]
        self.settle_later(on_bus)

    def _cache(self, entries: Sequence[Entry]) -> None:
        """Keep the texts of small events in memory until their receipt is read."""
        small = [
            entry for entry in entries if sum(map(len, entry.fields.values())) <= _MAX_CACHED_EVENT_BYTES
        ]
        texts = self._texts.encode([flatten_pairs(entry.fields.items()) for entry in small])
        self._cached_events.update(zip((entry.id for entry in small), texts, strict=True))

    def _parse_bus_receipts(self, entries: Sequence[Entry]) -> list[_ParsedReceipt]:
        """Return the receipts among entries of the bus. A malformed one is none, but a dead letter."""
        receipts = [entry for entry in entries if event_fields.peek_kind(entry.fields) == events.RECEIPT]
        parsed: list[_ParsedReceipt] = []
        for entry, values in _decode_all(receipts):
            with suppress(Malformed):
                receipt = events.parse_receipt(_checked(values))
                if _ENTRY_ID.fullmatch(receipt.target):
                    joined = events.JoinedReceipt((receipt.target,), self.store.stream, receipt.action)
                    parsed.append((entry, joined))
        return parsed

    def _log_some_joined(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Log receipts for many entries, fewer receipts at once if the entries are large; leave the rest to
        later passes once they are too large for one pass."""
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
        """Log receipts for many entries, then clear these and the receipts in one transaction. (XRANGE; XDEL,
        ZADD, XACK)"""
        receipts: list[_ParsedReceipt] = []
        for entry, values in _decode_all(entries):
            with suppress(Malformed):
                receipts.append((entry, events.parse_joined_receipt(_checked(values))))
        self._log(connection, receipts)
        receipt_ids = [entry.id for entry in entries]
        [consumer] = (id for id in self.ids if id.stream == keys.RECEIPTS)
        bus = self.store.stream
        commands = [command for _, receipt in receipts for command in clear_commands(bus, receipt)]
        commands += [acknowledge_command(consumer, receipt_ids), ("XDEL", keys.RECEIPTS, *receipt_ids)]
        connection.transact(commands)

    def _log(self, connection: Connection, receipts: Sequence[_ParsedReceipt]) -> None:
        """Write a line for each event that one of these receipts is for. Most of those on the bus are cached;
        the others are read. (XRANGE)"""
        bus = self.store.stream
        cached = {
            id: text
            for _, receipt in receipts
            if receipt.stream == bus
            for id in receipt.targets
            if (text := self._cached_events.pop(id, None)) is not None
        }
        missing: dict[str, list[str]] = defaultdict(list)
        for _, receipt in receipts:
            in_memory = cached if receipt.stream == bus else ()  # entries of two streams may have the same id
            missing[receipt.stream] += (id for id in receipt.targets if id not in in_memory)
        texts = self._texts.read(connection, missing)
        if bus in texts:
            texts[bus] |= cached
        lines = [
            line for entry, receipt in receipts for line in _lines(entry, receipt, texts[receipt.stream])
        ]
        try:
            self._log_file.writelines([printable_json_lines(lines)])
            self._log_file.flush()
        except OSError as error:
            raise CannotWrite(f"cannot write the log of receipts: {error.strerror}") from None


def _decode_all(
    entries: Sequence[Entry],
) -> Iterable[tuple[Entry, Values | Malformed]]:
    return zip(entries, event_fields.decode_all([entry.fields for entry in entries]), strict=True)


def _checked(values: Values | Malformed) -> Values:
    """Return the values of an event that was decoded. Raises Malformed."""
    if isinstance(values, Malformed):
        raise values
    return values


def _lines(entry: Entry, receipt: events.JoinedReceipt, texts: Mapping[str, str]) -> list[str]:
    """Return a line of JSON for each event that a receipt is for. `texts` has the events as JSON, by id,
    without those that are gone."""
    at = entry.fields.get(b"at", b"null").decode()
    before = f'{{"receipt":"{entry.id}","for":"'
    between = f'","action":{encode_json(receipt.action)},"at":{at},"target":'
    return [f"{before}{id}{between}{texts.get(id, 'null')}}}" for id in receipt.targets]


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
