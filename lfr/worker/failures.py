"""How a task ends other than with an output."""

from __future__ import annotations

from lfr import events
from lfr.values.json import InvalidJson, Json
from lfr.worker.context import Fatal
from lfr.worker.failure_log import log_failure
from lfr.worker.registry import describe_exception


class TaskFailed(Exception):
    """The task has failed; the text is the reason. `is_final`: another attempt would fail as well."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class CompletedElsewhere(Exception):
    """The task has been handed on: another process appends its end-task event."""


def failed_task_values(task: events.StartTask, error: BaseException) -> dict[str, Json] | None:
    """Return the values of the end-task of a task that has raised this; None: another process appends it.
    Logs an exception that does not say what is wrong by itself."""
    is_final = isinstance(error, Fatal) or (isinstance(error, TaskFailed) and error.is_final)
    if isinstance(error, CompletedElsewhere):
        return None
    if isinstance(error, InvalidJson):
        reason = f"the output of {task.base} is not JSON: {error}"
    elif isinstance(error, TaskFailed):
        reason = str(error) or "it gave no reason"
    else:  # whatever a task raises, SystemExit too, is a failure of the task
        reason = describe_exception(error)
        if not isinstance(error, Fatal):
            log_failure(task, error)
    return events.end_task_values(task, failure=reason, is_final=is_final)
