"""Logs: plain lines on a terminal; with the journal's priorities, and no time, where the journal reads.

`JOURNAL_STREAM` names the device and inode of the stream that systemd has connected to the journal
(systemd.exec(5)); the journal takes `<N>` at the start of a line as its priority (sd-daemon(3)).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final, TextIO

_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Least level -> syslog's priority: err, warning, info. Below all of them: 7, debug."""


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


def set_up_logging(level: str, stream: TextIO, environment: Mapping[str, str] | None = None) -> None:
    """Log everything from `level` (DEBUG, INFO, WARNING or ERROR) on to `stream`."""
    handler = logging.StreamHandler(stream)
    if is_journal(stream, os.environ if environment is None else environment):
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
