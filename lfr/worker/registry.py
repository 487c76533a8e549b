"""`@task`: functions that do tasks; and the functions of a file.

    from lfr import Context, task

    @task("img:resize")
    def resize(input, *, width: int, context: Context):
        context.progress(0.5, "half of it")
        return {"width": width}

The decorated function is still that function: a test calls it. It is given the task's input and its
parameters by name; `context` only if it has a parameter of this name.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from lfr.errors import BadInput, NotFound
from lfr.tasks.catalogue import is_reserved

F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "__lfr_tasks__"
_NAME: Final = re.compile(r"[A-Za-z_][\w:-]*")

_CHECKED: Final[Mapping[Any, tuple[tuple[type, ...], str]]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    bool: ((bool,), "true or false"),
    list: ((list,), "a list"),
    dict: ((dict,), "an object"),
}
"""Annotations of parameters that are held: to what values, and what these are called."""


_UNNAMED: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


class BadCall(ValueError):
    """The parameters do not fit the function; the text names the parameter and its value."""


@dataclass(frozen=True, slots=True)
class Task:
    """A function that does a task.

    kinds        for parameters with an annotation that is held: that annotation
    has_context  whether it is given a Context
    """

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature
    kinds: Mapping[str, Any]
    has_context: bool

    def arguments(self, input: Any, parameters: Any, context: Any) -> inspect.BoundArguments:
        """What the function is called with. Raises BadCall."""
        given = {} if parameters is None else parameters
        if not isinstance(given, dict):
            raise BadCall(f"its parameters are {_shown(given)}, but must be an object")
        more = {"context": context} if self.has_context else {}
        for name, value in given.items():
            self._check(name, value)
        self._check_names(given)
        try:
            return self.signature.bind(input, **given, **more)
        except TypeError as error:  # a parameter that is called as what the input is
            raise BadCall(f"{error} (given: {', '.join(given)})") from None

    def _named(self) -> dict[str, inspect.Parameter]:
        """What a flow can give by name."""
        behind = list(self.signature.parameters.items())[1:]
        return {name: each for name, each in behind if each.kind not in _UNNAMED and name != "context"}

    def _check_names(self, given: Mapping[str, Any]) -> None:
        """The function takes all these, and is given all that it needs."""
        named = self._named()
        takes_any = any(each.kind is each.VAR_KEYWORD for each in self.signature.parameters.values())
        for name, value in given.items():
            if name not in named and not takes_any:
                known = f"but only {', '.join(named)}" if named else "nor any other"
                raise BadCall(f"{name} is {_shown(value)}, but it has no such parameter, {known}")
        for name, each in named.items():
            if each.default is each.empty and name not in given:
                words = f", {_CHECKED[self.kinds[name]][1]}" if name in self.kinds else ""
                raise BadCall(f"it needs the parameter {name}{words}")

    def _check(self, name: str, value: Any) -> None:
        if name == "context" and self.has_context:
            raise BadCall("a parameter cannot be called context")
        kind = self.kinds.get(name)
        if kind is None:
            return
        types, words = _CHECKED[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
            raise BadCall(f"{name} is {_shown(value)}, but must be {words}")


def task(*names: str) -> Callable[[F], F]:
    """Mark a function as the one that does the tasks of these names. Raises BadInput for a name that no
    flow can have, or that is one of lfr's own."""
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is no name of a task", hint='as in @task("img:resize")')
        if is_reserved(name):
            raise BadInput(f"{name} is a task of lfr's own", hint="choose another name")
    if not names:
        raise BadInput('@task needs the name of a task, as in @task("img:resize")')

    def mark(function: F) -> F:
        setattr(function, _MARK, (*names, *getattr(function, _MARK, ())))
        return function

    return mark


def is_task(function: Callable[..., Any]) -> bool:
    """Whether a function is marked by `@task`."""
    return hasattr(function, _MARK)


def finished(output: Any) -> Any:
    """What a function has returned, awaited if it is an async one."""
    if not inspect.isawaitable(output):
        return output
    import asyncio  # takes a while, and few functions need it

    async def awaited() -> Any:
        return await output

    return asyncio.run(awaited())


def load_tasks(file: str) -> dict[str, Task]:
    """The tasks of a Python file, by name. Runs the file.

    Raises NotFound if there is no such file, and BadInput if it cannot be imported, has no tasks, or has
    two functions for one.
    """
    path = Path(file).resolve()
    if not path.is_file():
        raise NotFound("there is no such file", place=file)
    found: dict[str, Task] = {}
    for value in vars(_imported(path, file)).values():
        for name in getattr(value, _MARK, ()):
            if name in found and found[name].function is not value:
                raise BadInput(f"two functions do the task {name}", place=file)
            found[name] = task_of(name, value)
            _check_signature(found[name], file)
    if not found:
        hint = 'mark functions with @task("NAME"), of: from lfr import task'
        raise BadInput("there are no tasks in this file", place=file, hint=hint)
    return found


def _imported(path: Path, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadInput("this is no Python file", place=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # as if it were imported: dataclasses and pickle look there
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises is told with its place
        raise BadInput(f"it cannot be imported: {_told(error)}", place=_place(error, path, file)) from error
    return module


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _place(error: Exception, path: Path, file: str) -> str:
    """The line of the file at which it went wrong."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{file}:{error.lineno}"
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{file}:{line}" if line else file


def task_of(name: str, function: Callable[..., Any]) -> Task:
    """The task of this name, done by this function."""
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):  # annotations for a type checker alone
        hints = {}
    known = {key: hint for key, hint in hints.items() if hint in _CHECKED and key in signature.parameters}
    first = next(iter(signature.parameters), None)
    kinds = {key: hint for key, hint in known.items() if key != first}
    return Task(name, function, signature, kinds, "context" in signature.parameters)


def _check_signature(task: Task, file: str) -> None:
    """The function can be called with an input. Raises BadInput."""
    needed = [each.name for each in task.signature.parameters.values() if each.kind is each.KEYWORD_ONLY]
    try:
        task.signature.bind_partial(None, **dict.fromkeys(needed))
    except TypeError:
        name = getattr(task.function, "__name__", task.name)
        hint = f"write it as def {name}(input, *, ...)"
        raise BadInput(f"the function for {task.name} takes no input", place=file, hint=hint) from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
