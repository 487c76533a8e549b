"""The progress of a workflow, line by line and redrawn in place."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from lfr.cli.ui.progress import Board, LiveProgress, PlainProgress, progress_view
from lfr.cli.ui.terminal import Terminal, display_width
from tests.support.screens import Screen, terminal, written

LIVE = {"TERM": "xterm", "NO_COLOR": "1"}


def change(second: float, index: int | None, event: str, name: str = "", reason: str | None = None) -> Any:
    at = f"2026-01-31T12:00:{second:06.3f}Z"
    fact = {"at": at, "index": index, "item": None, "name": name, "event": event, "reason": reason}
    return {**fact, "simulated": False}


def update(*changes: Any, state: str = "RUNNING", total: int = 9, **counts: int) -> dict[str, Any]:
    numbers = {"total": total, "running": 0, "done": 0, "skipped": 0, "failed": 0, "simulated": 0, **counts}
    return {
        "id": "workflow:x",
        "name": "x",
        "state": state,
        "counts": numbers,
        "changes": list(changes),
        "missing_workers": {},
    }


def test_plain_lines_show_steps_with_names_and_failures() -> None:
    screen = terminal()
    with progress_view(screen) as view:
        assert isinstance(view, PlainProgress)
        view.show(update(change(1, 0, "started"), change(1, 0, "ended"), change(1, 1, "started", "A")))
        view.show(update(change(1.5, 1, "ended", "A"), change(1.5, 2, "skipped", "B")))
        view.show(update(change(2, 3, "failed", "", "cannot merge\x1b[2J"), change(2, None, "failed")))
    lines = [line.partition("  ")[2] for line in written(screen.err).splitlines()]
    assert lines == [
        "1 A started",
        "1 A ended after 500 ms",
        "2 B skipped",
        r"3 failed: cannot merge\x1b[2J",
        "workflow:x failed",
    ]


def test_the_board_shows_each_step_with_its_state_and_duration() -> None:
    board = Board()
    board.apply(update(change(1, 0, "started"), change(1, 1, "started", "A"), change(1, 2, "started", "B")))
    board.apply(update(change(1.5, 1, "ended", "A"), change(2, 2, "failed", "B", "no\nway")))
    board.apply(update(change(2, None, "failed"), state="FAILED", done=2, failed=1))
    assert board.lines(terminal(), 24) == [
        "workflow:x  FAILED  3 of 9 steps  1.0 s",
        "    1  A  DONE       500 ms",
        r"    2  B  FAILED      1.0 s  no\nway",
    ]


def test_the_board_keeps_to_its_size_and_shows_the_most_important_steps() -> None:
    board = Board()
    board.apply(update(*(change(1, index, "started", f"task-{index}") for index in range(50)), total=52))
    board.apply(update(*(change(2, index, "ended", f"task-{index}") for index in range(49) if index != 7)))
    board.apply(update(change(3, 3, "failed", "task-3", "z" * 500)))
    for height in range(2, 60):
        lines = board.lines(terminal(), height)
        assert len(lines) <= height
        assert all(display_width(line) < terminal().width for line in lines)
    lines = board.lines(terminal(), 6)
    assert [line.split()[1:3] for line in lines[1:5]] == [
        ["task-3", "FAILED"],
        ["task-7", "RUNNING"],
        ["task-48", "DONE"],
        ["task-49", "RUNNING"],
    ]
    assert lines[5] == "  … and 46 more"


def test_a_step_of_a_loop_is_shown_in_its_current_state() -> None:
    board = Board()
    board.apply(update(change(1, 1, "started", "A"), change(2, 1, "failed", "A", "once")))
    board.apply(update(change(3, 1, "started", "A"), change(7, 1, "ended", "A")))
    assert board.lines(terminal(), 9)[1] == "    1  A  DONE        4.0 s"


def test_the_live_view_leaves_the_last_state_and_shows_the_cursor_again() -> None:
    screen = terminal(LIVE, live=True)
    with progress_view(screen) as view:
        assert isinstance(view, LiveProgress)
        view.show(update(change(1, 1, "started", "A")))
        view.show(update(change(2, 1, "ended", "A"), change(2, None, "finished"), state="FINISHED", done=9))
    drawn = written(screen.err)
    assert drawn.startswith("\x1b[?25l")
    assert drawn.endswith("\x1b[J\x1b[?25h")
    assert "workflow:x  FINISHED  9 of 9 steps  1.0 s\n" in drawn


def test_the_live_view_outlives_its_terminal() -> None:
    class ClosedScreen(Screen):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    with LiveProgress(Terminal(Screen(), ClosedScreen(), BytesIO(), LIVE)) as view:
        view.show(update(change(1, 1, "started", "A")))


MISSING = {
    "img:rezise": {"message": "no live worker does img:rezise\n", "hint": "did you mean b?", "index": 1}
}


def test_plain_lines_say_once_that_no_worker_does_a_task() -> None:
    screen = terminal()
    with progress_view(screen) as view:
        view.show({**update(), "missing_workers": MISSING})
        view.show({**update(), "missing_workers": MISSING})
    assert written(screen.err).splitlines() == [r"lfr: no live worker does img:rezise\n (did you mean b?)"]


def test_the_board_says_that_no_worker_does_a_task_as_long_as_none_does() -> None:
    board = Board()
    board.apply({**update(change(1, 1, "started", "A")), "missing_workers": MISSING})
    assert board.lines(terminal(), 24)[1] == r"  no live worker does img:rezise\n (did you mean b?)"
    for height in range(2, 9):
        assert len(board.lines(terminal(), height)) <= height
    board.apply(update())
    assert len(board.lines(terminal(), 24)) == 2


def test_outputs_and_attempts_are_shown_by_both_views() -> None:
    first = update(change(1, 1, "started", "A"), change(2, 1, "retried", "A", "no disk"))
    again = update(change(3, 1, "started", "A"), change(4, 2, "started", "B"))
    ends = update(change(5, 1, "ended", "A"), change(6, 2, "ended", "B"))
    ends["outputs"] = {"1": '{"width": 7}', "2": 5000}
    screen, board = terminal(), Board()
    with progress_view(screen) as view:
        for each in (first, again):
            view.show(each)
            board.apply(each)
        assert "attempt 2" in board.lines(terminal(), 10)[1]
        view.show(ends)
        board.apply(ends)
    lines = written(screen.err).splitlines()
    assert lines[-2].endswith('A ended after 2.0 s: {"width": 7}')
    assert lines[-1].endswith("B ended after 2.0 s: an output of 4.9 KiB")
    assert any(line.endswith("A started, attempt 2") for line in lines)
    shown = board.lines(terminal(), 10)
    assert shown[1].endswith('attempt 2: {"width": 7}')
    assert shown[2].endswith("an output of 4.9 KiB")
    board.apply(update(change(7, 1, "started", "A")))
    assert "attempt" not in board.lines(terminal(), 10)[1]


def test_a_simulated_step_is_marked() -> None:
    simulated = {**change(2, 1, "ended", "A"), "simulated": True}
    screen = terminal()
    with progress_view(screen) as view:
        view.show(update(simulated))
    assert "A ended (simulated)" in written(screen.err)
    board = Board()
    board.apply(update(change(1, 1, "started", "A"), simulated))
    assert board.lines(terminal(), 10)[1].endswith("  simulated")
