"""`@task` marks functions as tasks; `load_tasks` loads those of a file.

    from lfr import Context, task

    @task("img:resize")
    def resize(input, *, width: int, context: Context):
        context.progress(0.5, "half of it")
        return {"width": width}

The decorated function stays the same function, so tests can call it. It gets the task's input, and the task's
parameters by name; it gets `context` only if it has a parameter of this name.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from lfr.errors import BadInput, NotFound
from lfr.step_options import option_hint
from lfr.tasks.catalogue import is_reserved
from lfr.values.texts import cut

F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "__lfr_tasks__"
_NAME: Final = re.compile(r"[A-Za-z_][\w:-]*")

_CHECKED_TYPES: Final[Mapping[Any, tuple[tuple[type, ...], str]]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    bool: ((bool,), "true or false"),
    list: ((list,), "a list"),
    dict: ((dict,), "an object"),
}
"""The annotations of parameters that are checked, with the types that they allow and the words for these."""

_UNNAMED_KINDS: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


class BadCall(ValueError):
    """The parameters do not fit the function. The text names the parameter and its value."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task and the function that executes it.

    annotations  the annotations of the parameters that are checked, by name
    has_context  whether the function gets a Context
    """

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature
    annotations: Mapping[str, Any]
    has_context: bool

    def arguments(self, input: Any, parameters: Any, context: Any) -> inspect.BoundArguments:
        """Return the arguments to call the function with. Raises BadCall."""
        values = {} if parameters is None else parameters
        if not isinstance(values, dict):
            raise BadCall(f"its parameters are {cut(repr(values), 40)}, but must be an object")
        for name, value in values.items():
            self._check_value(name, value)
        self._check_names(values)
        context_argument = {"context": context} if self.has_context else {}
        try:
            return self.signature.bind(input, **values, **context_argument)
        except TypeError as error:  # a parameter has the name of the function's first, which gets the input
            raise BadCall(f"{error} (given: {', '.join(values)})") from None

    def _check_names(self, values: Mapping[str, Any]) -> None:
        """Raise BadCall if the function does not take one of the values, or needs one that is missing."""
        signature_parameters = self.signature.parameters
        takes_any = any(each.kind is each.VAR_KEYWORD for each in signature_parameters.values())
        parameters = {
            name: parameter
            for name, parameter in list(signature_parameters.items())[1:]
            if parameter.kind not in _UNNAMED_KINDS and name != "context"
        }
        for name, value in values.items():
            if name not in parameters and not takes_any:
                names = f"but only {', '.join(parameters)}" if parameters else "nor any other"
                hint = f"; {hint}" if (hint := option_hint(name)) else ""
                value_text = cut(repr(value), 40)
                raise BadCall(f"{name} is {value_text}, but it has no such parameter, {names}{hint}")
        for name, parameter in parameters.items():
            if parameter.default is parameter.empty and name not in values:
                words = f", {_CHECKED_TYPES[self.annotations[name]][1]}" if name in self.annotations else ""
                raise BadCall(f"it needs the parameter {name}{words}")

    def _check_value(self, name: str, value: Any) -> None:
        if name == "context" and self.has_context:
            raise BadCall("a parameter cannot be called context")
        annotation = self.annotations.get(name)
        if annotation is None:
            return
        types, words = _CHECKED_TYPES[annotation]
        if not isinstance(value, types) or (isinstance(value, bool) and annotation is not bool):
            raise BadCall(f"{name} is {cut(repr(value), 40)}, but must be {words}")


def task(*names: str) -> Callable[[F], F]:
    """Mark a function as the one that executes the tasks of these names. Raises BadInput for a name that no
    flow can have, or that belongs to lfr."""
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


def is_marked(function: Callable[..., Any]) -> bool:
    """Return whether a function is marked by `@task`."""
    return hasattr(function, _MARK)


def await_output(output: Any) -> Any:
    """Return what a function has returned; await it first if the function is async."""
    if not inspect.isawaitable(output):
        return output
    import asyncio  # imported late: it takes a while, and few functions need it

    async def run() -> Any:
        return await output

    return asyncio.run(run())


def load_tasks(file: str) -> dict[str, Task]:
    """Return the tasks of a Python file by name. Executes the file.

    Raises NotFound if there is no such file, and BadInput if it cannot be imported, has no tasks, or has
    two functions for one.
    """
    path = Path(os.path.realpath(file))  # `Path.resolve` raises for a loop of links
    if not os.path.isfile(path):
        raise NotFound("there is no such file", place=file)
    tasks: dict[str, Task] = {}
    for value in list(vars(_import(path, file)).values()):
        for name in _marked_names(value):
            if name in tasks and tasks[name].function is not value:
                raise BadInput(f"two functions do the task {name}", place=file)
            tasks[name] = make_task(name, value)
            _check_signature(tasks[name], file)
    if not tasks:
        hint = 'mark functions with @task("NAME"), of: from lfr import task'
        raise BadInput("there are no tasks in this file", place=file, hint=hint)
    return tasks


def _marked_names(value: Any) -> tuple[str, ...]:
    """Return the names of the tasks that a value of a module executes.

    Runs no code of the value: a proxy or a mock answers to every attribute, or raises.
    """
    names = inspect.getattr_static(value, _MARK, ())
    return names if isinstance(names, tuple) else ()


def _import(path: Path, file: str) -> ModuleType:
    """Execute a file as a module. Other files of its folder can be imported by it.

    The folder comes last on the path, and the module gets a name that no other has: else `email.py` or
    `redis.py` would be what lfr and its libraries import by that name.
    """
    name = _free_module_name(path.stem)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput("this is no Python file", place=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look it up there
    sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # whatever the user's file raises
        if is_unwinding(error) or (error.__cause__ is not None and is_unwinding(error.__cause__)):
            raise
        reason = " ".join(describe_exception(error).split())
        raise BadInput(f"it cannot be imported: {reason}", place=_error_place(error, path, file)) from error
    return module


def _free_module_name(stem: str) -> str:
    """Return the name for a file's module: its stem, with `_` behind it if another module has that name."""
    name = stem
    while name in sys.modules or ("." not in name and importlib.util.find_spec(name) is not None):
        name += "_"
    return name


def is_unwinding(error: BaseException) -> bool:
    """Return whether a signal has raised this to stop the process, and not `sys.exit` in a user's file."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, SystemExit) and type(error) is not SystemExit
    )


def describe_exception(error: BaseException) -> str:
    """Return the name and the text of an exception, whose text may raise another one."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:
        return f"{type(error).__name__}, whose text cannot be made"


def _error_place(error: BaseException, path: Path, file: str) -> str:
    """Return the file with the line at which the import failed."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{file}:{error.lineno}"
    line, traceback = 0, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f"{file}:{line}" if line else file


def make_task(name: str, function: Callable[..., Any]) -> Task:
    """Return the task of this name that this function executes."""
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # annotations that only a type checker can resolve: any expression, as text
        hints = {}
    parameter_names = list(signature.parameters)[1:]
    annotations = {name: hints[name] for name in parameter_names if _is_checked(hints.get(name))}
    return Task(name, function, signature, annotations, "context" in signature.parameters)


def _is_checked(annotation: Any) -> bool:
    return any(annotation is checked for checked in _CHECKED_TYPES)  # not `in`: it may have no hash


def _check_signature(task: Task, file: str) -> None:
    """Raise BadInput if the function cannot be called with an input."""
    parameters = task.signature.parameters.values()
    keyword_only = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    try:
        task.signature.bind_partial(None, **dict.fromkeys(keyword_only))
    except TypeError:
        name = getattr(task.function, "__name__", task.name)
        hint = f"write it as def {name}(input, *, ...)"
        raise BadInput(f"the function for {task.name} takes no input", place=file, hint=hint) from None
