"""A model of how a step ends and the next begins: commit, claims of entries, and the hand-over of tasks.

docs/protocol.md ties each transition to functions of `lfr/`. A state is what Redis holds and what four
processes hold in memory. `successors` yields every state that can follow: any process takes its next step,
dies, or another takes over what it has read, at any time. (So a process that is frozen is one that takes no
step for long, and a lease is of any length.)

The flow is `A -> B`. Two lifecycles read results; two workers read tasks, B is done by a group that may come
and go. A step is A or B, an attempt is a number from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

A, B, DONE = "A", "B", "done"

LOST = 2
"""The owner of an entry whose reader has died: who it was does not matter any more."""


class Result(NamedTuple):
    """An end-task on `workflows:ends`. `number` is its entry id; `owner` the lifecycle that has read it."""

    number: int
    step: str
    attempt: int
    owner: int | None = None


class Task(NamedTuple):
    """A start-task. `place` is `bus` (with its place in the index of unclaimed tasks) or `queue`; `owner` is
    the worker that has read it from the queue or, as a foreign one, from the bus.

    `is_moved`: it was moved, so its reader checks first whether the attempt is current.
    """

    number: int
    step: str
    attempt: int
    place: str
    owner: int | None = None
    is_moved: bool = False


class Lifecycle(NamedTuple):
    """What a lifecycle has in memory: the entry that it processes; then what it has loaded.

    phase    idle, read, loaded, or (in a mutation) acknowledged or committed
    entry    the number of the entry
    step, attempt   what the entry says
    version  of the workflow, as loaded
    decides  whether the result counts
    claimed  the version of the claims and whether B is claimed, as cached
    """

    phase: str = "idle"
    entry: int = 0
    step: str = ""
    attempt: int = 0
    version: int = 0
    decides: bool = False
    claims: tuple[int, bool] = (0, False)


class Worker(NamedTuple):
    """What a worker has in memory: the task that it has read, and whether it has executed it."""

    phase: str = "idle"
    entry: int = 0
    step: str = ""
    attempt: int = 0


class Mover(NamedTuple):
    """What the process that moves tasks has in memory: what it has read, and the version of the claims."""

    phase: str = "idle"
    entry: int = 0
    version: int = 0
    target: str = ""


class Limits(NamedTuple):
    """How often each of these may still happen."""

    deaths: int = 2
    takeovers: int = 2
    duplicates: int = 1
    retries: int = 1
    claim_changes: int = 2


class State(NamedTuple):
    """All of it.

    step, attempt   of the workflow: which step runs, in which attempt; DONE: it has finished
    version         of its record: changes with each transaction that writes it
    ended           how often each step has ended, in the order A, B
    counted         the attempts whose results have changed the workflow, with repetitions
    is_unsorted     whether tasks may stand where the claims do not say
    executed        the attempts that workers have executed, with repetitions
    taken_over      whether a task was taken over from a worker, or moved while one was reading it
    is_late         whether a result has counted whose attempt was over
    """

    step: str
    attempt: int
    version: int
    ended: tuple[int, int]
    counted: tuple[tuple[str, int], ...]
    executed: tuple[tuple[str, int], ...]
    taken_over: bool
    is_late: bool
    results: tuple[Result, ...]
    tasks: tuple[Task, ...]
    claims_version: int
    is_claimed: bool
    is_unsorted: bool
    lifecycles: tuple[Lifecycle, ...]
    workers: tuple[Worker, ...]
    movers: tuple[Mover, ...]
    limits: Limits
    last_number: int


INITIAL = State(
    step=A,
    attempt=1,
    version=1,
    ended=(0, 0),
    counted=(),
    executed=(),
    taken_over=False,
    is_late=False,
    results=(),
    tasks=(Task(1, A, 1, "bus"),),
    claims_version=1,
    is_claimed=False,
    is_unsorted=False,
    lifecycles=(Lifecycle(), Lifecycle()),
    workers=(Worker(), Worker()),
    movers=(Mover(), Mover()),
    limits=Limits(),
    last_number=1,
)

MUTATIONS = {
    "commit without WATCH": "a lifecycle writes although the workflow has changed since it was loaded",
    "acknowledge before the commit": "a lifecycle acknowledges a result, then writes what follows",
    "append the next task later": "the next start-task is not in the transaction that ends the step",
    "keep the decision": "after a refused EXEC the old decision is written",
    "ignore the attempt": "a result counts while the step runs, whatever its attempt",
    "ignore whether the step runs": "a result counts although its step has ended",
    "worker acknowledges first": "a worker acknowledges a task before it executes it",
    "worker acknowledges late": "a worker appends the end-task, and the task stays in its queue",
    "no takeover of results": "nobody reclaims what a lifecycle that died has read",
    "no takeover of tasks": "nobody reclaims what a worker that died has read",
    "route without WATCH": "who appends a start-task does not watch the version of the claims",
    "move without WATCH": "who moves a task does not watch the version of the claims",
    "move without a new version": "who moves a task does not change the version of the claims",
    "move without deletion": "a task that is moved stays on the bus as well",
    "retry without a new attempt": "an operator's retry starts the same attempt once more",
}
"""Mistakes that the search must find; each is a mistake that lfr's code could make."""


def successors(state: State, mutation: str = "") -> Iterator[tuple[str, State]]:
    """Yield each state that may follow, with the name of the transition."""
    for number in range(len(state.lifecycles)):
        yield from _lifecycle(state, number, mutation)
    for number in range(len(state.workers)):
        yield from _worker(state, number, mutation)
    for number in range(len(state.movers)):
        yield from _mover(state, number, mutation)
    yield from _others(state, mutation)


# Lifecycles


def _with_lifecycle(state: State, number: int, lifecycle: Lifecycle) -> State:
    lifecycles = (*state.lifecycles[:number], lifecycle, *state.lifecycles[number + 1 :])
    return state._replace(lifecycles=lifecycles)


def _lifecycle(state: State, number: int, mutation: str) -> Iterator[tuple[str, State]]:
    me = state.lifecycles[number]
    name = f"lifecycle {number + 1}"
    if me.phase == "idle":
        for result in state.results:
            is_new = result.owner is None
            may_reclaim = mutation != "no takeover of results" and (
                state.limits.takeovers or not _has_owner(state, result)
            )
            if is_new or may_reclaim:
                taken = state if is_new else _count_takeover(state, _has_owner(state, result))
                results = tuple(
                    each._replace(owner=number) if each.number == result.number else each
                    for each in taken.results
                )
                read = Lifecycle("read", result.number, result.step, result.attempt)
                yield f"{name} reads", _with_lifecycle(taken._replace(results=results), number, read)
        return
    if me.phase == "read":
        runs = state.step == me.step or (mutation == "ignore whether the step runs" and state.step != DONE)
        decides = runs and (me.attempt == state.attempt or mutation == "ignore the attempt")
        if mutation == "ignore whether the step runs" and state.step != me.step:
            decides = True
        claims = (state.claims_version, state.is_claimed)
        loaded = me._replace(phase="loaded", version=state.version, decides=decides, claims=claims)
        if mutation == "acknowledge before the commit":
            loaded = loaded._replace(phase="acknowledged")
            state = _settle(state, me.entry)
        yield f"{name} loads", _with_lifecycle(state, number, loaded)
    elif me.phase in ("loaded", "acknowledged"):
        is_refused = (me.version != state.version and mutation != "commit without WATCH") or (
            me.decides and me.claims[0] != state.claims_version and mutation != "route without WATCH"
        )
        if is_refused and mutation == "keep the decision":
            claims = (state.claims_version, state.is_claimed)
            again = me._replace(version=state.version, claims=claims)
            yield f"{name} is refused", _with_lifecycle(state, number, again)
        elif is_refused:
            yield f"{name} is refused", _with_lifecycle(state, number, me._replace(phase="read"))
        else:
            yield f"{name} commits", _commit(state, number, mutation)
    elif me.phase == "committed":
        yield f"{name} appends", _with_lifecycle(_append_next(state, me), number, Lifecycle())
    if state.limits.deaths:
        limits = state.limits._replace(deaths=state.limits.deaths - 1)
        yield f"{name} dies", _with_lifecycle(state._replace(limits=limits), number, Lifecycle())


def _has_owner(state: State, result: Result) -> bool:
    """Return whether the lifecycle that has read a result still processes it: then it is frozen at most."""
    owner = result.owner
    return owner not in (None, LOST) and state.lifecycles[owner].entry == result.number


def _count_takeover(state: State, is_counted: bool) -> State:
    if not is_counted:
        return state
    return state._replace(limits=state.limits._replace(takeovers=state.limits.takeovers - 1))


def _settle(state: State, entry: int) -> State:
    return state._replace(results=tuple(each for each in state.results if each.number != entry))


def _commit(state: State, number: int, mutation: str) -> State:
    """One MULTI/EXEC: the workflow, the next start-task, and the acknowledgement."""
    me = state.lifecycles[number]
    after = _settle(state, me.entry)
    if not me.decides:
        return _with_lifecycle(after, number, Lifecycle())
    ended = (state.ended[0] + (me.step == A), state.ended[1] + (me.step == B))
    counted = tuple(sorted((*state.counted, (me.step, me.attempt))))
    after = after._replace(is_late=(me.step, me.attempt) != (state.step, state.attempt))
    step, attempt = (B, 1) if me.step == A else (DONE, 0)
    after = after._replace(
        step=step, attempt=attempt, version=state.version + 1, ended=ended, counted=counted
    )
    if mutation == "append the next task later":
        return _with_lifecycle(after, number, me._replace(phase="committed"))
    return _with_lifecycle(_append_next(after, me), number, Lifecycle())


def _append_next(state: State, me: Lifecycle) -> State:
    return _append_task(state, B, 1, me.claims[1]) if me.step == A else state


def _append_task(state: State, step: str, attempt: int, is_claimed: bool) -> State:
    place = "queue" if step == B and is_claimed else "bus"
    task = Task(state.last_number + 1, step, attempt, place)
    return state._replace(tasks=(*state.tasks, task), last_number=state.last_number + 1)


# Workers


def _with_worker(state: State, number: int, worker: Worker) -> State:
    return state._replace(workers=(*state.workers[:number], worker, *state.workers[number + 1 :]))


def _worker(state: State, number: int, mutation: str) -> Iterator[tuple[str, State]]:
    """A worker does A from the bus as a foreign one does, and B from its queue while its group claims it, and
    from the bus while nobody does."""
    me = state.workers[number]
    name = f"worker {number + 1}"
    if me.phase == "idle":
        for task in state.tasks:
            place = "queue" if task.step == B and state.is_claimed else "bus"
            if task.owner is None and task.place == place:
                yield f"{name} reads", _read_task(state, number, task, mutation)
            elif task.owner is None:
                continue  # nobody reads there
            elif mutation != "no takeover of tasks":
                is_at_work = task.owner != LOST and state.workers[task.owner].entry == task.number
                if not is_at_work or state.limits.takeovers:
                    before = _count_takeover(state, is_at_work)._replace(taken_over=True)
                    yield f"{name} takes over", _read_task(before, number, task, mutation, is_new=False)
        return
    if me.phase == "read":
        executed = tuple(sorted((*state.executed, (me.step, me.attempt))))
        done = _with_worker(state._replace(executed=executed), number, me._replace(phase="executed"))
        yield f"{name} executes", done
    elif me.phase == "executed":
        result = Result(state.last_number + 1, me.step, me.attempt)
        after = state._replace(results=(*state.results, result), last_number=state.last_number + 1)
        if mutation != "worker acknowledges late":
            after = _settle_task(after, me.entry)
        yield f"{name} answers", _with_worker(after, number, Worker())
    if state.limits.deaths:
        limits = state.limits._replace(deaths=state.limits.deaths - 1)
        yield f"{name} dies", _with_worker(state._replace(limits=limits), number, Worker())


def _read_task(state: State, number: int, task: Task, mutation: str, *, is_new: bool = True) -> State:
    """Read a task. One that was taken over begins only if its attempt is current."""
    tasks = tuple(each._replace(owner=number) if each.number == task.number else each for each in state.tasks)
    after = state._replace(tasks=tasks)
    if (task.is_moved or not is_new) and (state.step, state.attempt) != (task.step, task.attempt):
        return _settle_task(after, task.number)
    if mutation == "worker acknowledges first":
        after = _settle_task(after, task.number)
    return _with_worker(after, number, Worker("read", task.number, task.step, task.attempt))


def _settle_task(state: State, entry: int) -> State:
    return state._replace(tasks=tuple(each for each in state.tasks if each.number != entry))


# Claims and moves


def _mover(state: State, number: int, mutation: str) -> Iterator[tuple[str, State]]:
    """After the claims have changed, tasks of B that nobody has read move to where the claims say: into the
    queue, or back to the bus. Once there is none, nobody looks again until the claims change."""
    me = state.movers[number]
    name = f"mover {number + 1}"
    if me.phase == "idle":
        if not state.is_unsorted:
            return
        target = "queue" if state.is_claimed else "bus"
        misplaced = [each for each in state.tasks if each.step == B and each.place != target]
        for task in misplaced:
            if task.owner is None:
                mover = Mover("read", task.number, state.claims_version, target)
                yield f"{name} reads", _with_mover(state, number, mover)
        if not misplaced:
            mover = Mover("finish", 0, state.claims_version)
            yield f"{name} finds none", _with_mover(state, number, mover)
        return
    idle = _with_mover(state, number, Mover())
    if me.version != state.claims_version and mutation != "move without WATCH":
        yield f"{name} is refused", idle
    elif me.phase == "finish":
        yield f"{name} finishes", idle._replace(is_unsorted=False)
    else:
        yield f"{name} moves", _move(idle, me, mutation)


def _with_mover(state: State, number: int, mover: Mover) -> State:
    return state._replace(movers=(*state.movers[:number], mover, *state.movers[number + 1 :]))


def _move(state: State, me: Mover, mutation: str) -> State:
    """One MULTI/EXEC: the task in its new place, the deletion of the old entry, a new version. A worker may
    have read the task since the mover has: then both do it."""
    task = next((each for each in state.tasks if each.number == me.entry), None)
    if task is None or task.owner is not None:
        state = state._replace(taken_over=True)
    after = state if mutation == "move without deletion" else _settle_task(state, me.entry)
    attempt = task.attempt if task else 1
    moved = Task(after.last_number + 1, B, attempt, me.target, is_moved=True)
    version = state.claims_version + (mutation != "move without a new version")
    tasks = (*after.tasks, moved)
    return after._replace(tasks=tasks, last_number=after.last_number + 1, claims_version=version)


# Operators, duplicates, groups that come and go


def _others(state: State, mutation: str) -> Iterator[tuple[str, State]]:
    limits = state.limits
    if limits.duplicates:
        for result in state.results:
            copy = Result(state.last_number + 1, result.step, result.attempt)
            yield (
                "a result is doubled",
                state._replace(
                    results=(*state.results, copy),
                    last_number=state.last_number + 1,
                    limits=limits._replace(duplicates=limits.duplicates - 1),
                ),
            )
    if limits.retries and state.step != DONE:
        attempt = state.attempt if mutation == "retry without a new attempt" else state.attempt + 1
        after = state._replace(
            attempt=attempt, version=state.version + 1, limits=limits._replace(retries=limits.retries - 1)
        )
        yield "an operator retries", _append_task(after, state.step, attempt, state.is_claimed)
    if limits.claim_changes:
        yield (
            "the claim changes",
            state._replace(
                is_claimed=not state.is_claimed,
                is_unsorted=True,
                claims_version=state.claims_version + 1,
                limits=limits._replace(claim_changes=limits.claim_changes - 1),
            ),
        )
