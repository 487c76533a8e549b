"""Parameters with which a built-in task is sure to fail."""

from __future__ import annotations

from collections.abc import Iterator

from lfr.flow import Step, StepKind
from lfr.language.ast import FlowText, Scope, all_scopes
from lfr.language.compile import Compiled
from lfr.language.diagnostics import Problem
from lfr.language.resolve import is_absolute
from lfr.tasks.catalogue import EVENT, LOAD, STORE, BuiltInTask, find_built_in
from lfr.tasks.parameters import BadParameter, parse_parameters
from lfr.tasks.resource import parse_load, parse_store
from lfr.tasks.step_options import invocation_of, parse_step_options, task_parameters
from lfr.tasks.uri_policy import BadLocation
from lfr.values.json import Json


def doubtful_parameters(compiled: Compiled) -> Iterator[Problem]:
    """Parameters of built-in tasks that are missing, or are something else than they can be."""
    known: dict[str, BuiltInTask | None] = {}
    for step in compiled.flow.steps:
        if step.kind in (StepKind.TASK, StepKind.RESOURCE):
            name = _task(step)
            if name not in known:
                known[name] = find_built_in(name)
            task = known[name]
            fault = None if task is None else _fault(task, name, task_parameters(step.parameters))
            if step.kind is StepKind.RESOURCE and fault is None:
                fault = _resource_fault(step)
            if fault is not None:
                yield Problem(compiled.places[step.index], f"this would fail: {fault}")


def outcomes_in_vain(compiled: Compiled) -> Iterator[Problem]:
    """An `on_timeout` of a wait that has no timeout: it waits for ever."""
    for step in compiled.flow.steps:
        if step.kind is StepKind.TASK and step.task == EVENT:
            given = task_parameters(step.parameters)
            if isinstance(given, dict) and "on_timeout" in given and given.get("timeout") is None:
                message = "on_timeout is for a wait with a timeout, and this one has none"
                yield Problem(compiled.places[step.index], message, "as in timeout: 2d")


def limits_in_vain(tree: FlowText) -> Iterator[Problem]:
    """A `limit` where nothing is iterated, or at a task of an `a|b` that is iterated as a whole."""
    for scope in all_scopes(tree):
        for statement in scope.statements:
            for step in statement.steps:
                if isinstance(step.content, Scope) or (
                    step.iterates_at is not None and len(step.content) == 1
                ):
                    continue
                for task in step.content:
                    if task.parameters and parse_step_options(task.parameters.value).limit is not None:
                        message = "limit is for a step that is iterated, and this one is not"
                        yield Problem(
                            task.parameters.at, message, f"as in * {task.name} (- lfr: {{limit: 5}} -)"
                        )


def _resource_fault(step: Step) -> str | None:
    """What is wrong with a resource's URI, or with its parameters for such a URI. What one that is relative
    will be, is not known here."""
    if not is_absolute(step.uri):
        return None
    read = parse_store if step.sink else parse_load
    try:
        read(invocation_of(step).parameters)
    except (BadParameter, BadLocation) as error:
        return str(error)
    return None


def _task(step: Step) -> str:
    if step.kind is StepKind.RESOURCE:
        return STORE if step.sink else LOAD
    return step.task


def _fault(task: BuiltInTask, name: str, given: Json) -> str | None:
    """What is wrong with parameters, whatever the input is: some may come from there."""
    there = given if isinstance(given, dict) else {}
    table = [each for each in task.parameters if not each.input_first or each.name in there]
    try:
        parse_parameters(name, table, given)
    except BadParameter as error:
        return str(error)
    return None
