"""Which workflows a list shows, or an action concerns: the filter, and the grammar in which people write it.

    flow=order state=FAILED,TERMINATED since=1d label.tenant=7 reason~"timeout"

All conditions must hold. `=` compares whole texts, `~` finds a part in any case. A value with a space or a
quote stands in double quotes, with `\\"` and `\\\\` inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lfr.errors import BadInput
from lfr.item_ids import parse_item_id
from lfr.labels import NAME_WORDS, is_label_name
from lfr.language.diagnostics import FatalProblem, SourceText
from lfr.operations.failures.failure import FAILURE_ID, failure_of
from lfr.operations.failures.reason_pattern import MAX_REASON
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import WorkflowState
from lfr.store.workflows.record import Record
from lfr.values.checks import mismatch, suggestion
from lfr.values.times import DURATION_FORMAT, parse_duration, parse_timestamp

MAX_CHARACTERS: Final = 2_000
"""Characters of a filter as a text."""

_LABEL: Final = "label."

_OPERATORS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("flow", "state", "since", "until", "ended", "older", "failure", "parent"), "="),
    **dict.fromkeys(("text", "reason"), "~"),
}
"""The names in conditions besides `label.NAME`, and the operator of each."""

_TIMES: Final[Mapping[str, str]] = {"since": "since_ms", "until": "until_ms", "ended": "ended_since_ms"}
"""The conditions on a time, and the field of WorkflowFilter of each."""

_SPACE: Final = re.compile(r"\s*")
_NAME: Final = re.compile(r"[^\s=~\"]+")
_WORD: Final = re.compile(r'[^\s"]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)

TIME_WORDS: Final = f"an age ({DURATION_FORMAT}), or a time in ISO 8601"


@dataclass(frozen=True, slots=True)
class WorkflowFilter:
    """Which workflows are selected: those that fulfil all conditions; None or empty: any. Times are in
    milliseconds since the epoch, by the clock of Redis.

    states     in one of these
    flow       of the flow with this name; empty: of one without a name
    labels     with these labels
    since_ms, until_ms   which started no earlier, no later
    ended_since_ms  which have ended no earlier than then
    ended_by_ms  which have ended no later than then, and of which no task runs
    as_of_ms   which started, and if they have ended, ended no later than then
    text       with this text in id or name, in any case
    reason     with this text in the first 300 characters of the reason of their failure, in any case
    failure    which failed by that with this id, see `Failure`
    parent     which run for a step of the workflow with this id: the items and called flows that are stored
    """

    states: tuple[WorkflowState, ...] = ()
    flow: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    since_ms: int | None = None
    until_ms: int | None = None
    ended_since_ms: int | None = None
    ended_by_ms: int | None = None
    as_of_ms: int | None = None
    text: str = ""
    reason: str = ""
    failure: str = ""
    parent: str = ""

    @property
    def possible_states(self) -> tuple[WorkflowState, ...]:
        """The states of the workflows that may match; empty: any."""
        return (WorkflowState.FAILED,) if self.reason or self.failure else self.states

    @property
    def latest_ms(self) -> int | None:
        """When a workflow may have started, at the latest: what has ended then has started before."""
        limits = (self.until_ms, self.ended_by_ms, self.as_of_ms)
        return min((limit for limit in limits if limit is not None), default=None)

    def matches_id(self, id: str) -> bool:
        """Return whether the text is in the id, or there is none."""
        return self.text.casefold() in id.casefold()

    def matches(self, record: Record) -> bool:
        """Return whether a workflow is selected, given with all that a list shows."""
        return (
            (not self.states or record.state in self.states)
            and self.flow in (None, record.name)
            and (not self.parent or self._matches_parent(record))
            and all(record.labels.get(name) == value for name, value in self.labels.items())
            and self._matches_times(record)
            and (self.matches_id(record.id) or self.text.casefold() in record.name.casefold())
            and (not self.reason or self._matches_reason(record))
            and (not self.failure or self._matches_failure(record))
        )

    def _matches_parent(self, record: Record) -> bool:
        child = parse_item_id(record.id)
        return child is not None and child.parent == self.parent

    def _matches_times(self, record: Record) -> bool:
        started_ms, ended_ms = record.started_ms, record.ended_ms
        if self.since_ms is not None and started_ms < self.since_ms:
            return False
        if self.latest_ms is not None and started_ms > self.latest_ms:
            return False
        if self.as_of_ms is not None and ended_ms > self.as_of_ms:
            return False
        if self.ended_since_ms is not None and (not ended_ms or ended_ms < self.ended_since_ms):
            return False
        return self.ended_by_ms is None or (0 < ended_ms <= self.ended_by_ms and not record.active)

    def _matches_reason(self, record: Record) -> bool:
        is_failed = record.state is WorkflowState.FAILED
        return is_failed and self.reason.casefold() in record.reason[:MAX_REASON].casefold()

    def _matches_failure(self, record: Record) -> bool:
        return record.state is WorkflowState.FAILED and failure_of(record).id == self.failure


def parse_filter(text: str, now_ms: int, *, source: str = "--where") -> WorkflowFilter:
    """Return the filter that a text describes. Ages count back from `now_ms`.

    Raises FlowError with the place in the text, which the message calls `source`; also for an empty text:
    what selects everything by mistake would be worse.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadInput(f"{source} has more than {MAX_CHARACTERS:,} characters")
    try:
        return _parse(text, now_ms)
    except FatalProblem as error:
        raise SourceText(text, source).error([error.problem]) from None


def parse_states(texts: Iterable[str]) -> tuple[WorkflowState, ...]:
    """Return the states with these names, each once. Raises BadInput."""
    for text in texts:
        if text not in tuple(WorkflowState):
            raise BadInput(f"there is no state {text[:40]}", hint="one of " + ", ".join(WorkflowState))
    return tuple(dict.fromkeys(map(WorkflowState, texts)))


def parse_age_or_time(text: str, now_ms: int) -> int | None:
    """Return the time of an age such as `1d`, or of a time in ISO 8601; None if it is neither."""
    seconds = parse_duration(text)
    return parse_timestamp(text) if seconds is None else max(0, now_ms - round(1000 * seconds))


def _parse(text: str, now_ms: int) -> WorkflowFilter:
    filter = WorkflowFilter()
    names: set[str] = set()
    offset = _skip_space(text, 0)
    while offset < len(text):
        start = offset
        name, value, value_offset, offset = _parse_condition(text, start)
        if name in names:
            raise FatalProblem(start, f"a second condition on {name}", "all conditions must hold")
        names.add(name)
        filter = _with_condition(filter, name, value, value_offset, start, now_ms)
        end, offset = offset, _skip_space(text, offset)
        if offset == end and offset < len(text):
            raise FatalProblem(offset, "between two conditions there must be a space")
    if not names:
        raise FatalProblem(0, "a filter must have a condition", "as state=FAILED flow=order")
    return filter


def _parse_condition(text: str, start: int) -> tuple[str, str, int, int]:
    """Return name and value of a condition, the offset of the value and the one after it."""
    match = _NAME.match(text, start)
    if match is None:
        raise FatalProblem(start, "here must be a name", f"one of {_known_names()}")
    name, offset = match[0], match.end()
    expected = "=" if name.startswith(_LABEL) else _OPERATORS.get(name)
    if expected is None:
        hint = suggestion(name, [*_OPERATORS, _LABEL]) or f"one of {_known_names()}"
        raise FatalProblem(start, f"there is no condition on {name}", hint)
    if text[offset : offset + 1] not in ("=", "~"):
        raise FatalProblem(offset, f"after {name} there must be {expected}")
    if text[offset] != expected:
        words = "compares the whole text" if expected == "=" else "finds a part of it"
        raise FatalProblem(offset, f"{name} goes with {expected}, which {words}")
    value, end = _parse_value(text, offset + 1, f"{name}{expected}")
    return name, value, offset + 1, end


def _parse_value(text: str, start: int, before: str) -> tuple[str, int]:
    if text[start : start + 1] == '"':
        quoted = _QUOTED.match(text, start)
        if quoted is None:
            raise FatalProblem(start, 'this " has no end')
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    word = _WORD.match(text, start)
    if word is None:
        raise FatalProblem(start, f"after {before} there must be a value", 'an empty one is ""')
    return word[0], word.end()


def _with_condition(
    filter: WorkflowFilter, name: str, value: str, value_offset: int, start: int, now_ms: int
) -> WorkflowFilter:
    if name.startswith(_LABEL):
        label = name.removeprefix(_LABEL)
        if not is_label_name(label):
            raise FatalProblem(start, mismatch("a label's name", label, NAME_WORDS))
        return replace(filter, labels={**filter.labels, label: value})
    match name:
        case "state":
            try:
                return replace(filter, states=parse_states(value.upper().split(",")))
            except BadInput as error:
                raise FatalProblem(value_offset, error.message, error.hint) from None
        case _ if name in _TIMES:
            ms = parse_age_or_time(value, now_ms)
            if ms is None:
                raise FatalProblem(value_offset, mismatch(name, value, TIME_WORDS))
            changes: dict[str, Any] = {_TIMES[name]: ms}
            return replace(filter, **changes)
        case "older":
            seconds = parse_duration(value)
            if seconds is None:
                raise FatalProblem(value_offset, mismatch(name, value, DURATION_FORMAT))
            return replace(filter, ended_by_ms=now_ms - round(1000 * seconds))
        case "text" | "reason" if not value:
            raise FatalProblem(value_offset, f"{name}~ needs a text: an empty one is in all workflows")
        case "text":
            return replace(filter, text=value)
        case "reason":
            return replace(filter, reason=value)
        case "failure":
            if not FAILURE_ID.fullmatch(value):
                raise FatalProblem(value_offset, mismatch(name, value, "the id of a group of lfr failures"))
            return replace(filter, failure=value)
        case "parent":
            try:
                return replace(filter, parent=parse_workflow_id(value))
            except BadInput as error:
                raise FatalProblem(value_offset, error.message, error.hint) from None
        case _:
            return replace(filter, flow=value)


def _known_names() -> str:
    return ", ".join(f"{name}{operator}" for name, operator in (*_OPERATORS.items(), ("label.NAME", "=")))


def _skip_space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return offset if match is None else match.end()
