"""Parses `wait:` tasks into waits and latch requests; encodes and decodes waits for Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lfr import events
from lfr.events import OWN_KINDS, StartTask
from lfr.tasks.catalogue import ACQUIRE, COUNTDOWN, DELAY, EVENT, RELEASE, find_built_in
from lfr.tasks.match_keys import FieldSet, field_set, match_key
from lfr.tasks.parameters import BadParameter, bad_parameter, errors_named, fill_parameters, parse_parameters
from lfr.tasks.template import CharacterBudget, fill_or_look_up
from lfr.values.checks import is_addressable, is_unicode
from lfr.values.json import Json, decode_json, decode_json_lines, encode_json, encode_json_lines
from lfr.values.pointers import parse_pointer
from lfr.values.stream_id import StreamId

LONGEST_NAME: Final = 1000

MAX_MATCH_CHARACTERS: Final = 2**18
"""How many characters the templates of a match make together: a role holds the matches of a whole batch."""


@dataclass(frozen=True, slots=True)
class EventPattern:
    """The events that complete an event wait.

    `match` are fields that must be equal in the event; `is_receipted`: the event then gets a receipt.
    """

    kind: str
    match: Mapping[str, Json]
    is_receipted: bool = True

    @property
    def match_key(self) -> str:
        """The key under which waits with this kind and match are found."""
        return match_key(self.kind, self.match)

    @property
    def field_set(self) -> FieldSet:
        """The names of the fields in the match."""
        return field_set(self.match)

    def output(self, event_fields: Mapping[str, Json], input: Json) -> Json:
        """Return the step's output when this event completes the wait.

        It is the event's output, if it has the field (an object is merged over the match), else the input.
        """
        if "output" not in event_fields:
            return input
        output = event_fields["output"]
        return {**self.match, **output} if isinstance(output, dict) else output


@dataclass(frozen=True, slots=True)
class Wait:
    """A step that waits.

    task      its start-task, without the parameters once it has been stored
    entry_id  the id of the start-task event; it orders the wait among other waits and events
    due_ms    when the clock ends the wait, in milliseconds since the epoch; None: never, or see `begun`
    failure   why the step then fails; None: it then completes with its input
    pattern   the events that complete the wait, or None
    latch     the latch that completes the wait when it is zero, or None
    duration_ms  how long the wait lasts, at most, as long as `due_ms` is not set; None: it is not limited
    """

    task: StartTask
    entry_id: str
    due_ms: int | None = None
    failure: str | None = None
    pattern: EventPattern | None = None
    latch: str | None = None
    duration_ms: int | None = None

    def begun(self, now_ms: int) -> Wait:
        """Return the wait with its due time, if it has a duration. `now_ms` is the time of Redis.

        The duration counts from the id of the start-task, so a role that was away ends the wait in time. An
        id that is later than now counts as now: the clock has gone back, or another program chose the id.
        """
        if self.duration_ms is None:
            return self
        started_ms = min(StreamId.parse(self.entry_id).ms, now_ms)
        return replace(self, due_ms=started_ms + self.duration_ms, duration_ms=None)

    def end_task_values(self) -> dict[str, Json]:
        """Return the values of the end-task event when the clock or the latch ends the wait."""
        task = self.task
        return events.end_task_values(
            task, output=task.input, output_from=task.input_from, failure=self.failure
        )


@dataclass(frozen=True, slots=True)
class LatchRequest:
    """A step that acquires, releases or counts down a latch, as `task.base` of its start-task event says."""

    task: StartTask
    entry_id: str
    latch: str


def parse_wait(entry_id: str, task: StartTask) -> Wait | LatchRequest:
    """Return the wait or latch request of a start-task event. Raises BadParameter."""
    if task.base == DELAY:
        until_ms, duration_ms = parse_delay(task.input, task.parameters)
        return Wait(task, entry_id, due_ms=until_ms, duration_ms=duration_ms)
    if task.base == EVENT:
        return _parse_event_wait(entry_id, task)
    if task.base in (ACQUIRE, RELEASE, COUNTDOWN):
        return LatchRequest(task, entry_id, _parse_latch_name(task))
    raise BadParameter(f"there is no task {task.base} in lfr")


def parse_delay(input: Json, parameters: Json) -> tuple[int | None, int | None]:
    """Return when a `wait:delay` ends (since the epoch) or how long it lasts, both in milliseconds; the other
    one is None. Raises BadParameter."""
    values = _parameter_values(DELAY, input, parameters)
    if values["until"] is not None:
        return int(values["until"]), None
    return None, round(1000 * float(values["duration"]))


def own_event_error(kind: str) -> str:
    """Return why no workflow can wait for an event of this kind, one of `OWN_KINDS`."""
    return f"{EVENT}: event is {kind}, which is one of lfr's own events"


def _parse_event_wait(entry_id: str, task: StartTask) -> Wait:
    values = _parameter_values(EVENT, task.input, task.parameters)
    kind, timeout = values["event"], values["timeout"]
    if not kind or not is_unicode(kind):
        raise bad_parameter(EVENT, "event", kind, "the kind of an event")
    if kind in OWN_KINDS:
        raise BadParameter(own_event_error(kind))
    failure = None
    if timeout is not None and values["on_timeout"] == "fail":
        failure = f"{EVENT}: no event {kind} has come within {timeout:.10g} s"
    match = _parse_match(values["match"], task.input, task.parameters)
    pattern = EventPattern(kind, match, values["receipt"])
    duration_ms = None if timeout is None else round(1000 * timeout)
    return Wait(task, entry_id, failure=failure, pattern=pattern, duration_ms=duration_ms)


def _parse_match(match: Any, input: Json, parameters: Json) -> dict[str, Json]:
    if match is None:
        return {}
    if match == "input":
        first = input[0] if isinstance(input, list) and input else input
        if isinstance(first, dict):
            return first
        source = "first item of the input" if isinstance(input, list) else "input"
        raise BadParameter(f"{EVENT}: match is input, but the {source} is no object")
    with errors_named(EVENT, "match"):
        names = {"input": input, "parameters": parameters}
        filled = _fill_templates(match, names, CharacterBudget(MAX_MATCH_CHARACTERS))
        decode_json(encode_json(filled).encode())  # filling may nest it too deeply to be read again
    assert isinstance(filled, dict)
    return filled


def _fill_templates(value: Json, names: Mapping[str, Json], budget: CharacterBudget) -> Json:
    if isinstance(value, str):
        return fill_or_look_up(value, names, budget)
    if isinstance(value, list):
        return [_fill_templates(item, names, budget) for item in value]
    if isinstance(value, dict):
        return {key: _fill_templates(member, names, budget) for key, member in value.items()}
    return value


def _parse_latch_name(task: StartTask) -> str:
    name = _parameter_values(task.base, task.input, task.parameters)["name"]
    if len(name) > LONGEST_NAME or not is_addressable(name):
        expected = f"a text of 1 to {LONGEST_NAME} printable characters, and neither . nor .."
        raise BadParameter(f"{task.base}: name is {encode_json(name[:40])}, but must be {expected}")
    return str(name)


def _parameter_values(task: str, input: Json, parameters: Json) -> dict[str, Any]:
    entry = find_built_in(task)
    assert entry, f"{task} is in the catalogue"
    values = parse_parameters(task, entry.parameters, parameters)
    return fill_parameters(task, values, {"input": input, "parameters": parameters})


def encode_wait(wait: Wait) -> str:
    """Return a wait that has begun as three lines of JSON: its properties, the task's input (null if it has
    a pointer), the match of its pattern."""
    task, pattern = wait.task, wait.pattern
    properties: dict[str, Json] = {
        "task": [task.workflow, task.name, task.base, task.index, task.attempt],
        "since": wait.entry_id,
    }
    properties |= {"run": task.run} if task.run else {}
    properties |= {"input_from": task.input_from} if task.input_from else {}
    properties |= {} if wait.due_ms is None else {"due": wait.due_ms}
    properties |= {} if wait.failure is None else {"failure": wait.failure}
    properties |= {} if wait.latch is None else {"latch": wait.latch}
    properties |= {} if pattern is None else {"event": pattern.kind, "receipt": pattern.is_receipted}
    input = None if task.input_from else task.input
    return encode_json_lines(properties, input, {} if pattern is None else dict(pattern.match))


def decode_wait(text: bytes) -> Wait:
    """Return the wait that `encode_wait` wrote; the parameters of its task are None."""
    properties, input, match = decode_json_lines(text)
    workflow, name, base, index, attempt = properties["task"]
    has_pattern = "event" in properties
    task = StartTask(workflow, name, base, index, input, None, attempt, run=properties.get("run", ""))
    if "input_from" in properties:
        task = replace(task, input_from=parse_pointer(properties["input_from"], workflow))
    return Wait(
        task=task,
        entry_id=properties["since"],
        due_ms=properties.get("due"),
        failure=properties.get("failure"),
        pattern=EventPattern(properties["event"], match, properties["receipt"]) if has_pattern else None,
        latch=properties.get("latch"),
    )
