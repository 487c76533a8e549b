"""`lfr check`: its output for people and for editors, and its exit codes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr.cli.command_table import COMMANDS
from lfr.cli.commands import check, run
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.parser import make_parser
from lfr.cli.ui.terminal import Terminal
from lfr.language import check_flow


class Session:
    """`lfr check` on a terminal of its own."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    def run(self, *words: str, stdin: bytes = b"") -> int:
        terminal = Terminal(self.out, self.err, io.BytesIO(stdin))
        parser = make_parser(COMMANDS["check"], check.HANDLER)
        return check.HANDLER.run(parser.parse_args(words), terminal)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.chdir(tmp_path)
    Path("good.flow").write_text("@flow nightly\na -> b")
    Path("doubtful.flow").write_text("a :x -> b\nc -> :start")
    Path("bad.flow").write_text("a -> -> b\nc ->\n")
    Path("latin.flow").write_bytes(b"a\n# caf\xe9")
    yield Session()


def test_a_flow_that_is_right(session: Session) -> None:
    assert session.run("good.flow") == ExitCode.OK
    assert session.out.getvalue() == "good.flow: ok (nightly): 4 steps, 2 of them tasks\n"
    assert session.err.getvalue() == ""


def test_errors_go_to_stdout(session: Session) -> None:
    assert session.run("bad.flow") == ExitCode.BAD_INPUT
    assert session.out.getvalue().splitlines()[:3] == [
        "bad.flow:1:6: expected a task or a subflow, found an arrow (something is missing before it)",
        "    a -> -> b",
        "         ^",
    ]
    assert "bad.flow:2:5: " in session.out.getvalue()
    assert session.err.getvalue() == ""


def test_an_error_of_a_flow_that_compiles_fails(session: Session) -> None:
    Path("dely.flow").write_text("a -> wait:dely (- duration: 1 -)")
    assert session.run("dely.flow") == ExitCode.BAD_INPUT
    headline = session.out.getvalue().splitlines()[0]
    assert headline.startswith("dely.flow:1:6: there is no task wait:dely in lfr")
    assert headline.endswith("(did you mean wait:delay?)")
    terminal = Terminal(io.StringIO(), session.err, io.BytesIO())
    run.print_warnings(check_flow("wait:dely").diagnostics, terminal)
    assert session.err.getvalue().startswith("lfr: FLOW:1:1: warning: there is no task wait:dely")


def test_warnings_alone_fail_only_with_strict(session: Session) -> None:
    assert session.run("doubtful.flow") == ExitCode.OK
    lines = session.out.getvalue().splitlines()
    assert lines[0] == "doubtful.flow:1:3: warning: nothing uses :x (remove it)"
    assert lines[-1] == "doubtful.flow: ok, 2 warnings: 5 steps, 3 of them tasks"
    assert session.run("doubtful.flow", "--strict") == ExitCode.BAD_INPUT
    assert session.run("good.flow", "--strict") == ExitCode.OK


def test_several_files_and_one_that_is_missing(session: Session) -> None:
    assert session.run("none.flow", "bad.flow", "good.flow") == ExitCode.NOT_FOUND
    assert session.run("good.flow", "bad.flow", "none.flow") == ExitCode.BAD_INPUT
    assert session.err.getvalue() == "lfr: none.flow: there is no such file\n" * 2
    assert session.out.getvalue().count("good.flow: ok") == 2


def test_json_for_editors(session: Session) -> None:
    assert session.run("--json", "good.flow", "bad.flow", "doubtful.flow", "latin.flow") == ExitCode.BAD_INPUT
    diagnostics = json.loads(session.out.getvalue())
    assert diagnostics[0] == {
        "file": "bad.flow",
        "line": 1,
        "column": 6,
        "end_column": 8,
        "severity": "error",
        "message": "expected a task or a subflow, found an arrow",
        "hint": "something is missing before it",
    }
    assert [(each["file"], each["severity"], each["line"]) for each in diagnostics[1:]] == [
        ("bad.flow", "error", 2),
        ("doubtful.flow", "warning", 1),
        ("doubtful.flow", "warning", 2),
        ("latin.flow", "error", 2),
    ]
    assert [each["message"] for each in diagnostics if each["file"] == "latin.flow"] == [
        "this is not UTF-8 text: byte 0xe9"
    ]


def test_json_of_what_is_right_is_an_empty_list(session: Session) -> None:
    assert session.run("--json", "-", stdin=b"\xef\xbb\xbfa -> b") == ExitCode.OK
    assert json.loads(session.out.getvalue()) == []


def test_a_flow_from_stdin(session: Session) -> None:
    assert session.run("-", stdin=b"a\xff") == ExitCode.BAD_INPUT
    assert session.out.getvalue().startswith("stdin:1:2: this is not UTF-8 text: byte 0xff")


def test_other_commands_print_some_warnings_in_a_line_each() -> None:
    err = io.StringIO()
    terminal = Terminal(io.StringIO(), err, io.BytesIO())
    run.print_warnings(check_flow("; ".join(f"a :x{number}" for number in range(8))).diagnostics, terminal)
    lines = err.getvalue().splitlines()
    assert lines[0] == "lfr: FLOW:1:3: warning: nothing uses :x0 (remove it)"
    assert lines[5:] == ["lfr: and 3 more warnings (lfr check shows all)"]


def test_run_prints_warnings_on_stderr_alone(session: Session) -> None:
    Path("doubtful.flow").write_text("a :x -> b")
    terminal = Terminal(session.out, session.err, io.BytesIO())
    parser = make_parser(COMMANDS["run"], run.HANDLER)
    assert run.HANDLER.run(parser.parse_args(["doubtful.flow", "--local"]), terminal) == ExitCode.OK
    assert session.out.getvalue() == "{}\n"
    assert session.err.getvalue().startswith("lfr: doubtful.flow:1:3: warning: nothing uses :x (remove it)\n")
