"""A workflow's progress while it runs: drawn in place on a terminal, else told line by line."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol, Self

from lfr.cli.ui.format_workflow import COLOUR_OF_STATE
from lfr.cli.ui.terminal import Terminal, columns, cut, padded, printable
from lfr.cli.ui.times import clock, duration, seconds_between

_STATE_AFTER: Final = {
    "started": "RUNNING",
    "ended": "DONE",
    "skipped": "SKIPPED",
    "failed": "FAILED",
    "retried": "RUNNING",
}

_REDRAW_SECONDS: Final = 0.1

_WIDEST_NAME: Final = 30


class ProgressView(Protocol):
    """Something that shows the news that `follow_workflow` gives. Used with `with`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tell(self, news: Mapping[str, Any]) -> None:
        """Show what has changed."""
        ...


def progress_view(terminal: Terminal) -> ProgressView:
    """The view that this terminal can show."""
    return LiveProgress(terminal) if terminal.is_live else PlainProgress(terminal)


class PlainProgress:
    """A line on stderr for each change of a step that has a name, and for each failure.

    Of the items of an iterated step, which may be many, only those that fail have one.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._started: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def tell(self, news: Mapping[str, Any]) -> None:
        """Show what has changed."""
        for change in news["changes"]:
            index, event = change["index"], change["event"]
            if index is None:
                self._terminal.say(f"{clock(change['at'])}  {news['id']} {event}")
            elif change["item"] is not None:
                if event == "failed":
                    self._terminal.say(f"{clock(change['at'])}  {index} item {change['item']} failed")
            elif change["name"] or event == "failed":
                self._terminal.say(f"{clock(change['at'])}  {index} {self._words(change)}")

    def _words(self, change: Mapping[str, Any]) -> str:
        index, event, at = change["index"], change["event"], change["at"]
        words = f"{change['name']} {event}".strip()
        if event == "started":
            self._started[index] = at
        elif index in self._started:
            words += f" after {duration(seconds_between(self._started.pop(index), at))}"
        if change["reason"]:
            words += f": {change['reason']}"
        return printable(words)


@dataclass(slots=True)
class _StepLine:
    """What is known of a step. `changed` grows with each change: the latest has the highest."""

    name: str
    state: str = "PENDING"
    started: str | None = None
    ended: str | None = None
    reason: str = ""
    changed: int = 0
    items_running: int = 0
    items_done: int = 0


class Board:
    """What the live view shows; knows nothing of terminals but their size."""

    def __init__(self) -> None:
        self._steps: dict[int, _StepLine] = {}
        self._news: Mapping[str, Any] = {}
        self._started: str | None = None
        self._ended: str | None = None
        self._changes = 0

    def take(self, news: Mapping[str, Any]) -> None:
        """Take in what `follow_workflow` gave."""
        self._news = news
        for change in news["changes"]:
            self._changes += 1
            self._started = self._started or change["at"]
            self._ended = change["at"]
            index = change["index"]
            if index is not None and change["item"] is not None:
                self._take_item(index, change["event"])
            elif index is not None and (change["name"] or change["event"] == "failed"):
                self._take_step(index, change)

    def _take_item(self, index: int, event: str) -> None:
        line = self._steps.setdefault(index, _StepLine(f"step {index}"))
        line.changed = self._changes
        line.items_running += 1 if event == "started" else -1
        line.items_done += event == "ended"

    def _take_step(self, index: int, change: Mapping[str, Any]) -> None:
        line = self._steps.setdefault(index, _StepLine(change["name"] or f"step {index}"))
        line.state = _STATE_AFTER[change["event"]]
        line.changed = self._changes
        line.reason = change["reason"] or ""
        if line.state in ("RUNNING", "SKIPPED"):
            line.started, line.ended = change["at"], None
        if line.state != "RUNNING":
            line.ended = change["at"]

    def lines(self, terminal: Terminal, height: int) -> list[str]:
        """The view in at most `height` lines that fit into the terminal's width."""
        if not self._news:
            return []
        room = max(1, height - 1)
        shown = self._chosen(room if len(self._steps) <= room else max(1, room - 1))
        name_width = min(
            _WIDEST_NAME, max((columns(printable(line.name)) for line in shown.values()), default=0)
        )
        lines = [self._head(terminal)]
        lines += [_draw_step(terminal, index, line, name_width) for index, line in shown.items()]
        if len(shown) < len(self._steps) and room > 1:
            lines.append(terminal.paint(f"  … and {len(self._steps) - len(shown)} more", "dim", terminal.err))
        return lines

    def _chosen(self, room: int) -> dict[int, _StepLine]:
        """The steps that matter most now: those that failed, then those that run, then the latest."""
        if len(self._steps) <= room:
            return dict(sorted(self._steps.items()))
        ranks = {"FAILED": 0, "RUNNING": 1}
        order = sorted(self._steps.items(), key=lambda item: (ranks.get(item[1].state, 2), -item[1].changed))
        return dict(sorted(order[:room]))

    def _head(self, terminal: Terminal) -> str:
        news, counts = self._news, self._news["counts"]
        state = news["state"]
        over = state not in ("RUNNING", "TERMINATING")
        ended = counts["done"] + counts["skipped"] + counts["failed"]
        lasted = duration(seconds_between(self._started, self._ended if over else None))
        rest = f"  {ended} of {counts['total']} steps  {lasted}"
        id = cut(news["id"], max(8, terminal.width - len(state) - len(rest) - 3))
        return f"{id}  {terminal.paint(state, COLOUR_OF_STATE[state], terminal.err)}{rest}"


def _draw_step(terminal: Terminal, index: int, line: _StepLine, name_width: int) -> str:
    state = terminal.paint(f"{line.state:7}", COLOUR_OF_STATE[line.state], terminal.err)
    lasted = "" if line.state == "SKIPPED" else duration(seconds_between(line.started, line.ended))
    before = f"{index:5}  {padded(printable(line.name), name_width)}  "
    room = terminal.width - 1 - columns(before) - 7 - 12
    behind = line.reason
    if not behind and line.items_running + line.items_done:
        behind = f"items: {line.items_done} done, {line.items_running} running"
    behind = f"  {cut(printable(behind), room)}" if behind and room > 0 else ""
    return f"{before}{state}  {lasted:>8}{behind}"


class LiveProgress:
    """The board, drawn in place ten times a second by a thread of its own, so that durations run on."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._board = Board()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._drawn = 0
        self._thread = threading.Thread(target=self._keep_drawing, daemon=True)

    def __enter__(self) -> Self:
        self._write("\x1b[?25l")  # no cursor
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._draw()
        self._write("\x1b[?25h")

    def tell(self, news: Mapping[str, Any]) -> None:
        """Take in what has changed; it is shown with the next drawing."""
        with self._lock:
            self._board.take(news)

    def _keep_drawing(self) -> None:
        while not self._over.wait(_REDRAW_SECONDS):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            lines = self._board.lines(self._terminal, self._terminal.height - 1)
        back = f"\x1b[{self._drawn}F" if self._drawn else ""
        self._write(back + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J")
        self._drawn = len(lines)

    def _write(self, text: str) -> None:
        try:
            self._terminal.err.write(text)
            self._terminal.err.flush()
        except OSError:
            pass  # the terminal has gone; the workflow goes on
