"""Formats workflows as `lfr inspect` and `lfr list` show them. Escapes all texts from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from lfr.cli.ui.format_values import (
    format_date_time,
    format_duration,
    format_pause,
    format_size,
    format_start,
    format_time,
    seconds_between,
    short_json,
)
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal, truncate
from lfr.drawing.labels import resource_title
from lfr.flow import StepKind
from lfr.values.printable import printable
from lfr.values.times import format_span

STATE_COLOURS: Final = {
    "PENDING": "dim",
    "RUNNING": "cyan",
    "DONE": "green",
    "FINISHED": "green",
    "SKIPPED": "dim",
    "STOPPED": "dim",
    "FAILED": "red",
    "TERMINATING": "yellow",
    "TERMINATED": "yellow",
}

_STEP_COLUMNS: Final = (
    Column("#", align_right=True),
    Column("step", max_width=30),
    Column("state"),
    Column("start", drop=2),
    Column("end", drop=3),
    Column("duration", align_right=True, drop=1),
    Column("try", align_right=True),
    Column("output or reason"),
)

_MAX_ITEMS: Final = 10
"""How many open items of a step are listed."""

_MAX_MISSING: Final = 5
"""For how many tasks it is said that no live worker does them."""

_TASK_KINDS: Final = (StepKind.TASK, StepKind.RESOURCE)

_LIST_COLUMNS: Final = (
    Column("state"),
    Column("started", drop=1),
    Column("duration", align_right=True, drop=2),
    Column("name", max_width=30, drop=3),
    Column("id", is_whole=True),
)
_SIZE_COLUMN: Final = Column("size", align_right=True)

_UNLIMITED: Final = 100_000

_NARROW: Final = 80
"""In a terminal with fewer columns, a list shows ids without their prefix."""

_HISTORY_COLUMNS: Final = (
    Column("time"),
    Column("#", align_right=True),
    Column("step", max_width=30),
    Column("event"),
    Column("reason"),
)


def format_workflow(terminal: Terminal, workflow: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of `lfr inspect`: the workflow as a whole and a table of its steps.

    Then the tasks that no live worker does; for each iterated step, up to ten items that have begun and are
    not done; up to ten children of calls.
    """
    state = workflow["state"]
    paused = terminal.paint("  paused", "yellow") if workflow["paused"] else ""
    yield f"{terminal.paint(workflow['id'], 'bold')}  {terminal.paint(state, STATE_COLOURS[state])}{paused}"
    for heading, text in _overview(workflow):
        yield truncate(f"  {heading:9}{printable(text)}", terminal.width)
    yield ""
    yield from format_table(terminal, _STEP_COLUMNS, [_step_row(step) for step in workflow["steps"]])
    yield from _missing_workers(terminal, workflow["steps"])
    for step in workflow["steps"]:
        yield from _open_items(terminal, step.get("items"))
    yield from _children_of_calls(terminal, workflow["steps"])


def _missing_workers(terminal: Terminal, steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each task that no live worker does, with its first step."""
    waits: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for step in steps:
        wait = step.get("waits_for", {})
        if "worker" in wait:
            waits.setdefault(wait["worker"], (step["index"], wait))
    if waits:
        yield ""
    for index, wait in islice(waits.values(), _MAX_MISSING):
        seconds = seconds_between(wait["since"], None)
        since = "" if seconds is None else f", since {format_span(seconds)}"
        text = f"step {index}: {wait['message']}{since} ({wait['hint']})"
        yield terminal.paint(printable(text), "yellow")
    if len(waits) > _MAX_MISSING:
        yield f"... and {len(waits) - _MAX_MISSING} more tasks that no live worker does"


def _open_items(terminal: Terminal, items: Mapping[str, Any] | None) -> Iterator[str]:
    if items and items["latest"]:
        yield f"\nthe item that was done last, with its input and output: {items['latest'][0]}"
    if not items or not items["open"]:
        return
    yield "\nitems that have begun and are not done, each with steps of its own to inspect:"
    for item in items["open"][:_MAX_ITEMS]:
        yield f"  {terminal.paint(item['state'], STATE_COLOURS[item['state']])}  {item['id']}"
    if len(items["open"]) > _MAX_ITEMS:
        yield f"  ... {items['total'] - items['done']:,} of {items['total']:,} are not done"


def _children_of_calls(terminal: Terminal, steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    standing = (step for step in steps if step["state"] not in ("DONE", "SKIPPED"))
    calls = [call for step in standing if (call := step.get("call")) and call["id"]]
    if calls:
        yield "\nflows that steps have called, each with steps of its own to inspect:"
    for call in calls[:_MAX_ITEMS]:
        state = terminal.paint(call["state"], STATE_COLOURS[call["state"]])
        yield f"  {state}  {call['id']}  {printable(_format_version(call))}"
    if len(calls) > _MAX_ITEMS:
        yield f"  ... and {len(calls) - _MAX_ITEMS} more"


def _overview(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if workflow["name"]:
        version = "" if workflow["version"] is None else f", version {workflow['version']}"
        yield "flow", f"{workflow['name']}{version}"
    if workflow["parent"]:
        yield "parent", workflow["parent"]
    if workflow["labels"]:
        yield "labels", " ".join(f"{name}={value}" for name, value in workflow["labels"].items())
    yield "started", format_date_time(workflow["started"])
    elapsed = format_duration(seconds_between(workflow["started"], workflow["ended"]))
    end = format_date_time(workflow["ended"]) if workflow["ended"] else "not yet"
    yield "ended", f"{end} ({elapsed})"
    if workflow["paused"]:
        yield "paused", format_pause(workflow["paused"])
    if workflow.get("bytes") is not None:
        yield "size", format_size(workflow["bytes"])
    if workflow["deadline"]:
        yield "deadline", format_date_time(workflow["deadline"])
    yield "input", short_json(workflow["input"])
    if workflow["state"] == "FINISHED":
        yield "output", short_json(workflow["output"])
    if workflow["reason"]:
        yield "reason", workflow["reason"]
    if workflow["warning"]:
        yield "warning", workflow["warning"]
    if removed := workflow["removed"]:
        until = format_date_time(removed["until"])
        yield "history", f"{removed['entries']:,} entries up to {until} were removed"
    for change in workflow["by_hand"]:
        yield "by hand", _format_change(change)
    own_steps = [step for step in workflow["steps"] if not step["of_items"]]
    states = Counter(step["state"] for step in own_steps)
    counts = ", ".join(f"{number} {state}" for state, number in states.items())
    simulated = sum(step["simulated"] for step in workflow["steps"])
    note = f" ({simulated} simulated: no worker has done them)" if simulated else ""
    yield "steps", f"{len(own_steps)}: {counts}{note}"


def _format_change(change: Mapping[str, Any]) -> str:
    step = "" if change["index"] is None else f"step {change['index']} "
    return f"{format_date_time(change['at'])} {step}{change['event']} {format_actor(change)}"


def format_actor(change: Mapping[str, Any]) -> str:
    """Return who has caused a change by hand, and why: `by ann@web1: wrong input`; empty: nobody has."""
    if not change["actor"]:
        return ""
    reason = f": {change['actor_reason']}" if change["actor_reason"] else ""
    return f"by {change['actor']}{reason}"


def format_history(terminal: Terminal, workflow: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table of a workflow's history, oldest fact first."""
    steps = {step["index"]: step for step in workflow["steps"]}
    rows: list[Row] = []
    for fact in workflow["history"]:
        index = fact["index"]
        step = "" if index is None else step_title(steps[index])
        number = "" if index is None else str(index) if fact["item"] is None else f"{index}/{fact['item']}"
        text = f"{fact['event']} (simulated)" if fact["simulated"] else fact["event"]
        event = Cell(text, "red" if fact["event"] == "failed" else "")
        reason = "; ".join(filter(None, (fact["reason"], format_actor(fact))))
        rows.append([format_time(fact["at"]), number, step, event, reason])
    return format_table(terminal, _HISTORY_COLUMNS, rows)


def format_list(terminal: Terminal, workflows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of `lfr list`, in the order of `workflows`; below a workflow with a reason also that.
    If they have `bytes`, a column shows them. Below a workflow that runs stands what it does now.

    Ids are never cut, for copying. A narrow terminal shows them without `workflow:`, and leaves out columns;
    a file or a pipe gets all of them.
    """
    width = terminal.width if terminal.out.isatty() else _UNLIMITED
    ids = [workflow["id"] for workflow in workflows]
    if width < _NARROW:
        ids = [id.removeprefix("workflow:") for id in ids]
    rows = [
        [
            _state_cell(workflow),
            format_start(workflow["started"]),
            format_duration(seconds_between(workflow["started"], workflow["ended"])),
            workflow["name"],
            id,
        ]
        for workflow, id in zip(workflows, ids, strict=True)
    ]
    columns: Sequence[Column] = _LIST_COLUMNS
    if workflows and "bytes" in workflows[0]:
        columns = (_SIZE_COLUMN, *columns)
        rows = [[format_size(each["bytes"]), *row] for each, row in zip(workflows, rows, strict=True)]
    heading, *lines = format_table(terminal, columns, rows, width=width)
    yield heading
    for workflow, line in zip(workflows, lines, strict=True):
        yield line
        if workflow["reason"]:
            yield terminal.paint(truncate(f"    {printable(workflow['reason'])}", width), "red")
        elif workflow["now"]:
            yield terminal.paint(truncate(f"    {printable(_format_now(workflow['now']))}", width), "dim")


def _format_now(now: Mapping[str, Any]) -> str:
    """Format the current step of a workflow: `1 fetch: runs on web1, for 3 min`."""
    since = f", for {format_span(seconds_between(now['since'], None) or 0)}"
    until = f", until {format_start(now['until'])}" if now["until"] else ""
    return f"{now['index']} {now['step']}: {now['text']}{since}{until}"


def _state_cell(workflow: Mapping[str, Any]) -> Cell:
    state = workflow["state"]
    return Cell(f"{state} paused", "yellow") if workflow["paused"] else Cell(state, STATE_COLOURS[state])


def _step_row(step: Mapping[str, Any]) -> Row:
    state = step["state"]
    colour = "" if step["kind"] in _TASK_KINDS or step["name"] else "dim"
    has_attempts = step["tries"] and step["kind"] in _TASK_KINDS and state != "SKIPPED"
    return [
        Cell(str(step["index"]), colour),
        Cell(step_title(step), colour),
        Cell("in items", "dim") if step["of_items"] else Cell(state, STATE_COLOURS[state]),
        format_time(step["started"]),
        format_time(step["ended"]),
        format_duration(seconds_between(step["started"], step["ended"])),
        str(step["tries"]) if has_attempts else "",
        _mark_simulated(step, _result_cell(step)),
    ]


def _mark_simulated(step: Mapping[str, Any], cell: str | Cell) -> str | Cell:
    if not step["simulated"]:
        return cell
    text, colour = (cell.text, cell.colour) if isinstance(cell, Cell) else (cell, "dim")
    return Cell(f"simulated: {text}", colour)


def _result_cell(step: Mapping[str, Any]) -> str | Cell:
    items, wait = step.get("items"), step.get("waits_for")
    if step["state"] == "SKIPPED":
        skipped = f"{step['reason']}: {short_json(step['output'])}"
        return Cell(skipped if step["reason"] else "its guard said no", "dim")
    if wait and "pause" in wait:
        return Cell(f"held: {format_pause(wait['pause'])}", "yellow")
    if wait and "worker" in wait:
        begun = f"{_format_items(items)}; " if items and items["total"] is not None else ""
        return Cell(begun + wait["message"], "yellow")
    if step["reason"]:
        retry = f"again at {format_time(wait['until'])}: " if wait else ""
        return Cell(retry + step["reason"], "red")
    progress = step.get("progress")
    if progress:
        return f"{progress['fraction']:.0%} {progress['text']}".strip()
    if wait:
        return Cell(f"waits {format_wait(wait)}", "dim")
    if items and items["total"] is not None and step["state"] != "DONE":
        return _format_items(items)
    if (call := step.get("call")) and call["id"] and step["state"] != "DONE":
        return _format_version(call)
    if "output" in step.get("omitted", ()):
        return Cell("large: lfr inspect with its index shows it", "dim")
    return short_json(step["output"]) if step["state"] == "DONE" else ""


def format_wait(wait: Mapping[str, Any]) -> str:
    """Return what a step waits for: `for the event paid with {"order": 7}, until 2026-01-31 ...`."""
    parts = []
    if "event" in wait:
        condition = f" with {short_json(wait['match'])}" if wait["match"] else ""
        parts.append(f"for the event {wait['event']}{condition}")
    if "latch" in wait:
        parts.append(f"for the latch {wait['latch']} to be zero")
    if wait["until"]:
        parts.append(f"until {format_date_time(wait['until'])}")
    return ", ".join(parts)


def format_call(call: Mapping[str, Any]) -> str:
    """Return what a call that has started runs: `workflow:w/3.0 (pay, version 2) RUNNING`."""
    return (
        str(call["flow"]) if call["id"] is None else f"{call['id']} ({_format_version(call)}) {call['state']}"
    )


def _format_version(call: Mapping[str, Any]) -> str:
    return f"{call['flow']}, version {call['version']}"


def _format_items(items: Mapping[str, Any]) -> str:
    return f"{items['done']} of {items['total']} items done, {items['running']} running"


def step_title(step: Mapping[str, Any]) -> str:
    """Return the name of a step as its description has it; of a resource, what it loads or stores."""
    if step["kind"] == StepKind.RESOURCE:
        return resource_title(step["uri"], is_sink=step["sink"])
    return step_name(step["name"], step["base"], step["kind"])


def step_name(name: str, base: str, kind: str) -> str:
    """Return the name of a step, with the task behind an alias in brackets; without a name, its kind."""
    if not name:
        return f"({kind})"
    return f"{name} ({base})" if base and base != name else name
