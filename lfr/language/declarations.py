"""`@flow` and `@task`: names, documentation, aliases, defaults; and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lfr.language.ast import Declaration, FlowText, Literal, Scope, scopes
from lfr.language.diagnostics import Problem
from lfr.language.parse import AFTER_DECLARATION
from lfr.tasks.step_options import BadStepOptions, parse_step_options
from lfr.values.json import Json

TOO_MANY: Final = 10**9
"""Steps: nobody counts on beyond this."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a task's name stands for.

    base        the task behind the alias, at the end of the chain; empty if the name is no alias
    parameters  the defaults: those of the aliased task under its own; None if there are none
    subflow     what the task consists of, if it has been declared so
    """

    base: str = ""
    parameters: Json = None
    subflow: Scope | None = None


@dataclass(slots=True)
class Declared:
    """All that is declared in a text.

    name, doc, parameters   those of `@flow`
    meanings  by name; a name that is not there is a plain task
    sizes     by name: how many steps a declared subflow has, at least, and TOO_MANY at most
    has_circle  whether a declared subflow contains itself: then not all sizes are there
    """

    name: str = ""
    doc: str = ""
    parameters: Json = None
    docs: dict[str, str] = field(default_factory=dict)
    meanings: dict[str, Meaning] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    has_circle: bool = False
    problems: list[Problem] = field(default_factory=list)


def declared(text: FlowText) -> Declared:
    """What the declarations of a text say. With a circle of subflows, not all tasks can be resolved."""
    found = Declared()
    tasks: dict[str, Declaration] = {}
    for declaration in text.declarations:
        found.problems.extend(_faults(declaration))
        if declaration.keyword == "task":
            tasks[declaration.name] = declaration
    flows = [declaration for declaration in text.declarations if declaration.keyword == "flow"]
    found.problems.extend(Problem(extra.at, "a flow has one name only, and one @flow") for extra in flows[1:])
    if flows:
        found.name, found.doc, found.parameters = flows[0].name, flows[0].doc, _value(flows[0].parameters)
    found.docs = {name: task.doc for name, task in tasks.items() if task.doc}
    for name in tasks:
        _resolve(name, tasks, found)
    _measure_subflows(tasks, found)
    return found


def _faults(declaration: Declaration) -> Iterator[Problem]:
    if declaration.keyword == "flow" and declaration.alias:
        yield Problem(declaration.at, "@flow names the flow itself: there are no aliases of flows")
    elif declaration.keyword == "flow" and declaration.subflow:
        yield Problem(declaration.at, "@flow declares no subflow", AFTER_DECLARATION)
    elif declaration.alias and declaration.subflow:
        message = "a task is an alias (=) or a subflow ({ }), but not both"
        yield Problem(declaration.at, message, AFTER_DECLARATION)


def _resolve(name: str, tasks: Mapping[str, Declaration], found: Declared) -> None:
    """Find the meaning of a name, and so of all names on the way to the end of its chain of aliases."""
    chain: list[Declaration] = []
    ahead: set[str] = set()
    while name in tasks and name not in found.meanings:
        if name in ahead:
            _tell_circle(chain, name, found)
            return
        ahead.add(name)
        chain.append(tasks[name])
        name = tasks[name].alias
    for declaration in reversed(chain):
        found.meanings[declaration.name] = _meaning(declaration, found)


def _tell_circle(chain: list[Declaration], name: str, found: Declared) -> None:
    names = [declaration.name for declaration in chain]
    circle = chain[names.index(name) :]
    first = min(circle, key=lambda declaration: declaration.at)
    path = " = ".join([declaration.name for declaration in circle[:5]] + [name])
    found.problems.append(Problem(first.at, f"{first.name} is an alias of itself: {path}"))
    for declaration in chain:
        found.meanings[declaration.name] = Meaning()


def _meaning(declaration: Declaration, found: Declared) -> Meaning:
    behind, own = Meaning(subflow=declaration.subflow), declaration.parameters
    if declaration.alias:
        behind = found.meanings.get(declaration.alias, Meaning())
    problem = common_problem(own, declaration.name, behind.subflow)
    if problem is not None:
        found.problems.append(problem)
        own = None
    try:
        parameters = merged(behind.parameters, own)
    except Mismatch as error:
        found.problems.append(error.problem)
        parameters = None
    return Meaning(behind.base or declaration.alias, parameters, behind.subflow)


def common_problem(parameters: Literal | None, name: str, subflow: Scope | None) -> Problem | None:
    """What is wrong with what parameters say to lfr: those of a task, or of one that is a subflow."""
    if parameters is None:
        return None
    try:
        said = parse_step_options(parameters.value)
    except BadStepOptions as error:
        return Problem(parameters.at, str(error))
    if subflow is None or (said.timeout is None and said.retry is None):
        return None
    message = f"{name} is a subflow: timeout and retry are for its tasks"
    return Problem(parameters.at, message, "only limit can stand here")


class Mismatch(ValueError):
    """Parameters are an object where the defaults are a list, or the other way round."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def merged(defaults: Json, given: Literal | None) -> Json:
    """Parameters: what is given over the defaults, key by key at the top level; None if there are none.

    Lists and scalars replace the defaults; what is empty changes nothing. Raises Mismatch.
    """
    value = _value(given)
    if value is None or given is None:
        return defaults
    if isinstance(defaults, dict) and isinstance(value, dict):
        return {**defaults, **value}
    if (
        isinstance(defaults, dict | list)
        and isinstance(value, dict | list)
        and type(defaults) is not type(value)
    ):
        names = {dict: "an object", list: "a list"}
        message = f"the defaults are {names[type(defaults)]}, these parameters {names[type(value)]}"
        raise Mismatch(Problem(given.at, message))
    return value


def _value(literal: Literal | None) -> Json:
    """The value of parameters; None for all that is empty."""
    return None if literal is None or literal.value in ({}, []) else literal.value


def _measure_subflows(tasks: Mapping[str, Declaration], found: Declared) -> None:
    """Find the sizes of the declared subflows, or the first one that contains itself.

    Depth first, and without recursion: the inner ones are measured before those that use them.
    """
    uses = {name: uses_of(meaning.subflow) for name, meaning in found.meanings.items() if meaning.subflow}
    for name in uses:
        path: dict[str, Iterator[str]] = {} if name in found.sizes else {name: iter(uses[name])}
        while path:
            current, following = next(reversed(path.items()))
            ahead = next((used for used in following if used in uses and used not in found.sizes), None)
            if ahead is None:
                size = sum(times * found.sizes.get(used, 1) for used, times in uses[current].items())
                found.sizes[current] = min(size + 2, TOO_MANY)
                del path[current]
            elif ahead in path:
                names = [*list(path)[list(path).index(ahead) :], ahead]
                message = f"{ahead} contains itself: {' > '.join(names[-6:])}"
                found.problems.append(Problem(tasks[ahead].at, message))
                found.has_circle = True
                return
            else:
                path[ahead] = iter(uses[ahead])


def uses_of(outermost: Scope) -> Counter[str]:
    """How often each task is used in a scope, and in those that are inside it."""
    return Counter(
        task.name
        for scope in scopes(outermost)
        for statement in scope.statements
        for step in statement.steps
        if not isinstance(step.content, Scope)
        for task in step.content
    )
