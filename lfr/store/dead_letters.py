"""Events that could not be understood: kept aside with the reason, so that they stop nobody."""

from __future__ import annotations

from lfr.json_text import write_json
from lfr.store import keys
from lfr.store.connection import Command
from lfr.store.stream import Entry

_MOST = 10_000
"""About how many dead letters are kept; the oldest go first."""


def as_text(entry: Entry) -> dict[str, str]:
    """The raw fields of an entry as text, whatever they hold."""
    return {
        name.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
        for name, value in entry.fields.items()
    }


def bury(entry: Entry, reason: str, at: str) -> Command:
    """The command that copies an entry to the dead letters. (XADD)"""
    told = ("id", entry.id, "at", at, "reason", reason, "event", write_json(as_text(entry)))
    return ("XADD", keys.DEAD, "MAXLEN", "~", _MOST, "*", *told)
