"""Steps that can never start, and loops that never end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from lfr.flow import Flow, Step, StepKind
from lfr.language.compile import Compiled
from lfr.language.diagnostics import Problem
from lfr.language.loops import completable_steps

_MOST_NAMED: Final = 5
"""How many steps a message names; the rest is counted."""

_HINT: Final = "a step waits for all that leads to it; only -> :start makes a loop that turns"


def doubtful_runs(compiled: Compiled) -> Iterator[Problem]:
    """What of a flow never starts, and why; what never ends."""
    flow = compiled.flow
    ending = completable_steps(flow, lambda step: True)
    yield from _endless_loops(compiled, ending)
    if len(ending) == len(flow.steps):
        return
    for circle, behind in _causes(flow, ending).items():
        place = compiled.places[circle[0]]
        yield Problem(place, _why(flow, circle) + _consequences(flow, circle, behind), _HINT)


def _endless_loops(compiled: Compiled, ending: set[int]) -> Iterator[Problem]:
    places = [at for index, at in compiled.returns.items() if index in ending]
    for at in places:
        message = "this loop never ends: each turn starts the flow again, with its first input"
        if len(places) > 1:
            message = "several loops, and each turn of each starts them all: they become more and more"
        yield Problem(at, message, "lfr terminate stops it")


def _causes(flow: Flow, ending: set[int]) -> dict[tuple[int, ...], list[int]]:
    """Why steps never start: circles of steps that wait for each other, each from its lowest index; with
    the steps that never start for this reason, ascending.

    Each of those steps waits for another one, that one for a third, and so on until a circle is closed.
    """
    causes: dict[int, tuple[int, ...]] = {}
    for step in flow.steps:
        way: dict[int, None] = {}
        index: int | None = step.index if step.index not in ending else None
        while index is not None and index not in causes and index not in way:
            way[index] = None
            index = _waits_for(flow, index, ending)
        if index is not None and way:
            causes.update(dict.fromkeys(way, causes.get(index) or _circle(list(way), index)))
    behind: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index in sorted(causes):
        behind[causes[index]].append(index)
    return behind


def _waits_for(flow: Flow, index: int, ending: set[int]) -> int | None:
    """One of the steps for which a step waits in vain; None for the end of a flow that only loops.

    Where nothing leads to the end of a scope, all its statements lead into circles.
    """
    sources = flow.predecessors[index] or range(index - 1, 0, -1)
    return next((source for source in sources if source not in ending), None)


def _circle(way: list[int], index: int) -> tuple[int, ...]:
    """The circle at the end of a way back that has come to `index` again, in the order of running."""
    circle = way[way.index(index) :][::-1]
    lowest = circle.index(min(circle))
    return (*circle[lowest:], *circle[:lowest])


def _why(flow: Flow, circle: Sequence[int]) -> str:
    names: list[str] = []
    passed = -1
    for index in circle:
        if index > passed:  # else it is inside of a subflow that has been named
            names.append(_name(flow.steps[index]))
            passed = max(index, flow.steps[index].end)
    way = [*names[:_MOST_NAMED], *["..."] * (len(names) > _MOST_NAMED), names[0]]
    shown = f" ({' -> '.join(way)})" if len(names) > 1 else ""
    return f"{names[0]} can never start: it waits for itself{shown}"


def _consequences(flow: Flow, circle: Sequence[int], behind: Sequence[int]) -> str:
    """What else never starts, the ends of subflows not counted."""
    own = set(circle)
    others = [flow.steps[index] for index in behind if index not in own]
    names = [_name(step) for step in others if step.kind is not StepKind.SUBFLOW_END]
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    verb = "does" if len(names) == 1 else "do"
    return f"; so neither {verb} {', '.join(names[:_MOST_NAMED])}{more}"


def _name(step: Step) -> str:
    match step.kind:
        case StepKind.END:
            return "the flow's end"
        case StepKind.LITERAL:
            return "a literal"
        case StepKind.RESOURCE:
            return f"<{step.uri}>"
        case StepKind.SUBFLOW:
            return step.name or "a subflow"
    return step.name
