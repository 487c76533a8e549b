"""Pauses: which starts of steps are held back, by marks on a workflow, a flow, a task, or everything.

A pause stops nothing that runs, and its results are processed. A step that would start now becomes active all
the same, with its input and the number of its attempt; only its start-task event is held. So a workflow that
is paused is RUNNING, and a resume does not have to find out what to start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from lfr.engine.transition import FactKind, Transition
from lfr.item_ids import root_workflow
from lfr.step_options import Invocation, is_for_lifecycles

_ANY: Final = "*"
"""Ends the name of a task that is a prefix, such as `request:*`. No name of a task has it."""


class PauseScope(StrEnum):
    """What a pause holds back: the steps of one workflow, of all workflows of a flow, those that invoke one
    task, or all."""

    WORKFLOW = "workflow"
    FLOW = "flow"
    TASK = "task"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that is in force.

    name             the id of the workflow, the name of the flow or of the task; empty for all
    since_ms         when it began, in milliseconds since the epoch
    stops_deadlines  whether deadlines stand still meanwhile
    actor            the name of who has paused it; empty: nobody, or it is not known
    """

    scope: PauseScope
    name: str
    since_ms: int
    stops_deadlines: bool = False
    actor: str = ""

    def __str__(self) -> str:
        """Say what is paused, as `the flow order`."""
        if self.scope is PauseScope.ALL:
            return "everything"
        return self.name if self.scope is PauseScope.WORKFLOW else f"the {self.scope} {self.name}"

    def covers_task(self, invocation: Invocation) -> bool:
        """Return whether it holds back a step that invokes this task, if the workflow is in its scope."""
        if self.scope is not PauseScope.TASK:
            return True
        if self.name.endswith(_ANY):
            return invocation.base.startswith(self.name[:-1])
        return self.name in (invocation.base, invocation.name)


@dataclass(frozen=True, slots=True)
class Pauses:
    """All pauses in force at one time, by what they pause; false if there is none."""

    all: Pause | None = None
    flows: Mapping[str, Pause] = field(default_factory=dict)
    tasks: Mapping[str, Pause] = field(default_factory=dict)
    workflows: Mapping[str, Pause] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return whether anything is paused."""
        return bool(self.all or self.flows or self.tasks or self.workflows)

    def __iter__(self) -> Iterator[Pause]:
        """Iterate over all pauses, those of the widest scope first."""
        if self.all is not None:
            yield self.all
        for pauses in (self.flows, self.tasks, self.workflows):
            yield from pauses.values()

    def without(self, ended: Pause) -> Pauses:
        """Return all pauses but this one."""
        return Pauses(
            None if self.all is ended else self.all,
            *(
                {name: pause for name, pause in pauses.items() if pause is not ended}
                for pauses in (self.flows, self.tasks, self.workflows)
            ),
        )

    def of_workflow(self, id: str, flow_names: Iterable[str]) -> list[Pause]:
        """Return the pauses that hold back all steps of a workflow. A child is held with its parents:
        `flow_names` are the names in the records of all of them, and in its own."""
        flows = [self.flows.get(name) for name in flow_names]
        marks = (self.workflows.get(root_workflow(id)), *flows, self.all)
        return [pause for pause in marks if pause is not None]

    def hold_of(self, id: str, flow_names: Iterable[str]) -> Hold | None:
        """Return what may hold back steps of a workflow, see `of_workflow`; None if nothing does."""
        pauses = (*self.of_workflow(id, flow_names), *self.tasks.values())
        return Hold(pauses) if pauses else None

    def hold_of_call(self, hold: Hold | None, flow_name: str) -> Hold | None:
        """Return what may hold back steps of a flow that a workflow with this hold calls."""
        pause = self.flows.get(flow_name)
        if pause is None:
            return hold
        return Hold((pause,) if hold is None else (*hold.pauses, pause))


@dataclass(frozen=True, slots=True)
class Hold:
    """The pauses that may hold back steps of one workflow."""

    pauses: Sequence[Pause]

    def pause_of(self, invocation: Invocation) -> Pause | None:
        """Return a pause that holds back a step which invokes this task; None if it may start. An iterated
        step, and a call, start: their children begin, and are held themselves."""
        if is_for_lifecycles(invocation.base):
            return None
        return next((pause for pause in self.pauses if pause.covers_task(invocation)), None)


def hold_starts(transition: Transition, hold: Hold) -> None:
    """Mark those starts of a transition as held that may not happen now, and remove the facts that tell of
    them. A start with a delay is not marked: whoever starts it later asks again."""
    held: set[tuple[int, int]] = set()
    for start in transition.starts:
        if not start.delay and hold.pause_of(start.invocation) is not None:
            start.is_held = True
            held.add((start.index, start.attempt))
    transition.facts = [
        fact
        for fact in transition.facts
        if fact.kind is not FactKind.STARTED or (fact.index, fact.attempt) not in held
    ]
