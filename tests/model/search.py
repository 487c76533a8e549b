"""Searches all states of the model of the protocol, and checks what must hold in each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tests.model.explore import Search, explore
from tests.model.protocol import (
    DONE,
    INITIAL,
    LOST,
    Lifecycle,
    Limits,
    Result,
    State,
    Task,
    Worker,
    successors,
)

_MOST_ENTRIES = 6
"""More tasks and results there cannot be: one for the running attempt, one for each that was retried, doubled
or taken over."""

EntryT = TypeVar("EntryT", Result, Task)


def search(limits: Limits, mutation: str = "") -> Search:
    """Visit every state that can be reached within the limits. Stop at the first that is wrong."""

    def following(state: State) -> Iterator[tuple[str, State]]:
        return ((name, canonical(each)) for name, each in successors(state, mutation))

    first = canonical(INITIAL._replace(limits=limits))
    return explore(first, following, find_wrong, is_end, "from here the workflow can never finish")


def find_wrong(state: State) -> str:
    """Return which invariant a state breaks; empty: none."""
    if max(state.ended) > 1:
        return "a step has ended twice"
    if any(count > 1 for count in Counter(state.counted).values()):
        return "an attempt has counted twice"
    if len(state.tasks) + len(state.results) > _MOST_ENTRIES:
        return "entries come again and again"
    if state.is_late:
        return "a result has counted although its attempt was over"
    if not state.taken_over and any(count > 1 for count in Counter(state.executed).values()):
        return "an attempt was executed twice, and no worker had lost it"
    copies = Counter((task.step, task.attempt) for task in state.tasks)
    if any(count > 1 for count in copies.values()):
        return "a task is in two places"
    if set(state.counted) - set(state.executed):
        return "an attempt has ended that nobody has executed"
    if state.step == DONE and state.ended != (1, 1):
        return "the workflow has finished, but not each step has ended"
    if state.step != DONE and not _has_token(state):
        return "the running attempt is nowhere: neither as a task nor as a result"
    return ""


def _has_token(state: State) -> bool:
    current = state.step, state.attempt
    return any((each.step, each.attempt) == current for each in (*state.tasks, *state.results))


def is_end(state: State) -> bool:
    """Return whether the workflow has finished and nothing is left over."""
    idle = all(each.phase == "idle" for each in (*state.lifecycles, *state.workers, *state.movers))
    return state.step == DONE and idle and not state.tasks and not state.results


def canonical(state: State) -> State:
    """Return the state with small numbers for versions and entries, which matter only by being equal, and
    with processes of one kind in order, which are alike. States that differ in nothing else are one."""
    results = tuple(each if _is_at_work(state.lifecycles, each) else _lost(each) for each in state.results)
    tasks = tuple(each if _is_at_work(state.workers, each) else _lost(each) for each in state.tasks)
    state = state._replace(results=results, tasks=tasks)
    if state.lifecycles[0] > state.lifecycles[1]:
        swapped = tuple(each._replace(owner=_other(each.owner)) for each in state.results)
        state = state._replace(lifecycles=state.lifecycles[::-1], results=swapped)
    if state.workers[0] > state.workers[1]:
        tasks = tuple(each._replace(owner=_other(each.owner)) for each in state.tasks)
        state = state._replace(workers=state.workers[::-1], tasks=tasks)
    open_attempts = {
        (each.step, each.attempt)
        for each in (*state.tasks, *state.results, *state.workers, *state.lifecycles)
        if each.step
    }
    # An attempt that nothing names any more can neither count nor be executed again.
    counted = tuple(each for each in state.counted if each in open_attempts)
    executed = tuple(each for each in state.executed if each in open_attempts)
    state = state._replace(counted=counted, executed=executed)
    versions = sorted({state.version, *(each.version for each in state.lifecycles if each.phase == "loaded")})
    claims = {state.claims_version, *(each.version for each in state.movers if each.phase != "idle")}
    claims |= {each.claims[0] for each in state.lifecycles if each.phase not in ("idle", "read")}
    claim_versions = sorted(claims)
    entries = sorted(
        {each.number for each in (*state.tasks, *state.results)}
        | {each.entry for each in (*state.lifecycles, *state.workers, *state.movers) if each.entry}
    )
    new = {entry: number for number, entry in enumerate(entries, 1)} | {0: 0}
    lifecycles = tuple(
        each._replace(
            entry=new[each.entry],
            version=versions.index(each.version) + 1 if each.phase == "loaded" else 0,
            claims=(claim_versions.index(each.claims[0]) + 1, each.claims[1])
            if each.phase not in ("idle", "read")
            else (0, False),
        )
        for each in state.lifecycles
    )
    movers = tuple(
        each
        if each.phase == "idle"
        else each._replace(entry=new[each.entry], version=claim_versions.index(each.version) + 1)
        for each in state.movers
    )
    return state._replace(
        version=versions.index(state.version) + 1,
        claims_version=claim_versions.index(state.claims_version) + 1,
        results=tuple(each._replace(number=new[each.number]) for each in state.results),
        tasks=tuple(each._replace(number=new[each.number]) for each in state.tasks),
        lifecycles=lifecycles,
        workers=tuple(each._replace(entry=new[each.entry]) for each in state.workers),
        movers=tuple(sorted(movers)),
        last_number=len(entries),
    )


def _is_at_work(processes: Sequence[Lifecycle | Worker], entry: Result | Task) -> bool:
    return entry.owner is None or (
        entry.owner != LOST
        and processes[entry.owner].phase != "idle"
        and processes[entry.owner].entry == entry.number
    )


def _lost(entry: EntryT) -> EntryT:
    return entry._replace(owner=LOST)


def _other(owner: int | None) -> int | None:
    return owner if owner in (None, LOST) else 1 - owner
