"""Logs each event that has been dealt with, then clears it from the stream.

A line of JSON for each receipt: `receipt` and `for`, the ids of the receipt and of the event that it
is for; `action`, `at`; and `target`, that event, or null if it is gone (it had a receipt before). A
line is written before the receipt counts as logged: after a crash the last lines may be there twice.
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
from lfr.store.stream.entries import Entry, as_text
from lfr.store.stream.receipts import Clearing, Logged, note_unclaimed, read_targets, remember_logged
from lfr.values.json import encode_json

_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

_NICE = 10
"""Where the processor is short, work goes before clearing up after it."""

_CLEAR_EVERY_SECONDS = 0.25

_LOOK_AGAIN_SECONDS = 60.0
"""How often the stream is looked through from its beginning for what nobody will give a receipt to."""

_MOST_SEEN = 10_000
_LARGEST_SEEN = 4096
"""How many events are kept in memory until their receipt comes by, and of how many bytes at most."""


class Receipts(Consumer):
    """Reads receipts, writes lines to `log`, clears the stream."""

    def __init__(self, store: Store, log: TextIO) -> None:
        super().__init__(store, "__receipt__", select=(events.RECEIPT,))
        self._log = log
        self._clearing = Clearing(self.id, store.settings.receipts_forget_seconds)
        self._clear_at = 0.0
        self._retain_ms = round(1000 * store.settings.events_retain_seconds)
        self._unclaimed_to = "0-0"
        self._look_again_at = 0.0
        self._seen: dict[str, str] = {}  # events that have come by, as JSON, by id

    def on_pass(self, connection: Connection) -> float:
        """Clear what every group has read past, now and then: a group that is busy has much pending."""
        now = time.monotonic()
        if now >= self._clear_at:
            self._note_unclaimed(connection, now)
            self._clearing.clear(connection)
            self._clear_at = now + _CLEAR_EVERY_SECONDS
        return super().on_pass(connection)

    def _note_unclaimed(self, connection: Connection, now: float) -> None:
        before = self._unclaimed_to
        self._unclaimed_to = note_unclaimed(connection, self.store.stream, before, self._retain_ms)
        if self._unclaimed_to == before and now >= self._look_again_at:
            self._unclaimed_to, self._look_again_at = "0-0", now + _LOOK_AGAIN_SECONDS

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Log the receipts of a pass, all lines before any of them counts as logged."""
        ours: list[tuple[Entry, events.Receipt]] = []
        foreign: list[str] = []
        for entry, values in _decoded(batch):
            receipt = _receipt(values)
            if receipt is not None:
                ours.append((entry, receipt))
                continue
            foreign.append(entry.id)
            if sum(map(len, entry.fields.values())) <= _LARGEST_SEEN:
                self._seen[entry.id] = _json(entry, values)
        self.acknowledge_later(foreign)
        if ours:
            targets = self._targets(connection, [receipt.target for _, receipt in ours])
            self._write(_line(entry, receipt, targets.get(receipt.target)) for entry, receipt in ours)
            logged = [
                # With its target gone, a receipt has only itself to clear.
                Logged(entry.id, receipt.target if receipt.target in targets else entry.id)
                for entry, receipt in ours
            ]
            remember_logged(connection, self.id, logged)

    def _targets(self, connection: Connection, ids: Sequence[str]) -> dict[str, str]:
        """The events with these ids, as JSON: most have just come by, the others are looked up."""
        found = {id: self._seen.pop(id) for id in ids if id in self._seen}
        missing = [id for id in ids if id not in found]
        if missing:
            there = read_targets(connection, self.store.stream, missing)
            found.update((entry.id, _json(entry, values)) for entry, values in _decoded(there))
        while len(self._seen) > _MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        return found

    def _write(self, lines: Iterable[str]) -> None:
        try:
            self._log.writelines(lines)
            self._log.flush()
        except OSError as error:
            raise CannotWrite(f"cannot write the log of receipts: {error.strerror}") from None


def _decoded(entries: Sequence[Entry]) -> Iterable[tuple[Entry, events.Values | events.Malformed]]:
    return zip(entries, events.decode_all([entry.fields for entry in entries]), strict=True)


def _receipt(values: events.Values | events.Malformed) -> events.Receipt | None:
    """The receipt, or None for any other event, and for one that the lifecycle buries."""
    if isinstance(values, events.Malformed) or values.get(b"kind") != events.RECEIPT:
        return None
    try:
        receipt = events.parse_receipt(values)
    except events.Malformed:
        return None
    return receipt if _ENTRY_ID.fullmatch(receipt.target) else None


def _line(entry: Entry, receipt: events.Receipt, target: str | None) -> str:
    at = entry.fields.get(b"at", b"null").decode()
    about = f'"receipt":"{entry.id}","for":"{receipt.target}","action":{encode_json(receipt.action)}'
    return f'{{{about},"at":{at},"target":{target or "null"}}}'.replace("\n", " ") + "\n"


def _json(entry: Entry, values: events.Values | events.Malformed) -> str:
    """An event as one JSON object: its fields are JSON already. If they are not, as text."""
    if isinstance(values, events.Malformed):
        return encode_json(as_text(entry))
    fields = (
        f"{encode_json(name.decode(errors='backslashreplace'))}:{value.decode()}"
        for name, value in entry.fields.items()
    )
    return "{" + ",".join(fields) + "}"


def run(store: Store, context: RoleContext, to: str | None = None) -> int:
    """Run the role until it is stopped; the process's exit code. `to`: a file to append to, not stdout.

    Raises CannotWrite if the file cannot be written.
    """
    try:
        log = nullcontext(sys.stdout) if to is None else Path(to).open("a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CannotWrite(f"cannot append to {to}: {error.strerror}") from None
    with suppress(PermissionError):  # a sandbox may say no; then it is as urgent as the others
        os.nice(_NICE)
    with log as lines:
        return run_consumers(context, [Receipts(store, lines)])
