"""Guards that say something else than it seems."""

from __future__ import annotations

from collections.abc import Iterator

from lfr.flow import Flow, Step, StepKind
from lfr.guard import Guard, parse_guard
from lfr.guard.lint import verdict_on_lists
from lfr.language.ast import all_scopes
from lfr.language.compile import Compiled
from lfr.language.diagnostics import Problem


def doubtful_guards(compiled: Compiled) -> Iterator[Problem]:
    """Guards that mix `and` and `or`, and those that ask a list for members with names."""
    for scope in all_scopes(compiled.tree):
        for statement in scope.statements:
            for step in statement.steps:
                if step.guard is not None and step.guard_at is not None:
                    yield from _mixed(step.guard, step.guard_at)
    verdicts: dict[str, bool | None] = {}
    for flow_step in compiled.flow.steps:
        text = flow_step.guard
        if text is None or not _takes_list(compiled.flow, flow_step):
            continue
        if text not in verdicts:
            verdicts[text] = verdict_on_lists(parse_guard(text).path)
        if verdicts[text] is not None:
            answer = "yes" if verdicts[text] else "no"
            message = f"several outputs come here as a list, and to every list this guard says {answer}"
            hint = "merge them first (> before the ?), or ask the items: $[*]..."
            yield Problem(compiled.places[flow_step.index], message, hint)


def _mixed(text: str, at: int) -> Iterator[Problem]:
    guard: Guard = parse_guard(text)
    if guard.mixed_at is not None:
        message = "guard: or binds more closely than and here"
        yield Problem(at, message, "put parentheses around what belongs together", at + 1 + guard.mixed_at)


def _takes_list(flow: Flow, step: Step) -> bool:
    """Whether the input of a step is a list, provided that all that leads to it gives something."""
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
