"""A model of schedules: two lifecycles decide the times of one schedule, which people pause and resume.

docs/protocol.md ties each transition to functions of `lfr/`. The schedule has a few times, 1, 2 and so on;
the clock reaches them one after the other, at any moment. As in `tests/model/pauses.py`, a process needs to
know only whether what it has watched is still as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.explore import Search, explore

LAST = 3
"""How many times the schedule has."""

OVERLAPS = ("allow", "skip", "queue", "terminate")

Outcome = tuple[int, str]
"""A time, and what has become of it."""


class Schedule(NamedTuple):
    """What is stored of a schedule.

    cursor   the latest time that was decided
    running  the times whose workflows run, as far as it knows
    queued   the time whose start waits for their end; 0: none
    """

    cursor: int = 0
    paused: bool = False
    running: tuple[int, ...] = ()
    queued: int = 0


class Lifecycle(NamedTuple):
    """What a lifecycle has in memory.

    phase     idle; listed: it has read that the schedule is due; decided; in a mutation, what it does later
    after     the schedule after its decision
    outcomes  what it adds
    start     the time whose workflow it starts; 0: none
    due       when to decide again; 0: never
    is_fresh  whether the schedule is as it has read it
    """

    phase: str = "idle"
    after: Schedule = Schedule()
    outcomes: tuple[Outcome, ...] = ()
    start: int = 0
    due: int = 0
    is_fresh: bool = True


class Operator(NamedTuple):
    """What somebody who pauses or resumes the schedule has in memory: the time of the clock when it was read,
    and whether it is still so. `action` is empty if nobody does."""

    action: str = ""
    now: int = 0
    is_fresh: bool = True


class State(NamedTuple):
    """All of it.

    now       the latest time that the clock has reached
    due       when the schedule is to be decided; 0: never
    started   the times whose workflows were started; `alive`: those that run
    lifecycles  two
    is_paused   whether people have paused it, whatever is stored; `paused_at`: the time of the clock then
    """

    overlap: str
    now: int = 0
    schedule: Schedule = Schedule()
    due: int = 1
    outcomes: tuple[Outcome, ...] = ()
    started: frozenset[int] = frozenset()
    alive: frozenset[int] = frozenset()
    lifecycles: tuple[Lifecycle, Lifecycle] = (Lifecycle(), Lifecycle())
    operator: Operator = Operator()
    pauses: int = 2
    is_paused: bool = False
    paused_at: int = 0
    wrong: str = ""


MUTATIONS = {
    "decide without WATCH": "a lifecycle writes although the schedule has changed since it was read",
    "keep the decision": "after a refused EXEC the old decision is written",
    "record before the start": "the outcome is in a transaction of its own, before the start",
    "record after the start": "the outcome is in a transaction of its own, after the start",
    "pause what nobody watches": "a pause is written elsewhere than the schedule",
    "pause over what is due": "a pause does not decide the times that have come before it",
    "resume without a time": "a resume does not say when to decide again",
    "resume without a list": "what has passed in a pause is not listed",
    "start into a pause": "a decision does not look whether the schedule is paused",
    "skip to now": "a start takes all times that have come for decided",
    "never look again": "nobody looks again at a start that waits, after the last time",
    "queue over what is queued": "a start that waits makes way for the next",
    "terminate later": "the workflow that is to make way is terminated after the next one starts",
}
"""Mistakes that the search must find."""


def search(overlap: str, mutation: str = "") -> Search:
    """Visit every state of a schedule that says this of overlaps. Stop at the first that is wrong."""
    return explore(
        State(overlap),
        lambda state: ((name, canonical(each)) for name, each in successors(state, mutation)),
        find_wrong,
        is_end,
        "from here the schedule can never be decided to its end",
    )


def successors(state: State, mutation: str) -> Iterator[tuple[str, State]]:
    """Yield each state that may follow, with the name of the transition."""
    if state.now < LAST:
        yield "a time comes", state._replace(now=state.now + 1)
    for time in state.alive:
        due = min(state.due, state.now) if state.due else 0
        yield f"workflow {time} ends", state._replace(alive=state.alive - {time}, due=due)
    for number, me in enumerate(state.lifecycles):
        if me.phase != "idle":
            yield "a lifecycle dies", _with_lifecycle(state, number, Lifecycle())
        yield from _lifecycle(state, number, mutation)
    yield from _operators(state, mutation)


def _lifecycle(state: State, number: int, mutation: str) -> Iterator[tuple[str, State]]:
    me = state.lifecycles[number]
    match me.phase:
        case "idle":
            if 0 < state.due <= state.now:
                yield "a lifecycle finds it due", _with_lifecycle(state, number, Lifecycle("listed"))
        case "listed":
            yield from _decide(state, number, mutation)
        case "decided":
            if me.is_fresh or mutation == "decide without WATCH":
                yield "a lifecycle commits", _commit(state, number, mutation)
            elif mutation == "keep the decision":
                yield "a lifecycle is refused", _with_lifecycle(state, number, me._replace(is_fresh=True))
            else:
                yield "a lifecycle is refused", _with_lifecycle(state, number, Lifecycle("listed"))
        case "recorded":
            yield "a lifecycle starts it", _start(_with_lifecycle(state, number, Lifecycle()), me.start)
        case "started":
            yield "a lifecycle records it", _record(_with_lifecycle(state, number, Lifecycle()), me)
        case "terminates":
            ended = state._replace(alive=state.alive & {me.start})
            yield "a lifecycle terminates", _with_lifecycle(ended, number, Lifecycle())


def _decide(state: State, number: int, mutation: str) -> Iterator[tuple[str, State]]:
    """Read the schedule and which of its workflows run, and decide up to the first start."""
    old = state.schedule
    running = tuple(time for time in old.running if time in state.alive)
    after = old._replace(running=running)
    if old.paused and mutation != "start into a pause":
        yield "a lifecycle decides", _decided(state, number, after, (), 0, 0)
        return
    if old.queued and not running:
        after = after._replace(queued=0, running=(old.queued,))
        outcomes = ((old.queued, "started"),)
        yield "a lifecycle decides", _decided(state, number, after, outcomes, old.queued, state.now)
        return
    passed: list[Outcome] = []
    for time in range(old.cursor + 1, state.now + 1):
        after = after._replace(cursor=time)
        if running and state.overlap == "skip":
            passed.append((time, "skipped"))
        elif (
            running
            and state.overlap == "queue"
            and (not after.queued or mutation == "queue over what is queued")
        ):
            passed.append((time, "queued"))
            after = after._replace(queued=time)
        elif running and state.overlap == "queue":
            passed.append((time, "skipped"))
        elif running and state.overlap == "terminate" and mutation != "terminate later":
            ended = state._replace(alive=state.alive - set(running))
            yield "a lifecycle terminates", _with_lifecycle(ended, number, Lifecycle("listed"))
            return
        else:
            if state.overlap == "terminate":
                after = after._replace(running=())
            cursor = state.now if mutation == "skip to now" else time
            after = after._replace(cursor=cursor, running=(*after.running, time))
            outcomes = (*passed, (time, "started"))
            yield "a lifecycle decides", _decided(state, number, after, outcomes, time, state.now)
            return
    due = after.cursor + 1 if after.cursor < LAST else 0
    if not due and after.queued and mutation != "never look again":
        due = state.now
    yield "a lifecycle decides", _decided(state, number, after, tuple(passed), 0, due)


def _decided(
    state: State, number: int, after: Schedule, outcomes: tuple[Outcome, ...], start: int, due: int
) -> State:
    return _with_lifecycle(state, number, Lifecycle("decided", after, outcomes, start, due))


def _commit(state: State, number: int, mutation: str) -> State:
    """One MULTI/EXEC: the schedule, the outcomes, the workflow that starts."""
    me = state.lifecycles[number]
    idle = _with_lifecycle(state, number, Lifecycle())
    if me.start and mutation == "record before the start":
        return _with_lifecycle(_record(idle, me), number, me._replace(phase="recorded"))
    if me.start and mutation == "record after the start":
        return _with_lifecycle(_start(idle, me.start), number, me._replace(phase="started"))
    after = _record(idle, me)
    if me.start:
        after = _start(after, me.start)
        if mutation == "terminate later":
            return _with_lifecycle(after, number, Lifecycle("terminates", start=me.start))
    return after


def _record(state: State, me: Lifecycle) -> State:
    outcomes = tuple(sorted((*state.outcomes, *me.outcomes)))
    return _change(state._replace(outcomes=outcomes, due=me.due), me.after)


def _start(state: State, time: int) -> State:
    """Start the workflow of a time, unless there is one with its id."""
    if time in state.started:
        return state
    wrong = "a workflow has started in a pause" if state.schedule.paused else state.wrong
    return state._replace(started=state.started | {time}, alive=state.alive | {time}, wrong=wrong)


def _operators(state: State, mutation: str) -> Iterator[tuple[str, State]]:
    """Somebody reads the schedule, then pauses or resumes it. What is due is decided before a pause, as by a
    lifecycle: here, by one."""
    schedule, me = state.schedule, state.operator
    if me.action:
        idle = state._replace(operator=Operator())
        yield "an operator dies", idle
        yield f"an operator {me.action}", _change_pause(idle, me, mutation) if me.is_fresh else idle
    elif schedule.paused:
        yield "an operator reads", state._replace(operator=Operator("resumes", state.now))
    elif state.pauses and (schedule.cursor == state.now or mutation == "pause over what is due"):
        yield "an operator reads", state._replace(operator=Operator("pauses", state.now))


def _change_pause(state: State, me: Operator, mutation: str) -> State:
    """One MULTI/EXEC: the schedule, when it is to be decided, and what was missed in a pause."""
    schedule = state.schedule
    if me.action == "pauses":
        after = state._replace(pauses=state.pauses - 1, due=0, is_paused=True, paused_at=me.now)
        paused = schedule._replace(paused=True)
        unwatched = mutation == "pause what nobody watches"
        return after._replace(schedule=paused) if unwatched else _change(after, paused)
    passed = range(schedule.cursor + 1, me.now + 1)
    wrong = state.wrong
    if any(time <= state.paused_at for time in passed):
        wrong = "a time is missed that had come before the pause"
    outcomes = state.outcomes
    if mutation != "resume without a list":
        outcomes = tuple(sorted((*outcomes, *((time, "missed") for time in passed))))
    due = 0 if mutation == "resume without a time" else max(me.now, 1)
    after = state._replace(outcomes=outcomes, due=due, is_paused=False, paused_at=0, wrong=wrong)
    return _change(after, schedule._replace(paused=False, cursor=max(schedule.cursor, me.now)))


def _with_lifecycle(state: State, number: int, lifecycle: Lifecycle) -> State:
    first, second = state.lifecycles
    return state._replace(lifecycles=(lifecycle, second) if number == 0 else (first, lifecycle))


def _change(state: State, schedule: Schedule) -> State:
    """Store a schedule: who has watched it is refused."""
    first, second = state.lifecycles
    lifecycles = (first._replace(is_fresh=False), second._replace(is_fresh=False))
    operator = state.operator._replace(is_fresh=False) if state.operator.action else Operator()
    return state._replace(schedule=schedule, lifecycles=lifecycles, operator=operator)


def canonical(state: State) -> State:
    """Return the state with lifecycles in order, which are alike; only a decision counts on what it has
    read."""
    first, second = sorted(
        each if each.phase == "decided" else each._replace(is_fresh=True) for each in state.lifecycles
    )
    return state._replace(lifecycles=(first, second))


def find_wrong(state: State) -> str:
    """Return which invariant a state breaks; empty: none."""
    if state.wrong:
        return state.wrong
    schedule = state.schedule
    if schedule.paused != state.is_paused:
        return "a pause was overwritten"
    for time in range(1, LAST + 1):
        kinds = [kind for each, kind in state.outcomes if each == time]
        has_started = time in state.started
        if time > schedule.cursor:
            if kinds or has_started:
                return f"time {time} is not decided, and has an outcome or a workflow"
        elif kinds.count("started") != has_started:
            return f"time {time} has started, and is listed as {kinds}"
        elif kinds == ["queued"] and schedule.queued != time:
            return f"the start of time {time} waits, and nobody knows"
        elif kinds not in (["started"], ["skipped"], ["missed"], ["queued"], ["queued", "started"]):
            return f"time {time} has become {kinds or 'nothing'}"
    if len(state.alive) > 1 and state.overlap != "allow":
        return "two workflows run at once"
    return ""


def is_end(state: State) -> bool:
    """Return whether all times are decided and all workflows have ended."""
    is_idle = all(each.phase == "idle" for each in state.lifecycles)
    is_decided = state.schedule.cursor == LAST and not state.schedule.queued
    is_idle &= not state.operator.action
    return is_decided and not state.schedule.paused and not state.alive and is_idle
