"""Schedules: workflows that lifecycles start at set times, and the check that each time was started once, or
is listed with the reason why not."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple

from lfr import Client
from lfr.errors import LfrError
from tests.faults.journal import Journal
from tests.faults.oracle import Expectation, expect
from tests.faults.retries import persist
from tests.faults.syntax import Call, Program, Scope, Statement, Step, number_steps
from tests.support.waiting import eventually

_EVERY_SECONDS: Final = 3
_SAMPLE_SECONDS: Final = 10.0

_STARTS: Final = ("started", "caught-up")
_LISTS: Final = {
    "allow": {*_STARTS},
    "skip": {*_STARTS, "skipped"},
    "queue": {*_STARTS, "queued", "skipped"},
    "terminate": {*_STARTS},
}
"""What may become of a time, by what the schedule says of overlaps; none is missed: starts may be late."""


class _Scheduled(NamedTuple):
    text: str
    program: Program
    expectation: Expectation


def _scheduled(overlap: str) -> _Scheduled:
    """Return a flow with a schedule. But for `allow`, its workflows take longer than the time to the next."""
    wait = [] if overlap == "allow" else [Step([Call("wait:delay", {"duration": 4})])]
    steps = [Step([Call("one:mark")]), *wait, Step([Call("many:pair")])]
    schedule = f"{{every: {_EVERY_SECONDS}s, overlap: {overlap}, catch_up: 1h}}"
    program = Program(Scope([Statement(steps)]), [f"@flow {name_of(overlap)} (- schedule: {schedule} -)"])
    number_steps(program)
    return _Scheduled(program.text(), program, expect(program, {}))


def name_of(overlap: str) -> str:
    """Return the name of the schedule, and of its flow, that says this of overlaps."""
    return f"every_{overlap}"


SCHEDULED: Final = {name_of(overlap): _scheduled(overlap) for overlap in _LISTS}


class Schedules:
    """The schedules of a run.

    outcomes   by schedule, then by the kind and the time of an outcome: the latest that was seen of it
    paused     from when to when one was paused, in seconds since the epoch
    """

    def __init__(self, client: Client, journal: Journal, random: Random) -> None:
        self._client = client
        self._journal = journal
        self._random = random
        self._made = 0.0
        self._sampled = 0.0
        self.outcomes: dict[str, dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
        self.paused: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def note_made(self) -> None:
        """Note that the flows are stored now."""
        self._made = time.time()

    def sample(self, *, now: bool = False) -> None:
        """Read the outcomes: a schedule keeps its latest only."""
        if not now and time.monotonic() < self._sampled + _SAMPLE_SECONDS:
            return
        self._sampled = time.monotonic()
        for name in SCHEDULED:
            described = persist(lambda name=name: self._client.schedule(name))
            for each in described["outcomes"]:
                self.outcomes[name][each["outcome"], each["time"]] = each

    def pause(self) -> None:
        """Pause a schedule for a while."""
        name = self._random.choice(list(SCHEDULED))
        begin = time.time()
        with suppress(LfrError):  # somebody else has
            persist(lambda: self._client.pause_schedule(name))
        time.sleep(self._random.uniform(0.5, 4))
        with suppress(LfrError):
            persist(lambda: self._client.resume_schedule(name))
        self.paused[name].append((begin, time.time()))
        self._journal.count("schedule paused", f"{name} {time.time() - begin:.2f} s")

    def stop(self) -> None:
        """Wait until all times so far are decided; then let nothing be started any more."""
        now = time.time()
        for name in SCHEDULED:
            with suppress(LfrError):  # one that is left paused
                persist(lambda name=name: self._client.resume_schedule(name))
            eventually(
                lambda name=name: self._is_decided(name, now),
                progress=lambda name=name: len(self.outcomes[name]),
            )
            persist(lambda name=name: self._client.pause_schedule(name))
        self.sample(now=True)

    def _is_decided(self, name: str, until: float) -> bool:
        self.sample(now=True)
        return max(_times(self.outcomes[name].values()), default=0) >= until - _EVERY_SECONDS

    def started(self, name: str) -> set[str]:
        """Return the workflows that were started according to the outcomes."""
        return {each["workflow"] for each in self.outcomes[name].values() if each["outcome"] in _STARTS}

    def check_times(self, name: str, queued: str | None) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the outcomes of a schedule, each as the kind of finding and a sentence.
        `queued` is the time whose start waits still."""
        kinds: dict[int, list[str]] = defaultdict(list)
        for each in self.outcomes[name].values():
            if each["outcome"] in ("paused", "resumed"):
                continue
            for second in _times([each]):
                kinds[second].append(each["outcome"])
        allowed = _LISTS[name.removeprefix("every_")]
        for second in range(min(kinds, default=0), max(kinds, default=-1), _EVERY_SECONDS):
            found = sorted(kinds.get(second, []))
            label = f"{name} {datetime.fromtimestamp(second, UTC):%H:%M:%S}"
            waits = queued is not None and _second(queued) == second
            starts = [kind for kind in found if kind in _STARTS]
            if not found:
                yield "lost", f"{label}: nothing has become of this time"
            elif len(starts) > 1 or len(set(found)) < len(found):
                yield "doubled", f"{label}: {found}"
            elif found == ["missed"] and self._was_paused(name, second):
                continue
            elif not set(found) <= allowed or ("queued" in found and not starts and not waits):
                yield "lost", f"{label}: {found}"
        if kinds and min(kinds) > self._made + 2 * _EVERY_SECONDS:
            yield "lost", f"{name}: its first time is {min(kinds)}, made before {self._made}"

    def _was_paused(self, name: str, second: int) -> bool:
        """Return whether a time has passed while the schedule was paused: what was due before is decided by
        the pause, if by nobody else."""
        return any(begin - 1 <= second <= end + 1 for begin, end in self.paused[name])


def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _times(outcomes: Any) -> Iterator[int]:
    """Yield the times that outcomes are about, in seconds since the epoch."""
    for each in outcomes:
        if each["outcome"] in ("paused", "resumed"):
            continue
        first = _second(each["time"])
        last = first if each["until"] is None else _second(each["until"])
        yield from range(first, last + 1, _EVERY_SECONDS)


def is_scheduled(id: str) -> bool:
    """Return whether a workflow was started by a schedule."""
    return id.startswith("workflow:every_")


def program_of(id: str) -> _Scheduled:
    """Return what a workflow of a schedule runs."""
    return SCHEDULED[id.removeprefix("workflow:").rpartition("-")[0]]


def all_of(read: Callable[[str], list[str]]) -> list[str]:
    """Return the ids of the workflows of all schedules; `read` returns those of one."""
    return [id for name in SCHEDULED for id in read(name)]
