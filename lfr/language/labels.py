"""Labels: which of them are wrong. They live in one scope, and are not seen from inside or outside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lfr.language.ast import Label, Scope
from lfr.language.diagnostics import Problem

START: Final = "start"
END: Final = "end"


def check_labels(scope: Scope) -> Iterator[Problem]:
    """What is wrong with the labels of a scope; those of the subflows in it are not looked at."""
    steps = [step for statement in scope.statements for step in statement.steps]
    before = [step.before for step in steps if step.before]
    after = [step.after for step in steps if step.after]
    sources = [each.source for each in scope.statements if isinstance(each.source, Label)]
    targets = [each.target for each in scope.statements if each.target]
    destinations = [target.to for target in targets if isinstance(target.to, Label)]
    yield from _at_steps(before, "before")
    yield from _at_steps(after, "after")
    yield from _sources(sources, after + destinations, before)
    yield from _destinations(destinations, before + sources, after, scope.is_subflow)
    for target in targets:
        if target.merges_at is not None and isinstance(target.to, Label) and target.to.name == START:
            message = "> merges nothing at :start, which gives the workflow's input again"
            yield Problem(target.merges_at, message)


def _at_steps(labels: list[Label], side: str) -> Iterator[Problem]:
    """Labels before steps, or after them: none is reserved, none is there twice."""
    seen: set[str] = set()
    for label in labels:
        if label.name in (START, END):
            hint = "it is a source or a target only; is there a ; missing before it?"
            yield Problem(label.at, f":{label.name} cannot be the label of a step", hint)
        elif label.name in seen:
            hint = f"a label stands {side} one step only; is there a ; missing before it?"
            yield Problem(label.at, f":{label.name} already exists", hint)
        seen.add(label.name)


def _sources(labels: list[Label], producing: list[Label], before: list[Label]) -> Iterator[Problem]:
    """Labels before the first arrow of a statement: something leads to each."""
    produced, misread = _by_name(producing), _by_name(before)
    for label in labels:
        if label.name == END:
            yield Problem(label.at, "nothing can come from :end", "it stands behind an arrow")
        elif label.name != START and label.name not in produced:
            message = f"no step leads to :{label.name}"
            hint = f"write it behind a step (A :{label.name}) or an arrow (A -> :{label.name})"
            yield _perhaps_misread(Problem(label.at, message, hint), misread.get(label.name), "before")


def _destinations(
    labels: list[Label], consuming: list[Label], after: list[Label], is_in_subflow: bool
) -> Iterator[Problem]:
    """Labels behind the last arrow of a statement: something follows each."""
    consumed, misread = _by_name(consuming), _by_name(after)
    for label in labels:
        if label.name == START and is_in_subflow:
            yield Problem(label.at, "a subflow cannot go back to its start", "only the whole flow can")
        elif label.name not in (START, END) and label.name not in consumed:
            message = f"no step follows :{label.name}"
            hint = f"begin a statement with it (:{label.name} -> B), or a step (A -> :{label.name} B)"
            yield _perhaps_misread(Problem(label.at, message, hint), misread.get(label.name), "behind")


def _perhaps_misread(problem: Problem, label: Label | None, side: str) -> Problem:
    """What is wrong; or rather that a label of this name was read as that of the step beside it."""
    if label is None:
        return problem
    message = f"{problem.message}; another :{label.name} is read as the label {side} a step"
    return Problem(problem.at, message, "is there a ; missing between that step and it?", label.at)


def _by_name(labels: list[Label]) -> dict[str, Label]:
    return {label.name: label for label in reversed(labels)}
