"""The public functions that compile flows and run them in this process, for tests. They need no Redis."""

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
from lfr.flow_inputs import complete_input
from lfr.step_options import CALL_PREFIX
from lfr.tasks.catalogue import DELAY
from lfr.tasks.parameters import BadParameter
from lfr.tasks.wait_spec import parse_delay
from lfr.values.json import ABSENT, InvalidJson, Json, copy_json
from lfr.worker.registry import BadCall, await_output, is_marked, make_task

__all__ = ["LocalFailure", "compile_flow", "run_local"]

Function: TypeAlias = Callable[..., Any]
"""A task as a function of (name, base, index, input, parameters), (input, parameters), (input) or (), or a
function with `@task`. It may be async. It returns the output; None is null."""


def compile_flow(text: str, base: Base = None, *, source: str = "FLOW") -> Flow:
    """Compile a flow text. Error messages call the text by the name `source`.

    `base`, a folder or a URL, is the base of relative resources; without it they stay as written. Raises
    FlowError, whose `errors` each have `line`, `column`, `message` and `hint`; BadInput for the base.
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
    """Run a flow or a flow text to its end; return its output, or None if it never reaches its end.

    `tasks` maps the name of each task to a function; for an alias, the name of the task behind it will do. A
    single function in place of the mapping runs all tasks. `trace(index, name, input)` is called before each
    task, and `skipped` for each step whose guard says no.

    A `wait:delay` without a function does not wait: its output is its input. Every other built-in task needs
    a function under its name: `request:...`, `resource:load`, `resource:store`, and `flow:NAME` for the call
    of a stored flow; that function may call `run_local`.

    `input` may be any JSON value; None: there is none, which counts as {}. Tasks exchange JSON, as workers
    do: a task cannot change the input of another one. Exceptions of functions pass through. `base` is that of
    `compile_flow`, for a text. A run stops after `limit` tasks, and after `turns` turns (None: any number) of
    a loop that leads back to its `:start` and so has no end.

    Raises FlowError; BadInput for an input that is no JSON; LocalFailure if a step fails, if a task has no
    function or returns no JSON, or if the run was stopped.
    """
    compiled = compile_flow(flow, base) if isinstance(flow, str) else flow
    task = as_task(tasks)
    start_input = complete_input(compiled.parameters, normalize_input(ABSENT if input is None else input))
    output = local.run_flow(compiled, task, start_input, trace, skipped=skipped, limit=limit, turns=turns)
    return None if output is ABSENT else output


def as_task(tasks: Mapping[str, Function] | Function) -> Task:
    """Return one task that finds the function for each step, calls it with copies, and checks its output."""
    adapted_tasks: dict[tuple[str, str], Task] = {}

    def run(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        if (name, base) not in adapted_tasks:
            function = _find(tasks, name, base) if isinstance(tasks, Mapping) else tasks
            adapted_tasks[name, base] = _adapt(function, name)
        adapted = adapted_tasks[name, base]
        try:
            output = await_output(adapted(name, base, index, copy_json(input), copy_json(parameters)))
        except Exception as error:
            error.add_note(f"in step {index} of a flow, task {name}")
            raise
        try:
            return copy_json(output)
        except InvalidJson as error:
            raise LocalFailure(f"the output of task {name}, step {index}, is not JSON: {error}") from None

    return run


def _find(tasks: Mapping[str, Function], name: str, base: str) -> Function:
    for key in (name, base):
        if key in tasks:
            return tasks[key]
    if base in _BUILT_IN:
        return _BUILT_IN[base]
    if base.startswith(CALL_PREFIX):
        hint = f'give one, as {{"{base}": lambda input: run_local(TEXT, tasks, input)}}'
        raise LocalFailure(f"{base} is a stored flow, and there is no function for it", hint=hint)
    alias = "" if name == base else f", which is an alias of {base}"
    raise LocalFailure(f"there is no function for task {name}{alias}")


def _adapt(function: Function, name: str) -> Task:
    """Return a task that calls the function with as many arguments as it takes, or as its worker would."""
    if is_marked(function):
        return _as_worker(function, name)
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C have no signature
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
        hint="it must take (input), (input, parameters) or (name, base, index, input, parameters)",
    )


def _as_worker(function: Function, name: str) -> Task:
    """Return a task that checks the parameters and calls a function with `@task` as its worker does."""
    task = make_task(name, function)

    def run(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        try:
            call = task.arguments(input, parameters, LocalContext(name, index))
        except BadCall as error:
            raise LocalFailure(f"{base}: {error}", place=f"step {index}") from None
        return function(*call.args, **call.kwargs)

    return run


@dataclass(frozen=True, slots=True)
class LocalContext:
    """Stands in for a worker's `Context` in a local run: it is never cancelled and discards progress."""

    name: str
    index: int
    workflow: str = "local"
    attempt: int = 1
    tries: int = 1
    delivery: int = 1
    cancelled: bool = False
    traceparent: str = ""

    def progress(self, fraction: float, text: str = "") -> None:
        """Discard the progress."""


def _delay(input: Json, parameters: Json) -> Json:
    """Run a `wait:delay` without waiting. Raises LocalFailure where a real one would fail."""
    try:
        parse_delay(input, parameters)
    except BadParameter as error:
        raise LocalFailure(str(error)) from None
    return input


_BUILT_IN: Final[Mapping[str, Function]] = {DELAY: _delay}
"""The functions of built-in tasks that need none of the caller's."""
