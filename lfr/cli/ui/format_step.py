"""Formats one step as `lfr inspect ID INDEX` shows it: whole, with nothing cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.cli.ui.format_values import format_date_time, format_duration, format_size, seconds_between
from lfr.cli.ui.format_workflow import (
    STATE_COLOURS,
    format_actor,
    format_call,
    format_wait,
    step_title,
)
from lfr.cli.ui.terminal import Terminal
from lfr.values.json import Json
from lfr.values.printable import printable

_WIDTH: Final = 12
"""The width of the headings."""


def format_step(terminal: Terminal, id: str, step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that show a step of the workflow `id`, as `inspect_step` describes it."""
    state, title = step["state"], printable(step_title(step))
    head = terminal.paint(f"{id}  {step['index']}  {title}", "bold")
    yield f"{head}  {terminal.paint(state, STATE_COLOURS[state])}"
    for heading, text in _facts(step):
        yield f"  {heading:{_WIDTH}}{printable(text)}"
    is_known = {
        "input": state in ("RUNNING", "DONE", "SKIPPED", "STOPPED"),
        "output": state in ("DONE", "SKIPPED"),
    }
    for heading in ("parameters", "input", "output"):
        if step[heading] is not None or is_known.get(heading):
            yield from _value(heading, step[heading])
    if step["attempts"]:
        yield "  history"
    for fact in step["attempts"]:
        reason = " (simulated)" if fact["simulated"] else ""
        reason += f": {printable(fact['reason'])}" if fact["reason"] else ""
        reason += f" {printable(format_actor(fact))}" if fact["actor"] else ""
        attempt = "" if fact["attempt"] is None else f"attempt {fact['attempt']} "
        yield f"    {format_date_time(fact['at'])}  {attempt}{fact['event']}{reason}"
    if step["evidence"]:
        yield "  workers"
    for evidence in step["evidence"]:
        yield f"    attempt {evidence['attempt']}  {printable(', '.join(_worker(evidence)))}"


def _facts(step: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if step["started"]:
        yield "started", format_date_time(step["started"])
        elapsed = format_duration(seconds_between(step["started"], step["ended"]))
        end = format_date_time(step["ended"]) if step["ended"] else "not yet"
        yield "ended", f"{end} ({elapsed})"
    if step["attempt"]:
        turn = f", {step['tries']} since the step last ended" if step["tries"] != step["attempt"] else ""
        yield "attempt", f"{step['attempt']}{turn}"
    if step["simulated"]:
        yield "simulated", "no worker has done it"
    if step["reason"]:
        yield "reason", step["reason"]
    if progress := step.get("progress"):
        yield "progress", f"{progress['fraction']:.0%} {progress['text']}".strip()
    if wait := step.get("waits_for"):
        yield "waits", format_wait(wait)
    if (items := step.get("items")) and items["total"] is not None:
        yield "items", f"{items['done']} of {items['total']} done, {items['running']} running"
    if call := step.get("call"):
        yield "calls", format_call(call)
    if step.get("uri"):
        yield "uri", step["uri"]
    if step["guard"]:
        yield "guard", step["guard"]
    permitted = [action for action, refusal in step["actions"].items() if refusal is None]
    if permitted:
        yield "permits", ", ".join(permitted)


def _worker(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Yield who has run an attempt, and what that took, in parts."""
    process = f"process {evidence['process']}" if evidence["process"] is not None else ""
    where = " on ".join(part for part in (process, evidence["host"]) if part)
    yield where or "a worker that has not said where it runs"
    if evidence["delivery"] > 1:
        yield f"delivery {evidence['delivery']}"
    if evidence["started"] and evidence["ended"]:
        yield f"took {format_duration(seconds_between(evidence['started'], evidence['ended']))}"
    if evidence["cpu_seconds"] is not None:
        yield f"CPU {format_duration(evidence['cpu_seconds'])}"
    if evidence["peak_bytes"]:
        yield f"memory up to {format_size(evidence['peak_bytes'])}"
    if evidence["lines"]:
        yield f"{evidence['lines']} lines"


def _value(heading: str, value: Json) -> Iterator[str]:
    first, *rest = json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    yield f"  {heading:{_WIDTH}}{printable(first)}"
    for line in rest:
        yield f"  {'':{_WIDTH}}{printable(line)}"
