"""Names and labels that look like slips of the pen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lfr.language.ast import FlowText, Label, Scope, all_scopes, tasks_of
from lfr.language.declarations import Declared
from lfr.language.diagnostics import Problem
from lfr.tasks.catalogue import CATALOGUE, EACH, LOAD, STORE, find_built_in, is_reserved
from lfr.values.checks import suggestion


class _Word(NamedTuple):
    """A name or a label as it stands in the text."""

    text: str
    at: int


def doubtful_words(tree: FlowText, names: Declared) -> Iterator[Problem]:
    """Names with a strange end, built-in tasks that there are not, labels that lead nowhere."""
    for word in _words(tree):
        if word.text.endswith(("-", ":")):
            hint = "a blank before it ends the name"
            yield Problem(word.at, f"the last character of the name {word.text} is {word.text[-1]}", hint)
    for scope in all_scopes(tree):
        yield from _unread_labels(scope)
        for task in tasks_of(scope):
            if task.name not in names.meanings:
                yield from _not_built_in(_Word(task.name, task.at))
    for declaration in tree.declarations:
        if declaration.alias and declaration.alias not in names.meanings:
            yield from _not_built_in(_Word(declaration.alias, declaration.at))


def _words(tree: FlowText) -> Iterator[_Word]:
    for declaration in tree.declarations:
        yield _Word(declaration.name, declaration.at)
    for scope in all_scopes(tree):
        yield from (_Word(task.name, task.at) for task in tasks_of(scope))
        yield from (_Word(label.name, label.at) for label in _labels(scope))


def _labels(scope: Scope) -> Iterator[Label]:
    """All labels of a scope. Those of sources and targets have a counterpart, or are an error."""
    for statement in scope.statements:
        target = statement.target.to if statement.target else None
        for label in (statement.source, target):
            if isinstance(label, Label):
                yield label
        for step in statement.steps:
            yield from (label for label in (step.before, step.after) if label is not None)


def _unread_labels(scope: Scope) -> Iterator[Problem]:
    """Labels that stand once: before a step that nothing leads to, or after one that nothing follows."""
    times: dict[str, int] = {}
    for label in _labels(scope):
        times[label.name] = times.get(label.name, 0) + 1
    for statement in scope.statements:
        for step in statement.steps:
            if step.before is not None and times[step.before.name] == 1:
                yield Problem(step.before.at, f"nothing leads to :{step.before.name}", "leave it away")
            if step.after is not None and times[step.after.name] == 1:
                yield Problem(step.after.at, f"nobody uses :{step.after.name}", "leave it away")


def _not_built_in(word: _Word) -> Iterator[Problem]:
    """A name that is kept for tasks of lfr's own, and is none of them: it would wait for ever."""
    known = [task.name for task in CATALOGUE]
    if is_reserved(word.text) and find_built_in(word.text) is None and word.text not in (EACH, LOAD, STORE):
        hint = suggestion(word.text, known) or "choose another name for a task of your own"
        yield Problem(word.at, f"there is no task {word.text} in lfr, and nobody else may do it", hint)
