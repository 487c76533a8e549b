"""Logs: plain lines on a terminal; in the journal, entries with a priority and with fields to look for.

`JOURNAL_STREAM` names the device and inode of the stream that systemd has connected to the journal
(systemd.exec(5)). Then each record is one entry, sent to the journal's own socket, with `LFR_ROLE` and, where
it is about one, `LFR_WORKFLOW` and `LFR_STEP`. (systemd.io/JOURNAL_NATIVE_PROTOCOL) What the socket does not
take goes as lines, of which the journal reads `<N>` at the start as the priority (sd-daemon(3)).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Final, TextIO

_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Least level -> syslog's priority: err, warning, info. Below all of them: 7, debug."""


SOCKET: Final = "/run/systemd/journal/socket"


def about(workflow: str, step: int | None = None) -> dict[str, object]:
    """What a record is about, as `extra` of a call that logs it."""
    return {"lfr_workflow": workflow, "lfr_step": step}


def entry(fields: Mapping[str, str]) -> bytes:
    """An entry as the journal's socket takes it: `NAME=VALUE` lines; of a value that has lines of its own the
    name, its size in eight bytes, little-endian, and the value."""
    told = b""
    for name, text in fields.items():
        value = text.encode(errors="replace")
        if b"\n" in value:
            told += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        else:
            told += name.encode() + b"=" + value + b"\n"
    return told


class _JournalHandler(logging.Handler):
    """Sends each record as one entry; if that is refused (too large, the journal is away), as lines."""

    def __init__(self, role: str, address: str, lines: logging.Handler) -> None:
        super().__init__()
        self._role = role
        self._address = address
        self._lines = lines
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        try:
            self._link.sendto(entry(self._fields(record)), self._address)
        except OSError:
            self._lines.emit(record)
        except Exception:  # as every handler of logging: what cannot be logged must not stop who logs
            self.handleError(record)

    def close(self) -> None:
        """Send nothing any more."""
        self._link.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(priority(record.levelno)),
            "SYSLOG_IDENTIFIER": "lfr",
            "LFR_ROLE": self._role,
            "LFR_WORKFLOW": getattr(record, "lfr_workflow", ""),
        }
        step = getattr(record, "lfr_step", None)
        if step is not None:
            fields["LFR_STEP"] = str(step)
        return {name: value for name, value in fields.items() if value}


class _JournalFormatter(logging.Formatter):
    """Each line of a record with its priority: the journal takes every line by itself."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{priority(record.levelno)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines() or [""])


def priority(level: int) -> int:
    """The priority of the journal for a level of `logging`."""
    return next((number for least, number in _PRIORITIES if level >= least), 7)


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether the journal reads this stream."""
    named = environment.get("JOURNAL_STREAM", "")
    if not named:
        return False
    try:
        about = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{about.st_dev}:{about.st_ino}"


def set_up_logging(
    level: str,
    stream: TextIO,
    environment: Mapping[str, str] | None = None,
    *,
    role: str = "",
    journal: str = SOCKET,
) -> None:
    """Log everything from `level` (DEBUG, INFO, WARNING or ERROR) on to `stream`, or, if the journal reads
    that stream, to the journal. `role`: what this process is; `journal`: the journal's socket."""
    handler: logging.Handler = logging.StreamHandler(stream)
    if is_journal(stream, os.environ if environment is None else environment):
        handler.setFormatter(_JournalFormatter("%(message)s"))
        handler = _JournalHandler(role, journal, handler)
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
