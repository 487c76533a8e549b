"""A workflow in words: what `lfr inspect` and `lfr list` show to people. Text from outside is escaped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.cli.ui.table import Cell, Column, draw_table
from lfr.cli.ui.terminal import Terminal, cut, printable
from lfr.cli.ui.times import clock, day, duration, full_time, seconds_between
from lfr.drawing.labels import resource_title
from lfr.flow import StepKind
from lfr.values.json import Json

COLOUR_OF_STATE: Final = {
    "PENDING": "dim",
    "RUNNING": "cyan",
    "DONE": "green",
    "FINISHED": "green",
    "SKIPPED": "dim",
    "FAILED": "red",
    "TERMINATING": "yellow",
    "TERMINATED": "yellow",
}

_STEP_COLUMNS: Final = (
    Column("#", right=True),
    Column("step", most=30),
    Column("state"),
    Column("start"),
    Column("end"),
    Column("duration", right=True),
    Column("try", right=True),
    Column("output or reason"),
)

_MOST_ITEMS: Final = 10
"""Items of one step that are shown."""

_WORKS: Final = (StepKind.TASK, StepKind.RESOURCE)

_LIST_COLUMNS: Final = (
    Column("state"),
    Column("started"),
    Column("duration", right=True),
    Column("name", most=30),
    Column("id", most=1000),
)

_HISTORY_COLUMNS: Final = (
    Column("time"),
    Column("#", right=True),
    Column("step", most=30),
    Column("event"),
    Column("reason"),
)


def draw_workflow(terminal: Terminal, workflow: Mapping[str, Any]) -> Iterator[str]:
    """The lines of `lfr inspect`: the workflow as a whole, then a table of its steps."""
    state = workflow["state"]
    yield f"{terminal.paint(workflow['id'], 'bold')}  {terminal.paint(state, COLOUR_OF_STATE[state])}"
    for name, text in _about(workflow):
        yield cut(f"  {name:9}{printable(text)}", terminal.width)
    yield ""
    yield from draw_table(terminal, _STEP_COLUMNS, [_step_row(step) for step in workflow["steps"]])
    for step in workflow["steps"]:
        yield from _open_items(terminal, step.get("items"))


def _open_items(terminal: Terminal, items: Mapping[str, Any] | None) -> Iterator[str]:
    if not items or not items["open"]:
        return
    yield "\nitems that have begun and are not done, each with steps of its own to inspect:"
    for item in items["open"][:_MOST_ITEMS]:
        yield f"  {terminal.paint(item['state'], COLOUR_OF_STATE[item['state']])}  {item['id']}"
    if len(items["open"]) > _MOST_ITEMS:
        yield f"  ... {items['total'] - items['done']:,} of {items['total']:,} are not done"


def _about(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if workflow["name"]:
        yield "flow", workflow["name"]
    yield "started", full_time(workflow["started"])
    lasted = duration(seconds_between(workflow["started"], workflow["ended"]))
    yield (
        "ended",
        f"{full_time(workflow['ended'])} ({lasted})" if workflow["ended"] else f"not yet ({lasted})",
    )
    yield "input", short_json(workflow["input"])
    if workflow["output"] is not None:
        yield "output", short_json(workflow["output"])
    if workflow["reason"]:
        yield "reason", workflow["reason"]
    states = Counter(step["state"] for step in workflow["steps"])
    told = ", ".join(f"{number} {state}" for state, number in states.items())
    yield "steps", f"{len(workflow['steps'])}: {told}"


def draw_history(terminal: Terminal, workflow: Mapping[str, Any]) -> list[str]:
    """The lines of a workflow's history, oldest first."""
    steps = {step["index"]: step for step in workflow["steps"]}
    rows = []
    for fact in workflow["history"]:
        index = fact["index"]
        step = "" if index is None else _name_of(steps[index])
        number = "" if index is None else str(index) if fact["item"] is None else f"{index}/{fact['item']}"
        event = Cell(fact["event"], "red" if fact["event"] == "failed" else "")
        rows.append([_time(fact["at"]), Cell(number), Cell(step), event, Cell(fact.get("reason") or "")])
    return draw_table(terminal, _HISTORY_COLUMNS, rows)


def draw_list(terminal: Terminal, workflows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of `lfr list`. An id is never cut: it is there to be copied."""
    rows = [
        [
            Cell(workflow["state"], COLOUR_OF_STATE[workflow["state"]]),
            Cell(f"{day(workflow['started'])} {clock(workflow['started'])[:8]}"),
            Cell(duration(seconds_between(workflow["started"], workflow["ended"]))),
            Cell(workflow["name"]),
            Cell(workflow["id"]),
        ]
        for workflow in workflows
    ]
    return draw_table(terminal, _LIST_COLUMNS, rows, width=10_000)


def _step_row(step: Mapping[str, Any]) -> list[Cell]:
    state = step["state"]
    plain = "" if step["kind"] in _WORKS or step["name"] else "dim"
    was_tried = step["attempt"] and step["kind"] in _WORKS and state != "SKIPPED"
    return [
        Cell(str(step["index"]), plain),
        Cell(_name_of(step), plain),
        Cell(state, COLOUR_OF_STATE[state]),
        _time(step["started"]),
        _time(step["ended"]),
        Cell(duration(seconds_between(step["started"], step["ended"]))),
        Cell(str(step["attempt"]) if was_tried else ""),
        _outcome(step),
    ]


def _outcome(step: Mapping[str, Any]) -> Cell:
    items, waits_for = step.get("items"), step.get("waits_for")
    if step["state"] == "SKIPPED":
        output = "" if step["output"] is None else f": {short_json(step['output'])}"
        return Cell(f"{step['reason']}{output}" if step["reason"] else "its guard said no", "dim")
    if step["reason"]:
        again = f"again at {clock(waits_for['until'])}: " if waits_for else ""
        return Cell(again + step["reason"], "red")
    progress = step.get("progress")
    if progress:
        return Cell(f"{progress['fraction']:.0%} {progress['text']}".strip())
    if waits_for:
        return Cell(_wait(waits_for), "dim")
    if items and items["total"] is not None and step["state"] != "DONE":
        return Cell(f"{items['done']} of {items['total']} items done, {items['running']} running")
    return Cell("" if step["output"] is None else short_json(step["output"]))


def _wait(wait: Mapping[str, Any]) -> str:
    """What a step waits for, in words."""
    words = []
    if "event" in wait:
        asked = f" with {short_json(wait['match'])}" if wait["match"] else ""
        words.append(f"for the event {wait['event']}{asked}")
    if "latch" in wait:
        words.append(f"for the latch {wait['latch']} to be zero")
    if wait["until"]:
        words.append(f"until {full_time(wait['until'])}")
    return "waits " + ", ".join(words)


def _name_of(step: Mapping[str, Any]) -> str:
    if step["kind"] == StepKind.RESOURCE:
        return resource_title(step["uri"], is_sink=step["sink"])
    return step_name(step["name"], step["base"], step["kind"])


def _time(text: str | None) -> Cell:
    return Cell(clock(text))


def step_name(name: str, base: str, kind: str) -> str:
    """A step's name, with the task behind an alias; a step without a name is known by its kind."""
    if not name:
        return f"({kind})"
    return f"{name} ({base})" if base and base != name else name


def short_json(value: Json) -> str:
    """JSON for people: in one line, letters of all languages as they are."""
    return json.dumps(value, ensure_ascii=False)


def long_json(value: Json) -> str:
    """JSON for programs: in ASCII, so that it is exact in any encoding and harmless on any terminal."""
    return json.dumps(value, indent=2)
