"""The symbol table of a flow text: what `@flow` and `@task` declare, and the errors in these declarations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lfr.language.ast import Declaration, FlowText, Literal, Scope, walk_scopes
from lfr.language.diagnostics import Problem
from lfr.language.parse import AFTER_DECLARATION
from lfr.step_options import BadStepOptions, parse_flow_timeout, parse_step_options
from lfr.values.json import Json

MAX_SIZE: Final = 10**9
"""The highest size of a subflow that is computed, in steps; it is far above any limit."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """The meaning of a task's name.

    base        the task at the end of the chain of aliases; empty if the name is no alias
    parameters  the default parameters, merged over those of the aliased task; None if there are none
    subflow     the subflow that replaces the task, if it is declared as one
    """

    base: str = ""
    parameters: Json = None
    subflow: Scope | None = None


@dataclass(slots=True)
class SymbolTable:
    """The declarations of a text.

    name, doc, parameters  those of `@flow`
    docs       the documentation of tasks, by name
    tasks      the declared tasks by name; any other name is a task without defaults
    sizes      by name: the steps of a declared subflow; a lower bound, `MAX_SIZE` at most
    has_cycle  a declared subflow contains itself; `sizes` is then incomplete
    problems   the errors in the declarations
    """

    name: str = ""
    doc: str = ""
    parameters: Json = None
    docs: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, Symbol] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    has_cycle: bool = False
    problems: list[Problem] = field(default_factory=list)


def build_symbol_table(tree: FlowText) -> SymbolTable:
    """Build the symbol table of a text. Errors are not raised, but stand in its `problems`."""
    table = SymbolTable(problems=[problem for each in tree.declarations for problem in _check_form(each)])
    declarations = {each.name: each for each in tree.declarations if each.keyword == "task"}
    flows = [each for each in tree.declarations if each.keyword == "flow"]
    for extra in flows[1:]:
        message = "a flow has one name only, and one @flow"
        table.problems.append(Problem(extra.offset, message, "remove this one"))
    if flows:
        table.name, table.doc = flows[0].name, flows[0].doc
        table.parameters = _value(flows[0].parameters)
        try:
            parse_flow_timeout(table.parameters)
        except BadStepOptions as error:
            offset = flows[0].parameters.offset if flows[0].parameters else flows[0].offset
            table.problems.append(Problem(offset, str(error)))
    table.docs = {name: task.doc for name, task in declarations.items() if task.doc}
    for name in declarations:
        _resolve_aliases(name, declarations, table)
    _compute_sizes(declarations, table)
    return table


def _check_form(declaration: Declaration) -> Iterator[Problem]:
    if declaration.keyword == "flow" and declaration.alias:
        message = "@flow names the flow itself: a flow has no aliases"
        yield Problem(declaration.offset, message, "write @flow NAME, without =")
    elif declaration.keyword == "flow" and declaration.subflow:
        yield Problem(declaration.offset, "@flow declares no subflow", AFTER_DECLARATION)
    elif declaration.alias and declaration.subflow:
        message = "a task is an alias (=) or a subflow ({ }), but not both"
        yield Problem(declaration.offset, message, AFTER_DECLARATION)


def _resolve_aliases(name: str, declarations: Mapping[str, Declaration], table: SymbolTable) -> None:
    """Add the symbols of a name and of all names on its chain of aliases."""
    chain: list[Declaration] = []
    visited: set[str] = set()
    while name in declarations and name not in table.tasks:
        if name in visited:
            _report_alias_cycle(chain, name, table)
            return
        visited.add(name)
        chain.append(declarations[name])
        name = declarations[name].alias
    for declaration in reversed(chain):
        table.tasks[declaration.name] = _symbol(declaration, table)


def _report_alias_cycle(chain: list[Declaration], name: str, table: SymbolTable) -> None:
    names = [declaration.name for declaration in chain]
    cycle = chain[names.index(name) :]
    first = min(cycle, key=lambda declaration: declaration.offset)
    path = " = ".join([declaration.name for declaration in cycle[:5]] + [name])
    table.problems.append(Problem(first.offset, f"{first.name} is an alias of itself: {path}"))
    for declaration in chain:
        table.tasks[declaration.name] = Symbol()


def _symbol(declaration: Declaration, table: SymbolTable) -> Symbol:
    aliased = Symbol(subflow=declaration.subflow)
    if declaration.alias:
        aliased = table.tasks.get(declaration.alias, Symbol())
    parameters, problem = merge_parameters(aliased, declaration.parameters, declaration.name)
    if problem is not None:
        table.problems.append(problem)
    return Symbol(aliased.base or declaration.alias, parameters, aliased.subflow)


def merge_parameters(task: Symbol, own: Literal | None, name: str) -> tuple[Json, Problem | None]:
    """Merge parameters over the defaults of a task; return them, or None without any, and the error or None.

    Objects are merged key by key at the top level. A list or scalar replaces the defaults; an empty value
    changes nothing; an object and a list are an error. `name` is the task's in the message.
    """
    value, defaults = _value(own), task.parameters
    if own is None or value is None:
        return defaults, None
    problem = _check_step_options(own, name, task.subflow)
    if problem is not None:
        return defaults, problem
    if isinstance(defaults, dict) and isinstance(value, dict):
        return {**defaults, **value}, None
    nouns: dict[type, str] = {dict: "an object", list: "a list"}
    default_noun, noun = nouns.get(type(defaults)), nouns.get(type(value))
    if default_noun and noun and default_noun != noun:
        message = f"the defaults are {default_noun}, these parameters {noun}"
        return None, Problem(own.offset, message)
    return value, None


def _check_step_options(parameters: Literal, name: str, subflow: Scope | None) -> Problem | None:
    """Return the error in the step options of a task, which may be declared as a subflow."""
    try:
        options = parse_step_options(parameters.value)
    except BadStepOptions as error:
        return Problem(parameters.offset, str(error))
    if subflow is None or (options.timeout is None and options.retry is None):
        return None
    message = f"{name} is a subflow: timeout and retry are for its tasks"
    return Problem(parameters.offset, message, "only limit can stand here")


def _value(parameters: Literal | None) -> Json:
    """Return the value of parameters, or None if they are empty."""
    return None if parameters is None or parameters.value in ({}, []) else parameters.value


def _compute_sizes(declarations: Mapping[str, Declaration], table: SymbolTable) -> None:
    """Compute the sizes of declared subflows up to the first one that contains itself.

    The search is depth first and iterative: inner subflows get their size before those that use them.
    """
    uses = {name: count_task_uses(symbol.subflow) for name, symbol in table.tasks.items() if symbol.subflow}
    for name in uses:
        path: dict[str, Iterator[str]] = {} if name in table.sizes else {name: iter(uses[name])}
        while path:
            current, rest = next(reversed(path.items()))
            inner = next((used for used in rest if used in uses and used not in table.sizes), None)
            if inner is None:
                size = sum(count * table.sizes.get(used, 1) for used, count in uses[current].items())
                table.sizes[current] = min(size + 2, MAX_SIZE)
                del path[current]
            elif inner in path:
                names = [*list(path)[list(path).index(inner) :], inner]
                message = f"{inner} contains itself: {' > '.join(names[-6:])}"
                table.problems.append(Problem(declarations[inner].offset, message))
                table.has_cycle = True
                return
            else:
                path[inner] = iter(uses[inner])


def count_task_uses(outermost: Scope) -> Counter[str]:
    """Count the uses of each task, by name, in a scope and in the scopes nested in it."""
    return Counter(task.name for scope in walk_scopes(outermost) for task in scope.tasks)
