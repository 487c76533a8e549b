"""Flows in this process, for programs and their tests: compile them, run them. No Redis is needed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lfr import language
from lfr.base_uri import Base, absolute_base
from lfr.engine import local
from lfr.engine.local import LocalFailure, Task, Trace
from lfr.engine.step_inputs import normalize_input
from lfr.errors import BadInput
from lfr.flow import Flow
from lfr.tasks.catalogue import DELAY
from lfr.tasks.delay import delay_due
from lfr.tasks.parameters import BadParameter
from lfr.values.json import InvalidJson, Json, decode_json, encode_json
from lfr.worker.registry import BadCall, finished, is_task, task_of

__all__ = ["LocalFailure", "compile_flow", "run_local"]

Function: TypeAlias = Callable[..., Any]
"""A task as a function of (name, base, index, input, parameters), or of (input, parameters), or of (input),
or of nothing; or one that is marked by `@task`. It may be async. It gives the output: an object or a list;
None counts as {}, a scalar as a list of one."""


def compile_flow(text: str, base: Base = None, *, source: str = "FLOW") -> Flow:
    """The flow that a text describes. Messages call the text by the name `source`.

    Relative resources are resolved against `base`, a folder or a URL; without one they stay as they are
    written. Raises FlowError, whose `errors` each have `line`, `column`, `message` and `hint`; and
    BadInput for a base that cannot be used.
    """
    return language.compile_flow(text, absolute_base(base), source=source)


def run_local(
    flow: Flow | str,
    tasks: Mapping[str, Function] | Function,
    input: Json = None,
    trace: Trace | None = None,
    *,
    skipped: Trace | None = None,
    base: Base = None,
    limit: int = 1_000_000,
    turns: int | None = None,
) -> Json:
    """Run a flow, or the text of one, to its end; its output, or None if its end is never reached.

    `tasks` holds a function for each task, by its name or, for an alias, by that of the task behind it.
    One function instead of them does all tasks. `trace(index, name, input)` is called before each task,
    `skipped` likewise for each step whose guard says no.

    A `wait:delay` without a function of its own does not wait: its output is its input. Any other
    built-in task needs one, under its name: `request:...`, `resource:load`, `resource:store`.

    Tasks get and give JSON, as workers do: what one changes in its input no other one sees. What a
    function raises passes through. `base` is that of `compile_flow`, for a text. After `limit` tasks a
    run is stopped, and after so many `turns` one that leads back to its `:start`: that has no end.

    Raises FlowError; BadInput for an input that is no object or list; LocalFailure if a step fails, if a
    task has no function, if what it gives is no JSON, or if the run was stopped.
    """
    compiled = compile_flow(flow, base) if isinstance(flow, str) else flow
    return local.run_flow(
        compiled,
        _as_task(tasks),
        normalize_input(input),
        trace,
        skipped=skipped,
        limit=limit,
        turns=turns,
    )


def _as_task(tasks: Mapping[str, Function] | Function) -> Task:
    """The one function that does every task."""
    known: dict[tuple[str, str], Task] = {}

    def do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        if (name, base) not in known:
            found = _find(tasks, name, base) if isinstance(tasks, Mapping) else tasks
            known[name, base] = _adapted(found, name)
        try:
            output = finished(known[name, base](name, base, index, _copy(input), _copy(parameters)))
        except Exception as error:
            error.add_note(f"in step {index} of a flow, task {name}")
            raise
        try:
            return _copy(output)
        except InvalidJson as error:
            raise LocalFailure(f"what task {name}, step {index}, gives is not JSON: {error}") from None

    return do


def _find(tasks: Mapping[str, Function], name: str, base: str) -> Function:
    for key in (name, base):
        if key in tasks:
            return tasks[key]
    if base in _BUILT_IN:
        return _BUILT_IN[base]
    alias = "" if name == base else f", which is an alias of {base}"
    raise LocalFailure(f"there is no function for task {name}{alias}")


def _adapted(function: Function, name: str) -> Task:
    """The function, called with as many arguments as it takes, or as its worker calls it."""
    if is_task(function):
        return _as_worker(function, name)
    try:
        signature = inspect.signature(function)
    except ValueError:  # some that are written in C do not tell
        return lambda name, base, index, input, parameters: function(input)
    shapes: tuple[Task, ...] = (
        function,
        lambda name, base, index, input, parameters: function(input, parameters),
        lambda name, base, index, input, parameters: function(input),
        lambda name, base, index, input, parameters: function(),
    )
    for count, shape in zip((5, 2, 1, 0), shapes, strict=True):
        try:
            signature.bind(*[None] * count)
        except TypeError:
            continue
        return shape
    raise BadInput(
        f"the function for task {name} cannot be called",
        hint="it takes (input), (input, parameters) or (name, base, index, input, parameters)",
    )


def _as_worker(function: Function, name: str) -> Task:
    """A function with `@task`: it is given its input and, by name, its parameters, which are held to its
    signature."""
    task = task_of(name, function)

    def do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        try:
            call = task.arguments(input, parameters, LocalContext(name, index))
        except BadCall as error:
            raise LocalFailure(f"{base}: {error}", place=f"step {index}") from None
        return function(*call.args, **call.kwargs)

    return do


@dataclass(frozen=True, slots=True)
class LocalContext:
    """What a worker's function is given as its `context` in a local run: nobody looks on or cancels."""

    name: str
    index: int
    workflow: str = "local"
    attempt: int = 1
    cancelled: bool = False

    def progress(self, fraction: float, text: str = "") -> None:
        """Say how far this is, to nobody."""


def _copy(value: Json) -> Json:
    """The value as it arrives where it is sent as JSON. Raises InvalidJson."""
    return None if value is None else decode_json(encode_json(value).encode())


def _delay(input: Json, parameters: Json) -> Json:
    """A `wait:delay` that has waited. Raises LocalFailure where a real one would fail."""
    try:
        delay_due(input, parameters, 0)
    except BadParameter as error:
        raise LocalFailure(str(error)) from None
    return input


_BUILT_IN: Final[Mapping[str, Function]] = {DELAY: _delay}
"""What built-in tasks do where there is no function for them."""
