"""Converts an archive of littleflow_redis to one of lfr.

Its fields: `F`, the matrix of transitions; `T`, for each step the name of a class and its fields; `S` and
`A`, pairs of a time and a vector by step, newest first. A vector of `S` has the number of invocations that
start (or, below zero, end); a vector of `A` the number of activations that a step receives (or uses).

Such an archive has no outputs and no input of the workflow: the output of a step that has ended counts as
`{}`, except for literals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from lfr.errors import BadInput
from lfr.flow import Flow, Step, StepKind
from lfr.operations.archive.parse import FORMAT, VERSION
from lfr.values.checks import whole_number
from lfr.values.json import Json
from lfr.values.times import MAX_TIME_MS

_KINDS: Final = {
    "StartFlow": StepKind.START,
    "InvokeTask": StepKind.TASK,
    "InvokeFlow": StepKind.SUBFLOW,
    "Sink": StepKind.SUBFLOW_END,
    "Source": StepKind.LITERAL,
}
_NUMBER: Final = whole_number(-1_000_000, 1_000_000)


def is_littleflow_archive(document: Json) -> bool:
    """Return whether a document has the fields of such an archive. Their content is not checked."""
    return isinstance(document, dict) and all(isinstance(document.get(name), list) for name in "FTSA")


def convert_littleflow_archive(document: dict[str, Any], id: str) -> dict[str, Any]:
    """Return an archive of lfr, of a terminated workflow with this id; its restart starts the steps that ran.

    Raises BadInput if the document is not valid. The result must still pass `parse_archive`.
    """
    steps = _steps(document["T"])
    flow = Flow(steps, _edges(document["F"], len(steps)), docs=_docs(document["T"]))
    changes = sorted(_vectors(document["S"], len(steps)), key=lambda change: change[0])
    received = [vector for _, vector in _vectors(document["A"], len(steps))]
    history, active, attempts, done = _replay(changes, len(steps))
    waiting = [sum(vector[index] for vector in received) for index in range(len(steps))]
    progress = {
        str(index): [max(0, waiting[index]) + active[index] * flow.thresholds[index], 0, attempts[index]]
        for index in range(len(steps))
        if waiting[index] > 0 or active[index] or attempts[index] > 1
    }
    times = [at for at, _ in changes] or [0]
    return {
        "format": FORMAT,
        "version": VERSION,
        "id": id,
        "flow": flow.to_dict(),
        "record": {"state": "TERMINATED", "started": times[0], "ended": times[-1]},
        "counts": [0, done, 0, 0],
        "steps": progress,
        "outputs": {
            str(step.index): step.value
            for step in steps
            if step.kind is StepKind.LITERAL and attempts[step.index] > active[step.index]
        },
        "history": [*history, {"at": times[-1], "facts": "terminated"}],
        "items": {},
    }


def _steps(classes: list[Any]) -> tuple[Step, ...]:
    steps: list[Step] = []
    open: list[int] = []
    for index, entry in enumerate(classes):
        name, fields = entry if isinstance(entry, list) and len(entry) == 2 else ("", {})
        if not (isinstance(name, str) and name in _KINDS and isinstance(fields, dict)):
            raise _bad(f"step {index} is of an unknown class")
        kind = _kind(_KINDS[name], index, len(classes))
        if kind is StepKind.SUBFLOW_END:
            if not open:
                raise _bad(f"step {index} ends a subflow that has not begun")
            begin = open.pop()
            steps[begin] = replace(steps[begin], end=index)
        elif kind is StepKind.SUBFLOW:
            open.append(index)
        steps.append(_step(index, kind, fields))
    if open:
        raise _bad(f"the subflow at step {open[-1]} has no end")
    return tuple(steps)


def _kind(kind: StepKind, index: int, size: int) -> StepKind:
    if index == 0:
        return StepKind.START
    if kind is StepKind.START:
        raise _bad(f"step {index} is a second start")
    return StepKind.END if index == size - 1 else kind


def _step(index: int, kind: StepKind, fields: dict[str, Any]) -> Step:
    is_task = kind is StepKind.TASK
    guard = fields.get("guard")
    return Step(
        index,
        kind,
        name=str(fields.get("name") or "") if is_task else "",
        base=str(fields.get("base") or "") if is_task else "",
        parameters=(fields.get("parameters") or None) if is_task else None,
        merge=bool(fields.get("merge")),
        guard=guard.strip("`") if isinstance(guard, str) and guard else None,
        value=fields.get("value") if kind is StepKind.LITERAL else None,
    )


def _docs(classes: list[Any]) -> dict[str, str]:
    tasks = (fields for _, fields in classes if fields.get("name") and fields.get("doc"))
    return {str(fields["name"]): str(fields["doc"]) for fields in tasks}


def _edges(matrix: list[Any], size: int) -> tuple[tuple[int, int], ...]:
    if len(matrix) != size or not all(isinstance(row, list) and len(row) == size for row in matrix):
        raise _bad(f"F is no matrix of {size} by {size}")
    return tuple((source, target) for source, row in enumerate(matrix) for target, n in enumerate(row) if n)


def _vectors(trace: list[Any], size: int) -> Iterator[tuple[int, list[int]]]:
    """Yield times in milliseconds since the epoch with their vectors, oldest first."""
    for entry in reversed(trace):
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list)):
            raise _bad("S and A are not lists of a time and a vector")
        at, vector = entry
        numbers = [number for each in vector if (number := _NUMBER.read(each)) is not None]
        if len(vector) != size or len(numbers) != size:
            raise _bad(f"a vector does not have {size} numbers")
        yield _time(at), numbers


def _replay(
    changes: list[tuple[int, list[int]]], size: int
) -> tuple[list[dict[str, Any]], list[int], list[int], int]:
    """Replay the changes. Return the history; by step, how many invocations run at its end and how many have
    started; and how many steps have ended."""
    history: list[dict[str, Any]] = []
    active, attempts, done = [0] * size, [0] * size, 0
    for at, vector in changes:
        facts: list[str] = []
        for index, number in enumerate(vector):
            if number > 0:
                attempts[index] += number
                facts.append(f"+{index}.{attempts[index]}")
            elif number < 0 and active[index]:
                done += 1
                facts.append(f"-{index}.{attempts[index]}")
            active[index] = max(0, active[index] + number)
        if facts:
            history.append({"at": at, "facts": " ".join(facts)})
    return history, active, attempts, done


def _time(text: Json) -> int:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise _bad(f"{str(text)[:40]!r} is not a time") from None
    at_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    return min(max(0, at_ms), MAX_TIME_MS)


def _bad(why: str) -> BadInput:
    return BadInput(f"this archive of littleflow_redis cannot be read: {why}")
