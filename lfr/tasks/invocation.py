"""What a step asks for when it starts: which task, under which name, with which parameters."""

from __future__ import annotations

from typing import NamedTuple

from lfr.flow import Step, StepKind
from lfr.tasks.catalogue import EACH, LOAD, STORE
from lfr.tasks.step_options import task_parameters
from lfr.values.json import Json


class Invocation(NamedTuple):
    """A task that is to be done, as its worker is told.

    name        as the flow has it
    base        what the worker is chosen by: the task behind an alias, or one of lfr's own
    parameters  without the reserved key; `{}` if there are none
    """

    name: str
    base: str
    parameters: Json


def invocation_of(step: Step) -> Invocation:
    """What a task, a resource, or a step that is iterated, asks for."""
    if step.iterate:
        return Invocation(EACH, EACH, {})
    parameters = task_parameters(step.parameters)
    if step.kind is StepKind.RESOURCE:
        name = STORE if step.sink else LOAD
        return Invocation(name, name, {**parameters, "uri": step.uri})
    return Invocation(step.name, step.base or step.name, parameters)
