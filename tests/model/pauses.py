"""A model of pauses: two pauses, of a workflow and of its flow, while lifecycles start steps.

docs/protocol.md ties each transition to functions of `lfr/`. The workflow is `A -> B`. A client starts it;
two lifecycles process results and start what was held back; operators pause, resume, retry and end steps by
hand. Workers are one transition here: `tests/model/protocol.py` has them whole.

Each transaction watches versions. A process needs to know only whether what it has watched is still as it
was: `is_fresh` for the workflow, for the claims and pauses, and for the start that it fires. So pauses may
come and go without end, every process may die at any time, and the states are still few.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.explore import Search, explore

A, B, DONE = "A", "B", "done"

Attempt = tuple[str, int]
"""A step and the number of its attempt."""


class Process(NamedTuple):
    """What a lifecycle, or the client that starts the workflow, has in memory.

    phase     idle; `result` or `start`: it has loaded what it needs; in a mutation also what it does later
    attempt   that of the result, or of the start that it fires
    decides   whether the result counts; whether the start is there and its attempt runs
    is_held   whether it has seen a pause
    is_fresh  whether the workflow, the pauses, and the stored start are as it has read them
    """

    phase: str = "idle"
    attempt: Attempt = ("", 0)
    decides: bool = False
    is_held: bool = False
    is_fresh: tuple[bool, bool, bool] = (True, True, True)


class State(NamedTuple):
    """All of it.

    step, attempt  of the workflow: which step runs, in which attempt; attempt 0 of A: it has not started
    pauses         whether the workflow and the flow are paused
    texts          the stored starts; `held` and `delayed` name those that a pause, or nothing, holds back
    begun          the attempts that have started
    operator       what a resume still has to do, which has two transactions in a mutation
    wrong          what a transition has broken
    """

    step: str = A
    attempt: int = 0
    pauses: tuple[bool, bool] = (False, False)
    texts: frozenset[Attempt] = frozenset()
    held: frozenset[Attempt] = frozenset()
    delayed: frozenset[Attempt] = frozenset()
    tasks: frozenset[Attempt] = frozenset()
    results: frozenset[Attempt] = frozenset()
    begun: frozenset[Attempt] = frozenset()
    processes: tuple[Process, ...] = (Process(), Process(), Process())
    retries: int = 1
    ends_by_hand: int = 1
    operator: str = ""
    wrong: str = ""


CLIENT = 2
"""Of the processes, this one is the client; the others are lifecycles."""

WORKFLOW, FLOW = 0, 1

MUTATIONS = {
    "start without WATCH of the pauses": "a lifecycle or a client starts what a new pause holds back",
    "fire without WATCH of the pauses": "a lifecycle starts what was held back into a new pause",
    "fire without WATCH of the start": "two lifecycles fire the same start",
    "pause without a new version": "a pause does not change what the others watch",
    "resume without a new version": "a lifecycle holds a step back for a pause that has ended",
    "move what was held later": "a resume ends the pause, then moves what it has held back",
    "move what was held before": "a resume moves what was held back, then ends the pause",
    "move nothing": "a resume leaves what was held back",
    "drop what is held again": "a start that meets another pause is not kept",
    "hold without the start": "a step is held back, and what it starts with is not stored",
    "retry in a pause": "an operator's retry starts at once",
    "keep the start of a retried step": "a retry leaves the held start of the attempt before",
    "keep the start of a step that is ended by hand": "who ends a held step leaves its start",
    "fire whatever the attempt": "who fires a start does not look whether its attempt runs",
    "keep the pause of what has finished": "the pause of a workflow outlives it",
}
"""Mistakes that the search must find."""

_TOGETHER = {"fire whatever the attempt": "keep the start of a retried step"}
"""Mistakes that do no harm without another one."""


def search(mutation: str = "") -> Search:
    """Visit every state. Stop at the first that is wrong."""
    mistakes = {mutation, _TOGETHER.get(mutation, "")}
    return explore(
        canonical(State()),
        lambda state: ((name, canonical(each)) for name, each in successors(state, mistakes)),
        find_wrong,
        is_end,
        "from here the workflow can never finish with all pauses ended",
    )


def successors(state: State, mistakes: set[str]) -> Iterator[tuple[str, State]]:
    """Yield each state that may follow, with the name of the transition."""
    for number, process in enumerate(state.processes):
        if process.phase != "idle":
            yield "a process dies", _with_process(state, number, Process())
    yield from _client(state, mistakes)
    for number in range(CLIENT):
        yield from _lifecycle(state, number, mistakes)
    yield from _worker(state)
    yield from _operators(state, mistakes)


def _client(state: State, mistakes: set[str]) -> Iterator[tuple[str, State]]:
    me = state.processes[CLIENT]
    if me.phase == "idle":
        if state.attempt == 0 and state.step == A:
            loaded = Process("result", (A, 0), is_held=any(state.pauses))
            yield "a client loads", _with_process(state, CLIENT, loaded)
        return
    idle = _with_process(state, CLIENT, Process())
    if _is_refused(me, mistakes):
        yield "a client is refused", idle
    else:
        begun = _change_workflow(idle._replace(attempt=1))
        yield "a client starts the workflow", _start(begun, (A, 1), me.is_held, mistakes)


def _lifecycle(state: State, number: int, mistakes: set[str]) -> Iterator[tuple[str, State]]:
    me = state.processes[number]
    if me.phase == "idle":
        for attempt in state.results:
            decides = attempt == (state.step, state.attempt)
            loaded = Process("result", attempt, decides, any(state.pauses))
            yield f"a lifecycle reads the result of {attempt}", _with_process(state, number, loaded)
        for attempt in state.delayed:
            runs = attempt == (state.step, state.attempt) or "fire whatever the attempt" in mistakes
            loaded = Process("start", attempt, attempt in state.texts and runs, any(state.pauses))
            yield f"a lifecycle reads the start of {attempt}", _with_process(state, number, loaded)
        return
    idle = _with_process(state, number, Process())
    if me.phase == "result":
        if _is_refused(me, mistakes):
            yield "a lifecycle is refused", idle
        else:
            settled = idle._replace(results=idle.results - {me.attempt})
            after = _end_step(settled, me.is_held, mistakes) if me.decides else settled
            yield "a lifecycle commits", after
        return
    _, pauses_are_fresh, start_is_fresh = me.is_fresh
    if (not pauses_are_fresh and "fire without WATCH of the pauses" not in mistakes) or (
        not start_is_fresh and "fire without WATCH of the start" not in mistakes
    ):
        yield "a lifecycle is refused", idle
    else:
        yield "a lifecycle fires", _fire(idle, me, mistakes)


def _is_refused(me: Process, mistakes: set[str]) -> bool:
    workflow_is_fresh, pauses_are_fresh, _ = me.is_fresh
    return not workflow_is_fresh or (
        not pauses_are_fresh and "start without WATCH of the pauses" not in mistakes
    )


def _fire(state: State, me: Process, mistakes: set[str]) -> State:
    """One MULTI/EXEC: the start-task, or back to what is held; the deletion of the stored start."""
    after = state._replace(delayed=state.delayed - {me.attempt})
    if me.decides and me.is_held:
        if "drop what is held again" in mistakes:
            return _forget(after, me.attempt)
        return after._replace(held=after.held | {me.attempt})
    after = _change_start(after._replace(texts=after.texts - {me.attempt}), me.attempt)
    return _begin(after, me.attempt) if me.decides else after


def _end_step(state: State, is_held: bool, mistakes: set[str]) -> State:
    """One MULTI/EXEC: the workflow, and the next start-task or what is held of it."""
    after = _change_workflow(_forget(state, (state.step, state.attempt)) if is_held else state)
    if state.step == A:
        return _start(after._replace(step=B, attempt=1), (B, 1), is_held, mistakes)
    after = after._replace(step=DONE, attempt=0)
    if state.pauses[WORKFLOW] and "keep the pause of what has finished" not in mistakes:
        return _change_pauses(after._replace(pauses=(False, state.pauses[FLOW])))
    return after


def _start(state: State, attempt: Attempt, is_held: bool, mistakes: set[str]) -> State:
    if not is_held:
        return _begin(state, attempt)
    texts = state.texts if "hold without the start" in mistakes else state.texts | {attempt}
    return state._replace(texts=texts, held=state.held | {attempt})


def _begin(state: State, attempt: Attempt) -> State:
    """Append a start-task, and say if it must not be."""
    wrong = state.wrong
    if any(state.pauses):
        wrong = "a step has started in a pause"
    elif attempt in state.begun:
        wrong = "an attempt has started twice"
    elif attempt != (state.step, state.attempt):
        wrong = "an attempt has started that is over"
    return state._replace(tasks=state.tasks | {attempt}, begun=state.begun | {attempt}, wrong=wrong)


def _forget(state: State, attempt: Attempt) -> State:
    after = state._replace(
        texts=state.texts - {attempt}, held=state.held - {attempt}, delayed=state.delayed - {attempt}
    )
    return _change_start(after, attempt)


def _worker(state: State) -> Iterator[tuple[str, State]]:
    for task in state.tasks:
        after = state._replace(tasks=state.tasks - {task}, results=state.results | {task})
        yield f"a worker executes {task}", after


def _operators(state: State, mistakes: set[str]) -> Iterator[tuple[str, State]]:
    """What people do, each in one transaction; a resume in two in a mutation."""
    if state.operator:
        yield "a resume dies in the middle", state._replace(operator="")
        yield "a resume goes on", _go_on(state)
        return
    for scope in (WORKFLOW, FLOW):
        runs = state.step != DONE and state.attempt > 0
        if not state.pauses[scope] and (scope == FLOW or runs):
            yield f"pause {scope}", _pause(state, scope, mistakes)
        elif state.pauses[scope]:
            yield f"resume {scope}", _resume(state, scope, mistakes)
    if state.step == DONE or state.attempt == 0:
        return
    current = state.step, state.attempt
    if state.retries:
        after = _change_workflow(state._replace(retries=state.retries - 1, attempt=state.attempt + 1))
        if "keep the start of a retried step" not in mistakes:
            after = _forget(after, current)
        is_held = any(state.pauses) and "retry in a pause" not in mistakes
        yield "retry", _start(after, (state.step, state.attempt + 1), is_held, mistakes)
    if state.ends_by_hand:
        after = state._replace(ends_by_hand=state.ends_by_hand - 1, results=state.results | {current})
        if "keep the start of a step that is ended by hand" not in mistakes:
            after = _forget(after, current)
        yield "end by hand", after


def _pause(state: State, scope: int, mistakes: set[str]) -> State:
    pauses = (True, state.pauses[FLOW]) if scope == WORKFLOW else (state.pauses[WORKFLOW], True)
    after = state._replace(pauses=pauses)
    return after if "pause without a new version" in mistakes else _change_pauses(after)


def _resume(state: State, scope: int, mistakes: set[str]) -> State:
    pauses = (False, state.pauses[FLOW]) if scope == WORKFLOW else (state.pauses[WORKFLOW], False)
    if "move what was held before" in mistakes:
        return _move(state)._replace(operator=f"end {scope}")
    after = state._replace(pauses=pauses)
    if "resume without a new version" not in mistakes:
        after = _change_pauses(after)
    if "move what was held later" in mistakes:
        return after._replace(operator="move")
    return after if "move nothing" in mistakes else _move(after)


def _move(state: State) -> State:
    return state._replace(delayed=state.delayed | state.held, held=frozenset())


def _go_on(state: State) -> State:
    """The second transaction of a resume that has two."""
    if state.operator == "move":
        return _move(state._replace(operator=""))
    scope = int(state.operator.split()[1])
    pauses = (False, state.pauses[FLOW]) if scope == WORKFLOW else (state.pauses[WORKFLOW], False)
    return _change_pauses(state._replace(operator="", pauses=pauses))


def _with_process(state: State, number: int, process: Process) -> State:
    return state._replace(processes=(*state.processes[:number], process, *state.processes[number + 1 :]))


def _change_workflow(state: State) -> State:
    return state._replace(
        processes=tuple(each._replace(is_fresh=(False, *each.is_fresh[1:])) for each in state.processes)
    )


def _change_pauses(state: State) -> State:
    return state._replace(
        processes=tuple(
            each._replace(is_fresh=(each.is_fresh[0], False, each.is_fresh[2])) for each in state.processes
        )
    )


def _change_start(state: State, attempt: Attempt) -> State:
    """Note that the stored start of an attempt has changed: who has watched it is refused."""
    return state._replace(
        processes=tuple(
            each._replace(is_fresh=(*each.is_fresh[:2], False)) if each.attempt == attempt else each
            for each in state.processes
        )
    )


def canonical(state: State) -> State:
    """Return the state with what no longer matters the same: lifecycles are alike; of an idle process, and of
    a start, the workflow is not watched; attempts that nothing names cannot start again."""
    processes = tuple(_canonical_process(each) for each in state.processes)
    first, second, client = processes
    named = state.texts | state.held | state.delayed | {(state.step, state.attempt)}
    named |= {each.attempt for each in processes}
    return state._replace(
        processes=(*sorted((first, second)), client),
        begun=state.begun & named,
    )


def _canonical_process(process: Process) -> Process:
    workflow, pauses, start = process.is_fresh
    match process.phase:
        case "idle":
            return Process()
        case "start":
            return process._replace(is_fresh=(True, pauses, start))
    return process._replace(is_fresh=(workflow, pauses, True))


def find_wrong(state: State) -> str:
    """Return which invariant a state breaks; empty: none."""
    if state.wrong:
        return state.wrong
    if state.pauses[WORKFLOW] and state.step == DONE:
        return "the pause of a workflow has outlived it"
    if state.held and not any(state.pauses) and not state.operator:
        return "a step is held back, and nothing is paused"
    stored = (state.held | state.delayed) & state.texts
    current = state.step, state.attempt
    if state.attempt > 0 and current not in state.tasks | state.results | stored:
        return "the running attempt is nowhere: neither as a task, nor as a result, nor held"
    return ""


def is_end(state: State) -> bool:
    """Return whether the workflow has finished, nothing is paused, and nothing is left over."""
    is_idle = all(each.phase == "idle" for each in state.processes)
    rest = state.texts | state.held | state.delayed | state.tasks | state.results
    return state.step == DONE and not any(state.pauses) and is_idle and not rest
