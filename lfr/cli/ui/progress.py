"""Shows the progress of a workflow while it runs: redrawn in place on a terminal, else a line per change."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Self

from lfr.cli.ui.format_values import format_duration, format_size, format_time, seconds_between
from lfr.cli.ui.format_workflow import STATE_COLOURS, format_wait
from lfr.cli.ui.terminal import Terminal, display_width, pad, truncate
from lfr.values.printable import printable

_STATE_AFTER: Final = {
    "started": "RUNNING",
    "ended": "DONE",
    "skipped": "SKIPPED",
    "failed": "FAILED",
    "retried": "RUNNING",
}

_EVENT_TEXTS: Final = {"retried": "failed"}
"""What a line says in place of the name of an event."""

_REDRAW_SECONDS: Final = 0.1

_MAX_NAME_WIDTH: Final = 30

_MAX_OUTPUT_WIDTH: Final = 200
"""To which width a line shows the output of a step."""

_MAX_WARNINGS: Final = 3
"""For how many tasks the live view says that no live worker does them."""


class PlainProgress:
    """Prints a line on stderr for each change of a step that has a name, and for each failure.

    A task that has ended goes with its output. Of the items of an iterated step, of which there may be many,
    it prints only failures. Of a task that no live worker does it prints so once.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._start_times: dict[int, str] = {}
        self._attempts: dict[int, int] = {}
        self._waits: dict[str, str] = {}
        self._reported_tasks: set[str] = set()

    def show(self, update: Mapping[str, Any]) -> None:
        """Print the lines for the changes of an update of `follow_workflow`, and for what steps now wait
        for."""
        outputs = update.get("outputs", {})
        for change in update["changes"]:
            index, event, time = change["index"], change["event"], format_time(change["at"])
            if index is None:
                text = f": {change['reason']}" if event == "removed" else ""
                self._terminal.print_err(f"{time}  {update['id']} {event}{text}")
            elif change["item"] is not None:
                if event == "failed":
                    self._terminal.print_err(f"{time}  {index} item {change['item']} failed")
            elif change["name"] or event == "failed":
                text = self._format_change(change)
                if event == "ended" and str(index) in outputs:
                    text += f": {_format_output(outputs[str(index)])}"
                self._terminal.print_err(f"{time}  {index} {text}")
        waits = {index: format_wait(wait) for index, wait in update.get("waits_for", {}).items()}
        for index, wait in waits.items():
            if wait != self._waits.get(index):
                self._terminal.print_err(f"{_time_now()}  {index} waits {printable(wait)}")
        self._waits = waits
        for task, worker in update.get("missing_workers", {}).items():
            if task not in self._reported_tasks:
                self._reported_tasks.add(task)
                self._terminal.print_err(f"lfr: {_format_missing_worker(worker)}")

    def _format_change(self, change: Mapping[str, Any]) -> str:
        index, event, at = change["index"], change["event"], change["at"]
        text = f"{change['name']} {_EVENT_TEXTS.get(event, event)}".strip()
        text += " (simulated)" if change["simulated"] else ""
        if event == "started":
            self._start_times[index] = at
            text += f", attempt {self._attempts[index]}" if index in self._attempts else ""
        elif index in self._start_times:
            text += f" after {format_duration(seconds_between(self._start_times.pop(index), at))}"
        if event == "retried":
            self._attempts[index] = self._attempts.get(index, 1) + 1
            text += ", and is tried again"
        elif event != "started":
            self._attempts.pop(index, None)
        if change["reason"]:
            text += f": {change['reason']}"
        return printable(text)


@dataclass(slots=True)
class _StepLine:
    """The state of a step on the board. `changed` is the number of its latest change; it orders the steps."""

    name: str
    state: str = "PENDING"
    started: str | None = None
    ended: str | None = None
    reason: str = ""
    output: str = ""
    tries: int = 1
    changed: int = 0
    items_running: int = 0
    items_done: int = 0
    simulated: bool = False


class Board:
    """The content of the live view: a line for the workflow, and one for each step that has a name or failed.

    Of the terminal it needs only the size and the colours.
    """

    def __init__(self) -> None:
        self._steps: dict[int, _StepLine] = {}
        self._latest: Mapping[str, Any] = {}
        self._waits: Mapping[int, Mapping[str, Any]] = {}
        self._progress: Mapping[int, Mapping[str, Any]] = {}
        self._started: str | None = None
        self._ended: str | None = None
        self._changes = 0

    def apply(self, update: Mapping[str, Any]) -> None:
        """Apply the changes of an update of `follow_workflow`."""
        self._latest = update
        self._waits = {int(index): wait for index, wait in update.get("waits_for", {}).items()}
        self._progress = {int(index): report for index, report in update.get("progress", {}).items()}
        outputs = update.get("outputs", {})
        for change in update["changes"]:
            self._changes += 1
            self._started = self._started or update.get("started") or change["at"]
            self._ended = change["at"]
            index = change["index"]
            if index is not None and change["item"] is not None:
                self._apply_to_item(index, change["event"])
            elif index is not None and (change["name"] or change["event"] == "failed"):
                self._apply_to_step(index, change)
                has_output = change["event"] == "ended" and str(index) in outputs
                self._steps[index].output = _format_output(outputs[str(index)]) if has_output else ""

    def _apply_to_item(self, index: int, event: str) -> None:
        line = self._steps.setdefault(index, _StepLine(f"step {index}"))
        line.changed = self._changes
        line.items_running += 1 if event == "started" else -1
        line.items_done += event == "ended"

    def _apply_to_step(self, index: int, change: Mapping[str, Any]) -> None:
        line = self._steps.setdefault(index, _StepLine(change["name"] or f"step {index}"))
        line.state = _STATE_AFTER[change["event"]]
        line.changed = self._changes
        line.reason = change["reason"] or ""
        if change["event"] == "retried":
            line.tries += 1
        elif change["event"] == "started" and line.ended is not None:
            line.tries = 1
        line.simulated = change["simulated"]
        if line.state in ("RUNNING", "SKIPPED"):
            line.started, line.ended = change["at"], None
        if line.state != "RUNNING":
            line.ended = change["at"]

    def lines(self, terminal: Terminal, height: int) -> list[str]:
        """Return the view in at most `height` lines, none wider than the terminal; none before an update."""
        if not self._latest:
            return []
        warnings = [
            terminal.paint(
                truncate(f"  {_format_missing_worker(worker)}", terminal.width), "yellow", terminal.err
            )
            for worker in islice(
                self._latest.get("missing_workers", {}).values(), min(_MAX_WARNINGS, max(0, height - 2))
            )
        ]
        step_rows = max(1, height - 1 - len(warnings))
        steps = self._select_steps(step_rows if len(self._steps) <= step_rows else max(1, step_rows - 1))
        name_width = min(
            _MAX_NAME_WIDTH, max((display_width(printable(line.name)) for line in steps.values()), default=0)
        )
        lines = [self._head(terminal), *warnings]
        lines += [
            _format_step(terminal, index, line, name_width, self._note(index, line))
            for index, line in steps.items()
        ]
        if len(steps) < len(self._steps) and step_rows > 1:
            hidden = len(self._steps) - len(steps)
            lines.append(terminal.paint(f"  … and {hidden} more", "dim", terminal.err))
        return lines

    def _note(self, index: int, line: _StepLine) -> str:
        """Return what the line of a step says at its end: how many attempts it has had, and an output, a
        reason, a wait, its progress, its items."""
        note = line.reason or (line.output if line.state == "DONE" else "")
        if line.state == "RUNNING" and index in self._waits:
            wait = f"waits {format_wait(self._waits[index])}"
            note = f"{wait}: {note}" if note else wait
        if not note and line.state == "RUNNING" and index in self._progress:
            report = self._progress[index]
            note = f"{report['fraction']:.0%} {report['text']}".strip()
        if not note and line.items_running + line.items_done:
            note = f"items: {line.items_done} done, {line.items_running} running"
        marks = ["simulated"] if line.simulated else []
        marks += [f"attempt {line.tries}"] if line.tries > 1 else []
        return ": ".join(filter(None, [", ".join(marks), note]))

    def _select_steps(self, count: int) -> dict[int, _StepLine]:
        """Return `count` steps, by index: failed ones if possible, then running ones, then the latest."""
        if len(self._steps) <= count:
            return dict(sorted(self._steps.items()))
        ranks = {"FAILED": 0, "RUNNING": 1}
        order = sorted(self._steps.items(), key=lambda item: (ranks.get(item[1].state, 2), -item[1].changed))
        return dict(sorted(order[:count]))

    def _head(self, terminal: Terminal) -> str:
        counts, state = self._latest["counts"], self._latest["state"]
        has_ended = state not in ("RUNNING", "TERMINATING")
        steps_ended = counts["done"] + counts["skipped"] + counts["failed"]
        elapsed = format_duration(seconds_between(self._started, self._ended if has_ended else None))
        tail = f"  {steps_ended} of {counts['total']} steps  {elapsed}"
        id = truncate(self._latest["id"], max(8, terminal.width - len(state) - len(tail) - 3))
        return f"{id}  {terminal.paint(state, STATE_COLOURS[state], terminal.err)}{tail}"


def _format_output(output: str | int) -> str:
    """Return the JSON text of an output in one line; of a long one, its size."""
    if isinstance(output, int):
        return f"an output of {format_size(output)}"
    return printable(truncate(output, _MAX_OUTPUT_WIDTH))


def _format_missing_worker(worker: Mapping[str, Any]) -> str:
    return printable(f"{worker['message']} ({worker['hint']})")


def _format_step(terminal: Terminal, index: int, line: _StepLine, name_width: int, note: str) -> str:
    state = terminal.paint(f"{line.state:7}", STATE_COLOURS[line.state], terminal.err)
    elapsed = "" if line.state == "SKIPPED" else format_duration(seconds_between(line.started, line.ended))
    head = f"{index:5}  {pad(printable(line.name), name_width)}  "
    tail_width = terminal.width - 1 - display_width(head) - 7 - 12
    tail = f"  {truncate(printable(note), tail_width)}" if note and tail_width > 0 else ""
    return f"{head}{state}  {elapsed:>8}{tail}"


def _time_now() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]


class LiveProgress:
    """Draws the board on stderr, in place, while the context lasts; then its last state stays.

    A thread redraws it ten times a second, so that the durations advance.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._board = Board()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._lines_drawn = 0
        self._thread = threading.Thread(target=self._redraw_until_stopped, daemon=True)

    def __enter__(self) -> Self:
        self._write("\x1b[?25l")  # hide the cursor
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._draw()
        self._write("\x1b[?25h")

    def show(self, update: Mapping[str, Any]) -> None:
        """Apply an update to the board; the next redraw shows it."""
        with self._lock:
            self._board.apply(update)

    def _redraw_until_stopped(self) -> None:
        while not self._stopping.wait(_REDRAW_SECONDS):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            lines = self._board.lines(self._terminal, self._terminal.height - 1)
        to_first_line = f"\x1b[{self._lines_drawn}F" if self._lines_drawn else ""
        self._write(to_first_line + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J")
        self._lines_drawn = len(lines)

    def _write(self, text: str) -> None:
        try:
            self._terminal.err.write(text)
            self._terminal.err.flush()
        except OSError:
            pass  # the terminal was closed; the workflow continues


def progress_view(terminal: Terminal) -> AbstractContextManager[PlainProgress | LiveProgress]:
    """Return the view that suits this terminal: live if its stderr can be redrawn in place, else plain."""
    return LiveProgress(terminal) if terminal.is_live else nullcontext(PlainProgress(terminal))
