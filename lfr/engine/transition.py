"""The data types of the engine: the progress and result that it reads, the transition that it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from lfr.actor import Actor
from lfr.states import WorkflowState
from lfr.step_options import Invocation
from lfr.values.json import Json


@dataclass(slots=True)
class StepResult:
    """The result of a step's task, as its worker reports it.

    output   the output, if the task succeeded; `{}`: it has none
    failure  why the task failed, or None if it succeeded
    attempt  the attempt that the result is of, or None if the worker does not say
    chance   a random number from 0 to 1, for the jitter of a retry
    is_final  of a failure: it is not retried, whatever the step's options say
    entry_id  the id of the event that reports it; empty: of none
    is_simulated  no worker has done the task
    actor    who has made it by hand, in place of a worker
    """

    index: int
    output: Json = field(default_factory=dict)
    failure: str | None = None
    attempt: int | None = None
    chance: float = 0.5
    is_final: bool = False
    entry_id: str = ""
    is_simulated: bool = False
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Nothing is decided yet: load the progress of these steps and the outputs of these (by index; -1: the
    workflow's input), then call again."""

    steps: frozenset[int]
    outputs: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class StaleResult:
    """The result changes nothing: it is a duplicate, or the result of an attempt that is over."""

    reason: str


class StepProgress(NamedTuple):
    """The progress of one step.

    waiting  activations that the step has received and not used
    active   invocations of the step that run now
    attempt  how many times the step's task has been started in this workflow; a result of any other
             attempt than this latest one is stale
    retries  how many of these attempts were retries, since the step last started
    earlier  how many attempts are over without having ended the step, since it last ended: in a loop, in this
             turn
    """

    waiting: int = 0
    active: int = 0
    attempt: int = 0
    retries: int = 0
    earlier: int = 0


UNTOUCHED = StepProgress()


@dataclass(slots=True)
class Progress:
    """The progress of a workflow, or the part of it that has been loaded.

    steps     progress by step index
    is_whole  whether all has been loaded: then a step that is not in `steps` is untouched
    active    invocations that run now, over all steps
    done, skipped, failed   how many steps have ended in this way so far
    """

    state: WorkflowState = WorkflowState.RUNNING
    steps: dict[int, StepProgress] = field(default_factory=dict)
    is_whole: bool = False
    active: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0

    def step(self, index: int) -> StepProgress | None:
        """Return the progress of a step, or None if it has not been loaded."""
        return self.steps.get(index, UNTOUCHED if self.is_whole else None)

    def apply(self, transition: Transition) -> None:
        """Change this progress as `transition` says."""
        self.steps.update(transition.steps)
        self.state = transition.state
        self.active += transition.active
        self.done += transition.done
        self.skipped += transition.skipped
        self.failed += transition.failed


class FactKind(StrEnum):
    """What happened to a step, or, in a fact without a step, to the workflow."""

    STARTED = "started"
    ENDED = "ended"
    PASSED = "passed"
    """Started and ended at once: a start, an end, a literal, a subflow."""
    SKIPPED = "skipped"
    FAILED = "failed"
    RETRIED = "retried"
    """An attempt has failed, and another one follows."""
    FINISHED = "finished"
    TERMINATED = "terminated"
    RESTARTED = "restarted"
    PAUSED = "paused"
    RESUMED = "resumed"
    TIMED_OUT = "timed-out"
    """It has taken too long: what ran was stopped. It fails at the same time."""

    __hash__ = str.__hash__  # as in WorkflowState


_SYMBOLS = {
    FactKind.STARTED: "+",
    FactKind.ENDED: "-",
    FactKind.PASSED: "=",
    FactKind.SKIPPED: "~",
    FactKind.FAILED: "!",
    FactKind.RETRIED: "^",
}
_KINDS = {symbol: kind for kind, symbol in _SYMBOLS.items()}


@dataclass(slots=True)
class Fact:
    """One thing that happened: to the step of this index, or to the workflow if `index` is None.

    item     the number of an item from 0, if it happened to one item of an iterated step
    attempt  the attempt of the step; for an item, the attempt that began with the items
    is_simulated  of an end: no worker has done the task; of the end of an item: a task of one of its steps

    In a history, a fact is a word: a symbol, the step's index, `/ITEM` for an item, `.ATTEMPT` from the
    second attempt on, `*` if it is simulated; or the kind of a fact of the workflow. `+5 -5* =6 ~7 !8.2 ^8.3
    +9/0 finished` says: step 5 started and its end was simulated, step 6 passed, step 7 was skipped, attempt
    2 of step 8 failed, attempt 3 failed and is retried, the first item of step 9 started, the workflow has
    finished.
    """

    index: int | None
    kind: FactKind
    attempt: int = 0
    item: int | None = None
    is_simulated: bool = False

    def __str__(self) -> str:
        """Return the word for this fact."""
        if self.index is None:
            return self.kind.value
        item = "" if self.item is None else f"/{self.item}"
        attempt = f".{self.attempt}" if self.attempt > 1 else ""
        return f"{_SYMBOLS[self.kind]}{self.index}{item}{attempt}{'*' if self.is_simulated else ''}"

    @classmethod
    def parse(cls, word: str) -> Fact:
        """Return the fact that `word` stands for. Raises ValueError for any other text."""
        kind = _KINDS.get(word[:1])
        if kind is None:
            return cls(None, FactKind(word))
        is_simulated = word[-1] == "*"
        step, _, attempt = (word[1:-1] if is_simulated else word[1:]).partition(".")
        index, _, item = step.partition("/")
        return cls(int(index), kind, int(attempt or 1), int(item) if item else None, is_simulated)


@dataclass(slots=True)
class Start:
    """An attempt of a task that starts; it becomes a start-task event.

    input  for an iterated step, the list of its items, or None to go on with the items that it has
    delay  seconds until the attempt starts; it counts as running meanwhile
    is_held  whether a pause holds it back; it counts as running meanwhile, see `lfr.engine.pauses`
    tries  the number of the attempt since the step last ended, from 1: in a loop, each turn begins with 1
    """

    index: int
    invocation: Invocation
    input: Json
    attempt: int
    delay: float = 0.0
    tries: int = 1
    is_held: bool = False


@dataclass(slots=True)
class Attempt:
    """An attempt of a step that is over: it has ended, or its results no longer count."""

    index: int
    attempt: int
    invocation: Invocation

    @property
    def may_be_delayed(self) -> bool:
        """Whether the attempt may still wait for its start."""
        return self.invocation.options.retry is not None and self.attempt > 1


@dataclass(slots=True)
class Transition:
    """All that one result, or one intervention, changes in a workflow. It is written in one transaction.

    state     the workflow's state afterwards
    reason    why a step, or an attempt of it, failed; else empty
    facts     what happened, in order: one entry of the workflow's history
    starts    attempts that start
    cancels   attempts that still run and no longer count: each becomes a cancel-task event
    over      attempts that are over, those of `cancels` included
    outputs   outputs of the steps that ended, by index
    steps     the progress of each step that changed, as it is afterwards
    active, done, skipped, failed   by how much these counts of the progress change
    simulated  how many of the facts are simulated
    input_bytes  about how many bytes of JSON the starts hold, besides one output that goes to one step
    entry_id  that of the result
    actor     who has caused it by hand
    """

    state: WorkflowState
    reason: str = ""
    facts: list[Fact] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    cancels: list[Attempt] = field(default_factory=list)
    over: list[Attempt] = field(default_factory=list)
    outputs: dict[int, Json] = field(default_factory=dict)
    steps: dict[int, StepProgress] = field(default_factory=dict)
    active: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    input_bytes: int = 0
    entry_id: str = ""
    simulated: int = 0
    actor: Actor | None = None
