"""A transition: all that one ended step, or one intervention, changes in a workflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lfr.engine.progress import StepProgress
from lfr.states import WorkflowState
from lfr.values.json import Json


class FactKind(StrEnum):
    """What happened to a step, or, with no step, to the workflow."""

    STARTED = "started"
    ENDED = "ended"
    PASSED = "passed"
    """Started and ended at once: a start, an end, a literal, a subflow."""
    SKIPPED = "skipped"
    FAILED = "failed"
    RETRIED = "retried"
    """An attempt has failed, and another is made."""
    FINISHED = "finished"
    TERMINATED = "terminated"
    RESTARTED = "restarted"


@dataclass(slots=True)
class Fact:
    """One thing that happened: to the step of this index, or to the workflow if `index` is None.

    With `item`, it happened to that one of the items of an iterated step, numbered from 0; `attempt` is
    then that of the step which began with the items.
    """

    index: int | None
    kind: FactKind
    attempt: int = 0
    item: int | None = None


@dataclass(slots=True)
class Start:
    """A task that is to start: what becomes a start-task event.

    input  of an iterated step, the list of its items; or None: it goes on with the items that it has
    delay  seconds until then; it counts as running meanwhile
    """

    index: int
    input: Json
    attempt: int
    delay: float = 0.0


@dataclass(slots=True)
class Cancel:
    """An attempt that runs and counts no more: what becomes a cancel-task event."""

    index: int
    attempt: int


@dataclass(slots=True)
class Transition:
    """What changes, all of it at once or none.

    state    the workflow's state afterwards
    reason   why a step, or an attempt of it, failed; else empty
    facts    what happened, in order: an entry of the workflow's history
    starts   tasks that start
    cancels  attempts that run and count no more
    outputs  outputs of the steps that ended, by index
    steps    the progress of each step that was touched, as it is afterwards
    active, done, skipped, failed   by how much these counts of the progress change
    handed_on  about how many bytes of JSON steps are given, besides one output that goes to one step
    """

    state: WorkflowState
    reason: str = ""
    facts: list[Fact] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    outputs: dict[int, Json] = field(default_factory=dict)
    steps: dict[int, StepProgress] = field(default_factory=dict)
    active: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    input_bytes: int = 0
