"""Parameters with which a built-in task is sure to fail."""

from __future__ import annotations

from collections.abc import Iterator

from lfr.flow import Json, Kind, Step
from lfr.language.compile import Compiled
from lfr.language.errors import Problem
from lfr.tasks.catalogue import LOAD, STORE, BuiltIn, built_in
from lfr.tasks.common import task_parameters
from lfr.tasks.parameters import BadParameter, read_parameters


def doubtful_parameters(compiled: Compiled) -> Iterator[Problem]:
    """Parameters of built-in tasks that are missing, or are something else than they can be."""
    known: dict[str, BuiltIn | None] = {}
    for step in compiled.flow.steps:
        if step.kind in (Kind.TASK, Kind.RESOURCE):
            name = _task(step)
            if name not in known:
                known[name] = built_in(name)
            task = known[name]
            fault = None if task is None else _fault(task, name, task_parameters(step.parameters))
            if fault is not None:
                yield Problem(compiled.places[step.index], f"this would fail: {fault}")


def _task(step: Step) -> str:
    if step.kind is Kind.RESOURCE:
        return STORE if step.sink else LOAD
    return step.task


def _fault(task: BuiltIn, name: str, given: Json) -> str | None:
    """What is wrong with parameters, whatever the input is: some may come from there."""
    there = given if isinstance(given, dict) else {}
    table = [each for each in task.parameters if not each.input_first or each.name in there]
    try:
        read_parameters(name, table, given)
    except BadParameter as error:
        return str(error)
    return None
