"""Problems of the steps of a compiled flow: guards on lists, parameters with which a task fails or that it
does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache

from lfr.events import OWN_KINDS
from lfr.flow import Flow, Step, StepKind
from lfr.guard import parse_guard
from lfr.guard.evaluate import result_on_lists
from lfr.language.ast import FlowText, Scope, walk_all_scopes
from lfr.language.compile import Compiled
from lfr.language.diagnostics import Problem
from lfr.language.resolve import is_absolute
from lfr.step_options import (
    LOAD,
    STORE,
    looks_like_retry,
    option_hint,
    parse_step_options,
    task_parameters,
)
from lfr.tasks.catalogue import EVENT, BuiltInTask, find_built_in, is_reserved
from lfr.tasks.parameters import BadParameter, parse_parameters
from lfr.tasks.resource import parse_load, parse_store
from lfr.tasks.template import BadTemplate, Placeholder, parse_template
from lfr.tasks.uri_policy import BadLocation
from lfr.tasks.wait_spec import own_event_error
from lfr.values.checks import suggestion
from lfr.values.json import Json


def lint_steps(compiled: Compiled) -> Iterator[Problem]:
    """Yield problems of guards on lists, parameters, `on_timeout` and `limit`, in any order."""
    yield from _lint_guards_on_lists(compiled)
    yield from _lint_parameters(compiled)
    yield from _lint_timeout_outcomes(compiled)
    yield from _lint_limits(compiled.tree)


def lint_unserved(
    compiled: Compiled, find_unserved: Callable[[Iterable[str]], Mapping[str, tuple[str, str]]]
) -> Iterator[Problem]:
    """Warn of each task that nobody does, as `find_unserved` says, where it stands first. It is given a call
    as `flow:NAME` or `flow:NAME@VERSION`."""
    offsets: dict[str, int] = {}
    for step in compiled.flow.steps:
        if step.kind in (StepKind.TASK, StepKind.RESOURCE):
            name = step.task or (STORE if step.sink else LOAD)
            if find_built_in(name) is not None or not is_reserved(name):  # else an error says so
                if step.called_flow and step.called_version is not None:
                    name = f"{name}@{step.called_version}"
                offsets.setdefault(name, compiled.offsets[step.index])
    for name, (message, hint) in find_unserved(offsets).items():
        yield Problem(offsets[name], message, hint)


def _lint_guards_on_lists(compiled: Compiled) -> Iterator[Problem]:
    """Warn of a guard with the same result for every list, if its input is a list."""
    result_of = cache(lambda guard: result_on_lists(parse_guard(guard).path))
    for step in compiled.flow.steps:
        if step.guard is None or not _input_is_list(compiled.flow, step):
            continue
        result = result_of(step.guard)
        if result is not None:
            answer = "yes" if result else "no"
            message = f"several outputs come here as a list, and to every list this guard says {answer}"
            hint = "merge them first (> before the ?), or test the items: $[*]..."
            yield Problem(compiled.offsets[step.index], message, hint)


def _input_is_list(flow: Flow, step: Step) -> bool:
    """Return whether the input of a step is a list, if every step that leads to it has an output."""
    while not step.merge:
        sources = flow.predecessors[step.index]
        if len(sources) != 1:
            return len(sources) > 1
        step = flow.steps[sources[0]]
        if step.kind is StepKind.LITERAL:
            return isinstance(step.value, list)
        if step.kind not in (StepKind.SUBFLOW, StepKind.SUBFLOW_END):
            return False
    return False


def _lint_parameters(compiled: Compiled) -> Iterator[Problem]:
    built_in = cache(find_built_in)
    for step in compiled.flow.steps:
        if step.kind in (StepKind.TASK, StepKind.RESOURCE):
            name = step.task or (STORE if step.sink else LOAD)
            task = built_in(name)
            if task is not None:
                yield from _lint_unknown_parameters(task, name, step, compiled.offsets[step.index])
            elif looks_like_retry(step.parameters):
                message = "retry is a parameter of the task here: lfr does not retry it"
                yield Problem(compiled.offsets[step.index], message, option_hint("retry"))
            reason = None if task is None else _parameters_error(task, name, task_parameters(step.parameters))
            if reason is None and name == EVENT:
                reason = _event_error(task_parameters(step.parameters))
            if step.kind is StepKind.RESOURCE and reason is None:
                reason = _resource_error(step)
            if reason is not None:
                yield Problem(compiled.offsets[step.index], f"this would fail: {reason}")


def _lint_unknown_parameters(task: BuiltInTask, name: str, step: Step, offset: int) -> Iterator[Problem]:
    """Yield an error for each parameter that neither the task nor a template in its parameters uses."""
    parameters = task_parameters(step.parameters)
    if not isinstance(parameters, dict):
        return
    names = [each.name for each in task.parameters]
    unknown = [key for key in parameters if key not in names]
    if not unknown:
        return
    used = set(_names_in_templates(parameters))
    for key in unknown:
        if key not in used and None not in used:
            message = f"{name} has no parameter {key}, and no template of it uses that"
            hint = suggestion(key, names) or option_hint(key) or f"it has {', '.join(names)}"
            yield Problem(offset, message, hint, is_error=True)


def _names_in_templates(value: Json) -> Iterator[str | None]:
    """Yield the names of the parameters that the templates in a value look up; None for all of them at
    once."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _names_in_templates(each)
    elif isinstance(value, str) and "{" in value:
        with suppress(BadTemplate):
            for part in parse_template(value):
                if isinstance(part, Placeholder) and part.name == "parameters":
                    yield str(part.path[0]) if part.path else None


def _event_error(parameters: Json) -> str | None:
    """Return why a wait:event can never end, if its event is none that workflows can wait for."""
    kind = parameters.get("event") if isinstance(parameters, dict) else None
    return own_event_error(kind) if isinstance(kind, str) and kind in OWN_KINDS else None


def _parameters_error(task: BuiltInTask, name: str, parameters: Json) -> str | None:
    """Return why a task cannot use these parameters, whatever its input provides."""
    names = parameters if isinstance(parameters, dict) else {}
    table = [each for each in task.parameters if not each.from_input or each.name in names]
    try:
        parse_parameters(name, table, parameters)
    except BadParameter as error:
        return str(error)
    return None


def _resource_error(step: Step) -> str | None:
    """Return why a resource cannot be used; the base of a relative URI is unknown here."""
    if not is_absolute(step.uri):
        return None
    parse_resource = parse_store if step.sink else parse_load
    try:
        parse_resource(step.invocation().parameters)
    except (BadParameter, BadLocation) as error:
        return str(error)
    return None


def _lint_timeout_outcomes(compiled: Compiled) -> Iterator[Problem]:
    for step in compiled.flow.steps:
        if step.kind is StepKind.TASK and step.task == EVENT:
            parameters = task_parameters(step.parameters)
            fields = parameters if isinstance(parameters, dict) else {}
            if "on_timeout" in fields and fields.get("timeout") is None:
                message = "on_timeout is for a wait with a timeout, and this one has none"
                yield Problem(compiled.offsets[step.index], message, "as in timeout: 2d")


def _lint_limits(tree: FlowText) -> Iterator[Problem]:
    """Warn of `limit` at a step that is not iterated, or at one task of an `a|b` that is iterated."""
    for step in (step for scope in walk_all_scopes(tree) for step in scope.steps):
        if isinstance(step.content, Scope) or (step.iterate_offset is not None and len(step.content) == 1):
            continue
        for task in step.content:
            if task.parameters and parse_step_options(task.parameters.value).limit is not None:
                message = "limit is for a step that is iterated, and this one is not"
                hint = f"as in * {task.name} (- lfr: {{limit: 5}} -)"
                yield Problem(task.parameters.offset, message, hint)
