"""What a history says about the steps and items of a workflow at its end: all that is described from it.

It can be stored: when lifecycles remove the oldest entries of a long history, this is what remains of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from lfr.actor import Actor
from lfr.engine.transition import Fact, FactKind
from lfr.operations.inspect.summary import describe_actor, describe_facts
from lfr.states import StepState
from lfr.store.workflows.history import History, HistoryEntry
from lfr.values.checks import FLAG, LIST, OBJECT, TEXT, Check, one_of, whole_number
from lfr.values.json import Json
from lfr.values.times import MAX_TIME_MS, format_at, iso_time, parse_timestamp

_MAX_CHANGES: Final = 20
"""How many changes by hand are described."""

_MAX_LATEST: Final = 20
"""Of how many items that are done a state has the numbers."""

_STATE_AFTER: Final = {
    FactKind.STARTED: StepState.RUNNING,
    FactKind.ENDED: StepState.DONE,
    FactKind.PASSED: StepState.DONE,
    FactKind.SKIPPED: StepState.SKIPPED,
    FactKind.FAILED: StepState.FAILED,
    FactKind.RETRIED: StepState.RUNNING,
}
"""The state of a step, or of an item, after a fact."""

_ENDS: Final = (FactKind.ENDED, FactKind.FAILED, FactKind.RETRIED)

_COUNT: Final = whole_number(0, 10**12)
_TIME: Final = whole_number(0, MAX_TIME_MS)
_STATE: Final = one_of(*StepState)


class BadHistoryState(ValueError):
    """A value is no stored state of a history; the message says which of its members is wrong."""


@dataclass(slots=True)
class Round:
    """One run through the items of a step: its number, how many items are done, the numbers of the 20 that
    were done last, and the states of those that have begun and are not done, by their numbers.

    A loop that comes back to an iterated step begins another round, with new items.
    """

    number: int = 1
    done: int = 0
    latest: list[int] = field(default_factory=list)
    open: dict[int, StepState] = field(default_factory=dict)

    def stop(self) -> None:
        """Change the state of the items that run to STOPPED."""
        for item, state in self.open.items():
            if state is StepState.RUNNING:
                self.open[item] = StepState.STOPPED


@dataclass(slots=True)
class HistoryState:
    """What the entries so far say.

    entries   how many they are
    since_ms, until_ms  the times of the first and of the last of them
    steps     by index: state, started, ended (in ISO 8601, or None), attempt, tries, reason, simulated
    rounds    the latest round of each iterated step, by index
    by_hand   what people have done to the workflow, oldest first; of more than 20 changes, the latest: at;
              event, as `describe_facts` describes it; index, of the step to which it was done (None: to the
              workflow); actor; actor_reason (None: there is none)
    """

    entries: int = 0
    since_ms: int = 0
    until_ms: int = 0
    steps: dict[int, dict[str, Any]] = field(default_factory=dict)
    rounds: dict[int, Round] = field(default_factory=dict)
    by_hand: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, history: History) -> Self:
        """Return the state at the end of a history. Raises BadHistoryState."""
        state = cls.parse(history.removed) if history.removed is not None else cls()
        state.add(history.entries)
        return state

    def add(self, entries: Iterable[HistoryEntry]) -> None:
        """Add later entries of the history, in their order."""
        for entry in entries:
            self._add_change_by_hand(entry)
            self._add_facts(entry)
            self.since_ms = self.since_ms or entry.at_ms
            self.until_ms = entry.at_ms
            self.entries += 1

    def running_attempts(self) -> dict[int, int]:
        """Return the attempts of the steps that run, by index, in the order of their starts."""
        running = [index for index, step in self.steps.items() if step["state"] == StepState.RUNNING]
        running.sort(key=lambda index: self.steps[index]["started"] or "")
        return {index: self.steps[index]["attempt"] for index in running}

    def stop_running(self, at_ms: int) -> None:
        """Change the state of steps and items that run to STOPPED."""
        for step in self.steps.values():
            if step["state"] == StepState.RUNNING:
                step["state"], step["ended"] = StepState.STOPPED.value, iso_time(at_ms)
        for round in self.rounds.values():
            round.stop()

    def _add_facts(self, entry: HistoryEntry) -> None:
        for fact in entry.facts:
            if fact.kind is FactKind.TIMED_OUT:
                self.stop_running(entry.at_ms)
            elif fact.index is None:
                continue
            elif fact.item is None:
                _add_fact(self.steps.setdefault(fact.index, pending_step()), fact, entry)
            else:
                self._add_fact_of_item(fact.index, fact.item, fact)

    def _add_fact_of_item(self, index: int, item: int, fact: Fact) -> None:
        if fact.is_simulated:
            self.steps.setdefault(index, pending_step())["simulated"] = True
        round = self.rounds.get(index)
        if round is None or fact.attempt > round.number:
            round = self.rounds[index] = Round(fact.attempt)
        state = _STATE_AFTER[fact.kind]
        if state is StepState.DONE:
            round.open.pop(item, None)
            round.done += 1
            round.latest = [*round.latest, item][-_MAX_LATEST:]
        else:
            round.open[item] = state

    def _add_change_by_hand(self, entry: HistoryEntry) -> None:
        if entry.actor is None or not entry.facts:
            return
        first = entry.facts[0]
        kind = FactKind.STARTED if first.kind is FactKind.PASSED else first.kind
        index = first.index if self.entries else None  # the first entry starts the workflow
        change = {"at": iso_time(entry.at_ms), "event": kind.value, "index": index, **describe_actor(entry)}
        self.by_hand = [*self.by_hand, change][-_MAX_CHANGES:]

    def to_dict(self) -> dict[str, Json]:
        """Return it as JSON, for `parse`."""
        return {
            **{"entries": self.entries, "since": self.since_ms, "until": self.until_ms},
            "steps": {str(index): step for index, step in self.steps.items()},
            "items": {
                str(index): {
                    **{"round": round.number, "done": round.done, "latest": list(round.latest)},
                    "open": {str(item): state.value for item, state in round.open.items()},
                }
                for index, round in self.rounds.items()
            },
            "by_hand": list(self.by_hand),
        }

    @classmethod
    def parse(cls, data: Json) -> Self:
        """Return the state that `to_dict` has made this of. Raises BadHistoryState."""
        return cls(
            entries=_member(data, "entries", _COUNT),
            since_ms=_member(data, "since", _TIME),
            until_ms=_member(data, "until", _TIME),
            steps={index: _parse_step(step) for index, step in _numbered(data, "steps")},
            rounds={index: _parse_round(round) for index, round in _numbered(data, "items")},
            by_hand=[_parse_change(each) for each in _member(data, "by_hand", LIST)][-_MAX_CHANGES:],
        )


def describe_history(history: History, since_ms: int = 0) -> list[dict[str, Any]]:
    """Describe each fact of a history, in its order, as `describe_facts` does. If entries later than
    `since_ms` were removed, the first fact has the event `removed`, and a reason that says how many."""
    facts = list(describe_facts(history.entries))
    removed = None if history.removed is None else HistoryState.parse(history.removed)
    return facts if removed is None or removed.until_ms <= since_ms else [describe_removed(removed), *facts]


def summarize_removed(history: History) -> dict[str, Any] | None:
    """Return how many entries of a history were removed: entries, since, until; None: none were."""
    if history.removed is None:
        return None
    removed = HistoryState.parse(history.removed)
    return {
        "entries": removed.entries,
        "since": iso_time(removed.since_ms),
        "until": iso_time(removed.until_ms),
    }


def describe_removed(state: HistoryState) -> dict[str, Any]:
    """Describe the entries that were removed as one fact, see `describe_history`."""
    since = format_at(state.since_ms)
    return {
        **{"at": iso_time(state.until_ms), "index": None, "item": None, "event": "removed", "attempt": None},
        "reason": f"{state.entries:,} entries since {since} were removed (history.most)",
        **{"simulated": False, "actor": None, "actor_reason": None},
    }


def pending_step() -> dict[str, Any]:
    """Return what is said about a step of which the history has no fact."""
    return {
        **{"state": StepState.PENDING.value, "started": None, "ended": None},
        **{"attempt": 0, "tries": 0, "reason": None, "simulated": False},
    }


def _add_fact(step: dict[str, Any], fact: Fact, entry: HistoryEntry) -> None:
    at = iso_time(entry.at_ms)
    had_begun = step["state"] in (StepState.RUNNING, StepState.FAILED)
    if fact.kind in (FactKind.STARTED, FactKind.PASSED):
        has_ended = step["state"] in (StepState.DONE, StepState.SKIPPED)
        step["tries"] = 1 if has_ended else step["tries"] + 1
    step["state"], step["attempt"] = _STATE_AFTER[fact.kind].value, fact.attempt
    step["simulated"] = fact.is_simulated or (step["simulated"] and fact.kind in _ENDS)
    if fact.kind is FactKind.RETRIED:
        step["reason"] = entry.reason
        return
    starts = fact.kind in (FactKind.STARTED, FactKind.PASSED)
    if starts or (fact.kind is not FactKind.ENDED and not had_begun):
        step["started"] = at
    step["ended"] = None if fact.kind is FactKind.STARTED else at
    if fact.kind is FactKind.FAILED:
        step["reason"] = entry.reason
    elif fact.kind is FactKind.SKIPPED and had_begun:  # so it was not the guard that skipped it
        step["reason"] = _reason_of_skip(entry.actor)
    else:
        step["reason"] = None


def _reason_of_skip(actor: Actor | None) -> str:
    if actor is None:
        return "skipped by hand"
    return f"skipped by {actor.name}: {actor.reason}" if actor.reason else f"skipped by {actor.name}"


def _parse_step(data: Json) -> dict[str, Any]:
    return {
        "state": _member(data, "state", _STATE),
        **{name: _parse_time(data, name) for name in ("started", "ended")},
        **{name: _member(data, name, _COUNT) for name in ("attempt", "tries")},
        "reason": _parse_text(data, "reason"),
        "simulated": _member(data, "simulated", FLAG),
    }


def _parse_round(data: Json) -> Round:
    states = {number: _member({"state": state}, "state", _STATE) for number, state in _numbered(data, "open")}
    open = {number: StepState(state) for number, state in states.items()}
    latest = [_member({"latest": number}, "latest", _COUNT) for number in _member(data, "latest", LIST)]
    number, done = (_member(data, name, _COUNT) for name in ("round", "done"))
    return Round(number, done, latest[-_MAX_LATEST:], open)


def _parse_change(data: Json) -> dict[str, Any]:
    index = data.get("index") if isinstance(data, dict) else None
    return {
        "at": _parse_time(data, "at"),
        "event": _member(data, "event", one_of(*FactKind)),
        "index": None if index is None else _member(data, "index", _COUNT),
        "actor": _member(data, "actor", TEXT),
        "actor_reason": _parse_text(data, "actor_reason"),
    }


def _parse_text(data: Json, name: str) -> str | None:
    value = data.get(name) if isinstance(data, dict) else None
    return None if value is None else str(_member(data, name, TEXT))


def _parse_time(data: Json, name: str) -> str | None:
    text = _parse_text(data, name)
    if text is not None and parse_timestamp(text) is None:
        raise BadHistoryState(f"{name} is no time")
    return text


def _numbered(data: Json, name: str) -> list[tuple[int, Json]]:
    members: Mapping[str, Json] = _member(data, name, OBJECT)
    if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in members):
        raise BadHistoryState(f"{name} has a member that is no number")
    return [(int(number), value) for number, value in members.items()]


def _member(data: Json, name: str, check: Check) -> Any:
    value = check.read(data.get(name)) if isinstance(data, dict) else None
    if value is None:
        raise BadHistoryState(f"{name} is not {check.words}")
    return value
