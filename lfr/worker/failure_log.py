"""Logs the exceptions of tasks, as their authors need them."""

from __future__ import annotations

import logging
from contextlib import suppress
from traceback import format_exception
from types import TracebackType
from typing import Final

from lfr import events
from lfr.host.journal import log_fields

LOGGER = logging.getLogger(__name__)

_OWN_PACKAGES: Final = ("lfr", "asyncio")
"""Packages whose frames the author of a task does not need in a traceback."""


def log_failure(task: events.StartTask, error: BaseException) -> None:
    """Log that a task has raised an exception that does not say what is wrong by itself."""
    with suppress(BaseException):  # an exception that cannot be formatted
        LOGGER.error(
            "%s of %s, step %d, has failed",
            *(task.base, task.workflow, task.index),
            exc_info=(type(error), error, _without_own_frames(error.__traceback__)),
            extra=log_fields(task.workflow, task.index),
        )


def format_traceback(error: BaseException) -> str:
    """Return the traceback of what a task has raised, from the task's first frame on; empty if the exception
    cannot be formatted."""
    with suppress(BaseException):
        return "".join(format_exception(type(error), error, _without_own_frames(error.__traceback__)))
    return ""


def _without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the task's first frame on: the frames of lfr tell its author nothing."""
    own = traceback
    while own is not None and own.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _OWN_PACKAGES:
        own = own.tb_next
    return own or traceback
