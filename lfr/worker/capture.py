"""Captures what task functions print and log: each line goes to the log of the attempt that has written it.

The attempt is a context variable. So threads share stdout and the loggers, and each line still finds its
attempt; a coroutine has its own, and `asyncio.to_thread` takes it along. What a task writes in a thread that
it has started itself, in a child process, or past `sys.stdout`, belongs to no attempt.

All goes on to where it went before, the terminal or the journal.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, TextIO, cast

from lfr.worker.attempt_log import AttemptLog
from lfr.worker.failure_log import format_traceback
from lfr.worker.failures import TaskFailed
from lfr.worker.log_sender import LogSender


class _Target(NamedTuple):
    """The log of the attempt that runs in this context, and who sends it."""

    log: AttemptLog
    sender: LogSender


_TARGET: Final[ContextVar[_Target | None]] = ContextVar("target", default=None)

_LEVELS: Final = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)
"""Least level -> source of a line; below, it is `debug`."""


class AttemptCapture:
    """A context manager: lets a log have what is written within it, and the traceback of what is raised."""

    __slots__ = ("_target", "_token")

    def __init__(self, log: AttemptLog, sender: LogSender) -> None:
        self._target = _Target(log, sender)

    def __enter__(self) -> None:
        self._token = _TARGET.set(self._target)

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        _TARGET.reset(self._token)
        if error is not None:
            is_reason_enough = isinstance(error, TaskFailed)  # it says itself what is wrong
            self._target.log.fail("" if is_reason_enough else format_traceback(error))


def _target() -> _Target | None:
    target = _TARGET.get()
    return target if target is not None and target.log.is_of_this_process else None


class _CapturedStream:
    """Stands in place of `sys.stdout` or `sys.stderr`, and passes all on to it."""

    def __init__(self, stream: TextIO, source: str) -> None:
        self._stream = stream
        self._source = source

    def write(self, text: str) -> int:
        """Write a text, and add it to the log of the attempt that writes it."""
        target = _target()
        if target is not None and isinstance(text, str) and target.log.write(self._source, text):
            target.sender.add(target.log)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _CaptureHandler(logging.Handler):
    """Adds each record to the log of the attempt that has logged it."""

    def emit(self, record: logging.LogRecord) -> None:
        target = _target()
        if target is None:
            return
        try:
            source = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
            target.log.add(source, self.format(record))
        except Exception:  # as in every logging handler: an error must not reach the caller of the logger
            self.handleError(record)
        else:
            target.sender.add(target.log)


def capture_streams() -> None:
    """Capture what is printed from now on, also by modules that are imported later and hold on to
    `sys.stdout`."""
    if sys.stdout is not None:  # it may have been closed at the start
        sys.stdout = cast(TextIO, _CapturedStream(sys.stdout, "stdout"))
    if sys.stderr is not None:
        sys.stderr = cast(TextIO, _CapturedStream(sys.stderr, "stderr"))


def capture_logging() -> None:
    """Capture the records of all loggers. Handlers of a user's that write to a captured stream write past it
    from now on: else each of their lines would be there twice."""
    handlers = [*logging.getLogger().handlers]
    for logger in list(logging.getLogger().manager.loggerDict.values()):
        handlers += logger.handlers if isinstance(logger, logging.Logger) else ()
    for handler in handlers:
        stream = getattr(handler, "stream", None)
        if isinstance(handler, logging.StreamHandler) and isinstance(stream, _CapturedStream):
            with suppress(OSError, ValueError):  # it flushes first
                handler.setStream(stream._stream)
    logging.getLogger().addHandler(_CaptureHandler())
