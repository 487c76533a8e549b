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
from lfr.json_text import NotJson, read_json, write_json
from lfr.roles.process import run_listeners
from lfr.store.connection import Link, Store
from lfr.store.dead_letters import as_text
from lfr.store.receipts import Clearing, Logged, read_targets, remember_logged
from lfr.store.stream import Entry
from lfr.worker.listener import BatchListener

_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

_NICE = 10
"""Where the processor is short, work goes before clearing up after it."""

_CLEAR_EVERY_SECONDS = 0.25

_MOST_SEEN = 20_000
"""How many events are kept in memory until their receipt comes by."""


class Receipts(BatchListener):
    """Reads receipts, writes lines to `log`, clears the stream."""

    def __init__(self, store: Store, log: TextIO) -> None:
        super().__init__(store, "__receipt__", select=(events.RECEIPT,))
        self._log = log
        self._clearing = Clearing(self.reader, store.settings.receipts_forget_seconds)
        self._clear_at = 0.0
        self._seen: dict[str, Entry] = {}

    def on_pass(self, link: Link) -> float:
        """Clear what every group has read past, now and then: a group that is busy has much pending."""
        now = time.monotonic()
        if now >= self._clear_at:
            self._clearing.clear(link)
            self._clear_at = now + _CLEAR_EVERY_SECONDS
        return super().on_pass(link)

    def process_batch(self, link: Link, batch: Sequence[Entry]) -> None:
        """Log the receipts of a pass, all lines before any of them counts as logged."""
        ours = _receipts(batch)
        receipts = {entry.id for entry, _ in ours}
        foreign = {entry.id: entry for entry in batch if entry.id not in receipts}
        self._seen |= foreign
        self.acknowledge_later(list(foreign))
        if ours:
            targets = self._targets(link, [receipt.target for _, receipt in ours])
            self._write(_line(entry, receipt, targets.get(receipt.target)) for entry, receipt in ours)
            logged = [
                # With its target gone, a receipt has only itself to clear.
                Logged(entry.id, receipt.target if receipt.target in targets else entry.id)
                for entry, receipt in ours
            ]
            remember_logged(link, self.reader, logged)

    def _targets(self, link: Link, ids: Sequence[str]) -> dict[str, Entry]:
        """The events with these ids: most have just come by, the others are looked up."""
        found = {id: self._seen.pop(id) for id in ids if id in self._seen}
        missing = [id for id in ids if id not in found]
        if missing:
            found.update((entry.id, entry) for entry in read_targets(link, self.store.stream, missing))
        while len(self._seen) > _MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        return found

    def _write(self, lines: Iterable[str]) -> None:
        try:
            self._log.writelines(lines)
            self._log.flush()
        except OSError as error:
            raise CannotWrite(f"cannot write the log of receipts: {error.strerror}") from None


def _receipts(batch: Sequence[Entry]) -> list[tuple[Entry, events.Receipt]]:
    """The receipts of a batch. What only looks like one is not among them: the lifecycle buries it."""
    found: list[tuple[Entry, events.Receipt]] = []
    candidates = [entry for entry in batch if events.is_kind(entry.fields, events.RECEIPT)]
    decoded = events.decode_all([entry.fields for entry in candidates])
    for entry, values in zip(candidates, decoded, strict=True):
        if not isinstance(values, events.Malformed):
            with suppress(events.Malformed):
                receipt = events.read_receipt(values)
                if _ENTRY_ID.fullmatch(receipt.target):
                    found.append((entry, receipt))
    return found


def _line(entry: Entry, receipt: events.Receipt, target: Entry | None) -> str:
    about = f'"receipt":"{entry.id}","for":"{receipt.target}","action":{write_json(receipt.action)}'
    at = entry.fields.get(b"at", b"null").decode()
    return f'{{{about},"at":{at},"target":{"null" if target is None else _json(target)}}}\n'


def _json(entry: Entry) -> str:
    """An event as one JSON object. Its fields are JSON already; if they are not, as text."""
    fields = (f"{write_json(name.decode())}:{value.decode()}" for name, value in entry.fields.items())
    try:
        text = "{" + ",".join(fields) + "}"
        read_json(text.encode())
    except (UnicodeDecodeError, NotJson):
        return write_json(as_text(entry))
    return text.replace("\n", " ")


def run(store: Store, to: str | None = None) -> int:
    """Run the role until it is stopped; the process's exit code. `to`: a file to append to, not stdout.

    Raises CannotWrite if the file cannot be written.
    """
    try:
        log = nullcontext(sys.stdout) if to is None else Path(to).open("a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CannotWrite(f"cannot append to {to}: {error.strerror}") from None
    os.nice(_NICE)
    with log as lines:
        return run_listeners([Receipts(store, lines)])
