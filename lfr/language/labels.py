"""Checks of labels. A label is visible in its own scope only, not inside or outside of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from lfr.language.ast import Label, Scope
from lfr.language.diagnostics import Problem

START: Final = "start"
END: Final = "end"


def check_labels(scope: Scope) -> Iterator[Problem]:
    """Yield the errors in the labels of a scope (reserved, repeated, dangling), without nested subflows."""
    before = [step.before for step in scope.steps if step.before]
    after = [step.after for step in scope.steps if step.after]
    sources = [each.source for each in scope.statements if isinstance(each.source, Label)]
    targets = [each.target for each in scope.statements if each.target]
    destinations = [target.to for target in targets if isinstance(target.to, Label)]
    yield from _check_step_labels(before, "before")
    yield from _check_step_labels(after, "after")
    yield from _check_sources(sources, after + destinations, before)
    yield from _check_destinations(destinations, before + sources, after, scope.is_subflow)
    for target in targets:
        if target.merge_offset is not None and isinstance(target.to, Label) and target.to.name == START:
            message = "> merges nothing at :start, which provides the workflow's input again"
            yield Problem(target.merge_offset, message, "remove the >")


def _check_step_labels(labels: list[Label], side: str) -> Iterator[Problem]:
    """Check the labels on one side of steps: none is reserved, none is repeated."""
    names: set[str] = set()
    for label in labels:
        if label.name in (START, END):
            hint = "it is a source or a target only; is there a ; missing before it?"
            yield Problem(label.offset, f":{label.name} cannot be the label of a step", hint)
        elif label.name in names:
            hint = f"a label stands {side} one step only; is there a ; missing before it?"
            yield Problem(label.offset, f":{label.name} already exists", hint)
        names.add(label.name)


def _check_sources(labels: list[Label], producing: list[Label], before: list[Label]) -> Iterator[Problem]:
    """Check the labels before the first arrow of a statement: a step must lead to each."""
    produced, misread = _by_name(producing), _by_name(before)
    for label in labels:
        if label.name == END:
            yield Problem(label.offset, "nothing can come from :end", "it stands after an arrow only")
        elif label.name != START and label.name not in produced:
            message = f"no step leads to :{label.name}"
            hint = f"write it after a step (A :{label.name}) or an arrow (A -> :{label.name})"
            problem = Problem(label.offset, message, hint)
            yield _explain_misread(problem, misread.get(label.name), "before")


def _check_destinations(
    labels: list[Label], consuming: list[Label], after: list[Label], is_in_subflow: bool
) -> Iterator[Problem]:
    """Check the labels after the last arrow of a statement: a step must follow each."""
    consumed, misread = _by_name(consuming), _by_name(after)
    for label in labels:
        if label.name == START and is_in_subflow:
            yield Problem(label.offset, "a subflow cannot go back to its start", "only the whole flow can")
        elif label.name not in (START, END) and label.name not in consumed:
            message = f"no step follows :{label.name}"
            hint = f"begin a statement with it (:{label.name} -> B), or a step (A -> :{label.name} B)"
            yield _explain_misread(Problem(label.offset, message, hint), misread.get(label.name), "after")


def _explain_misread(problem: Problem, label: Label | None, side: str) -> Problem:
    """Name the label of a step that the author may have meant as a source or a target."""
    if label is None:
        return problem
    message = f"{problem.message}; another :{label.name} is read as the label {side} a step"
    return Problem(problem.offset, message, "is there a ; missing between that step and it?", label.offset)


def _by_name(labels: list[Label]) -> dict[str, Label]:
    return {label.name: label for label in reversed(labels)}


def all_labels(scope: Scope) -> Iterator[Label]:
    """Yield every label of a scope, without those of nested subflows."""
    for statement in scope.statements:
        target = statement.target.to if statement.target else None
        for label in (statement.source, target):
            if isinstance(label, Label):
                yield label
    for step in scope.steps:
        yield from (label for label in (step.before, step.after) if label is not None)


def lint_labels(scope: Scope) -> Iterator[Problem]:
    """Warn of labels of steps that nothing refers to; an unused source or target is an error already."""
    counts = Counter(label.name for label in all_labels(scope))
    for step in scope.steps:
        if step.before is not None and counts[step.before.name] == 1:
            yield Problem(step.before.offset, f"nothing leads to :{step.before.name}", "remove it")
        if step.after is not None and counts[step.after.name] == 1:
            yield Problem(step.after.offset, f"nothing uses :{step.after.name}", "remove it")
