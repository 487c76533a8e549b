"""`wait:event`: which event a step waits for, and what the event gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lfr.events import OWN_KINDS
from lfr.tasks.catalogue import EVENT
from lfr.tasks.parameters import BadParameter, bad_parameter
from lfr.tasks.template import TemplateError, fill_or_look_up
from lfr.tasks.wait_parameters import wait_parameters
from lfr.values.checks import is_unicode
from lfr.values.json import InvalidJson, Json, decode_json, encode_json


@dataclass(frozen=True, slots=True)
class Awaited:
    """The event that a step waits for.

    match         the fields that must be equal in it
    is_receipted  whether it gets a receipt when it ends the wait
    """

    kind: str
    match: Mapping[str, Json]
    is_receipted: bool = True

    def output(self, event: Mapping[str, Json], input: Json) -> Json:
        """What the wait gives when this event ends it: the event's output merged over what was matched,
        or the output alone if that is no object; without an output, the input."""
        output = event.get("output")
        if output is None:
            return input
        return {**self.match, **output} if isinstance(output, dict) else output


@dataclass(frozen=True, slots=True)
class EventWait:
    """What a wait:event asks for.

    timeout  seconds, or None; `failure`: why it then fails, or None: it then ends with its input
    """

    awaited: Awaited
    timeout: float | None
    failure: str | None


def read_event_wait(input: Json, parameters: Json) -> EventWait:
    """What a wait:event asks for. Raises BadParameter."""
    given = wait_parameters(EVENT, input, parameters)
    kind, timeout = given["event"], given["timeout"]
    if not kind or not is_unicode(kind):
        raise bad_parameter(EVENT, "event", kind, "the kind of an event")
    if kind in OWN_KINDS:
        raise BadParameter(f"{EVENT}: event is {kind}, which is one of lfr's own events")
    failure = None
    if timeout is not None and given["on_timeout"] == "fail":
        failure = f"{EVENT}: no event {kind} has come within {timeout:.10g} s"
    awaited = Awaited(kind, _match(given["match"], input, parameters), given["receipt"])
    return EventWait(awaited, timeout, failure)


def _match(match: Any, input: Json, parameters: Json) -> dict[str, Json]:
    if match is None:
        return {}
    if match == "input":
        first = input[0] if isinstance(input, list) and input else input
        if isinstance(first, dict):
            return first
        what = "first item of the input" if isinstance(input, list) else "input"
        raise BadParameter(f"{EVENT}: match is input, but the {what} is no object")
    try:
        filled = _fill(match, {"input": input, "parameters": parameters})
    except TemplateError as error:
        raise BadParameter(f"{EVENT}: match: {error}") from None
    try:
        decode_json(encode_json(filled).encode())
    except InvalidJson as error:
        raise BadParameter(f"{EVENT}: match: {error}") from None
    assert isinstance(filled, dict)
    return filled


def _fill(value: Json, names: Mapping[str, Json]) -> Json:
    if isinstance(value, str):
        return fill_or_look_up(value, names)
    if isinstance(value, list):
        return [_fill(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _fill(member, names) for key, member in value.items()}
    return value
