"""Logging: plain lines on a terminal; in systemd's journal, entries with a priority and fields.

If `JOURNAL_STREAM` names the stream by device and inode, systemd has connected it to the journal
(systemd.exec(5)). Then each record is sent as one entry to the journal's socket, with `LFR_ROLE` and, if it
concerns a workflow, `LFR_WORKFLOW` and `LFR_STEP` (systemd.io/JOURNAL_NATIVE_PROTOCOL). Records that the
socket refuses are written as lines, where `<N>` at the start is the priority (sd-daemon(3)).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Any, Final, TextIO

from lfr.values.printable import printable, printable_lines

_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Least level -> priority of syslog: err, warning, info."""

SOCKET: Final = "/run/systemd/journal/socket"


def log_fields(workflow: str, step: int | None = None) -> dict[str, object]:
    """Return the `extra` of a logging call that concerns a workflow and, unless it is None, a step of it."""
    return {"lfr_workflow": workflow, "lfr_step": step}


def encode_entry(fields: Mapping[str, str]) -> bytes:
    """Return an entry for the journal's socket: a line `NAME=VALUE` for each field.

    For a value with line breaks: the name, a line break, the value's size as eight bytes in little-endian
    order, the value, a line break. (systemd's Native Journal Protocol)
    """
    encoded = b""
    for name, text in fields.items():
        value = text.encode(errors="replace")
        if b"\n" in value:
            encoded += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        else:
            encoded += name.encode() + b"=" + value + b"\n"
    return encoded


class _JournalHandler(logging.Handler):
    """Sends each record as an entry; if that is refused (too large, journal down), as lines."""

    def __init__(self, role: str, address: str, lines: logging.Handler) -> None:
        super().__init__()
        self._role = role
        self._address = address
        self._lines = lines
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._socket.sendto(encode_entry(self._fields(record)), self._address)
        except OSError:
            self._lines.emit(record)
        except Exception:  # as in every logging handler: an error must not reach the caller of the logger
            self.handleError(record)

    def close(self) -> None:
        self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        step = getattr(record, "lfr_step", None)
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(syslog_priority(record.levelno)),
            "SYSLOG_IDENTIFIER": "lfr",
            "LFR_ROLE": self._role,
            "LFR_WORKFLOW": getattr(record, "lfr_workflow", ""),
            "LFR_STEP": "" if step is None else str(step),
        }
        return {name: value for name, value in fields.items() if value}


class _Formatter(logging.Formatter):
    """Writes a message in one line, and the lines of a traceback indented below it: texts from outside cannot
    add lines that look like those of lfr, nor control the terminal that shows them."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return "  " + printable_lines(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return "  " + printable_lines(stack_info)


class _JournalFormatter(_Formatter):
    """Writes the priority before each line: the journal makes an entry of each."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{syslog_priority(record.levelno)}>"
        return "\n".join(prefix + line for line in super().format(record).split("\n"))


def syslog_priority(level: int) -> int:
    """Return the priority of syslog for a level of `logging`; 7, debug, below INFO."""
    return next((number for least, number in _PRIORITIES if level >= least), 7)


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether a stream is connected to the journal, as JOURNAL_STREAM in the environment says."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def set_up_logging(
    level: str,
    stream: TextIO,
    environment: Mapping[str, str] | None = None,
    *,
    role: str = "",
    journal: str = SOCKET,
) -> None:
    """Log records from `level` (DEBUG, INFO, WARNING or ERROR) upwards to `stream`, or to the journal if the
    stream is connected to it, in place of all handlers of the root logger. `role` is that of this process,
    `journal` the journal's socket; the environment is by default that of this process."""
    handler: logging.Handler = logging.StreamHandler(stream)
    if is_journal(stream, os.environ if environment is None else environment):
        handler.setFormatter(_JournalFormatter("%(message)s"))
        handler = _JournalHandler(role, journal, handler)
        handler.setFormatter(_Formatter("%(message)s"))
    else:
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
