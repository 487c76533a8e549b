"""Waits: what a step waits for, from its start-task event; and as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lfr import events
from lfr.events import StartTask
from lfr.tasks.catalogue import ACQUIRE, COUNTDOWN, DELAY, EVENT, RELEASE
from lfr.tasks.delay import delay_due
from lfr.tasks.event_wait import Awaited, read_event_wait
from lfr.tasks.parameters import BadParameter
from lfr.tasks.wait_parameters import wait_parameters
from lfr.values.checks import is_unicode
from lfr.values.json import Json, decode_json_lines, encode_json, encode_json_lines
from lfr.values.stream_id import StreamId

LONGEST_NAME: Final = 1000


@dataclass(frozen=True, slots=True)
class Wait:
    """A step that waits.

    task     what it was asked to do; of its parameters nothing is kept
    since    the id of its start-task event: what came before it and after it goes by the stream's order
    due_ms   when the wait is over by the clock, in milliseconds since the epoch; None: never
    failure  why it then fails; None: it then ends with its input
    event    the event that ends it, or None; `latch`: the latch that ends it when it is at zero, or None
    """

    task: StartTask
    since: str
    due_ms: int | None = None
    failure: str | None = None
    event: Awaited | None = None
    latch: str | None = None

    @property
    def name(self) -> tuple[str, int, int]:
        """Workflow, index and attempt: what it is known by."""
        return self.task.workflow, self.task.index, self.task.attempt

    def ending(self) -> dict[str, Json]:
        """The values of the end-task event when the wait is over by the clock, or by its latch."""
        if self.failure is not None:
            return events.end_task_values(self.task, failure=self.failure)
        return events.end_task_values(self.task, output=self.task.input)


@dataclass(frozen=True, slots=True)
class LatchStep:
    """A step that acquires, releases or counts down (by `task.base`) a latch."""

    task: StartTask
    since: str
    latch: str


def asked_wait(id: str, task: StartTask) -> Wait | LatchStep:
    """What a `wait:` task asks for; `id` is that of its start-task event. Raises BadParameter."""
    started_ms = StreamId.parse(id).ms
    if task.base == DELAY:
        return Wait(task, id, due_ms=delay_due(task.input, task.parameters, started_ms))
    if task.base == EVENT:
        asked = read_event_wait(task.input, task.parameters)
        due_ms = None if asked.timeout is None else started_ms + round(1000 * asked.timeout)
        return Wait(task, id, due_ms=due_ms, failure=asked.failure, event=asked.awaited)
    if task.base in (ACQUIRE, RELEASE, COUNTDOWN):
        return LatchStep(task, id, latch_name(task))
    raise BadParameter(f"there is no task {task.base} in lfr")


def latch_name(task: StartTask) -> str:
    """The name of the latch that a task is about. Raises BadParameter."""
    name = wait_parameters(task.base, task.input, task.parameters)["name"]
    if not name or len(name) > LONGEST_NAME or not is_unicode(name):
        shown = encode_json(name[:40])
        raise BadParameter(
            f"{task.base}: name is {shown}, but must be a text of 1 to {LONGEST_NAME} characters"
        )
    return str(name)


def write_wait(wait: Wait) -> str:
    """A wait as JSON, in lines: all but its input, that, and what must be equal in its event."""
    task, awaited = wait.task, wait.event
    told: dict[str, Json] = {
        "task": [task.workflow, task.name, task.base, task.index, task.attempt],
        "since": wait.since,
    }
    told |= {} if wait.due_ms is None else {"due": wait.due_ms}
    told |= {} if wait.failure is None else {"failure": wait.failure}
    told |= {} if wait.latch is None else {"latch": wait.latch}
    told |= {} if awaited is None else {"event": awaited.kind, "receipt": awaited.is_receipted}
    return encode_json_lines(told, task.input, {} if awaited is None else dict(awaited.match))


def read_wait(text: bytes) -> Wait:
    """A wait from what `write_wait` gives."""
    told, input, match = decode_json_lines(text)
    workflow, name, base, index, attempt = told["task"]
    return Wait(
        task=StartTask(workflow, name, base, index, input, None, attempt),
        since=told["since"],
        due_ms=told.get("due"),
        failure=told.get("failure"),
        event=Awaited(told["event"], match, told["receipt"]) if "event" in told else None,
        latch=told.get("latch"),
    )
