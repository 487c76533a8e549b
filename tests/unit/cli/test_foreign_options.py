"""Options and commands of littleflow_redis and littleflow: a sentence says what there is in their place."""

from __future__ import annotations

import pytest

from lfr.cli.exit_codes import ExitCode
from lfr.cli.main import main
from lfr.cli.ui.foreign_options import FOREIGN_COMMANDS, split_foreign_options
from lfr.cli.ui.parser import parse_command_line
from tests.support.screens import terminal, written

WORKER = [
    *("--group", "ending", "--lifecycle-group=lifecycle", "--workflows", "workflows:all"),
    *("--inprogress", "x", "--host", "h"),
]


def test_options_that_change_nothing_are_left_out_and_named() -> None:
    screen = terminal()
    call = parse_command_line(["worker", *WORKER], screen)
    assert call is not None
    assert call[1].redis_host == "h"
    lines = written(screen.err).splitlines()
    assert [line.split()[1] for line in lines] == [
        "--group",
        "--lifecycle-group",
        "--workflows",
        "--inprogress",
    ]
    assert all(line.startswith("lfr: ") and "is ignored" in line for line in lines)


def test_a_numbered_role_has_the_options_of_its_role() -> None:
    screen = terminal()
    assert parse_command_line(["worker.2", "--group", "x"], screen) is not None
    assert "--group is ignored" in written(screen.err)


@pytest.mark.parametrize(
    ("command", "words", "remaining"),
    [
        ("worker", ["--group"], []),
        ("worker", ["--", "--group", "x"], ["--", "--group", "x"]),
        ("simulate", ["--group", "x", "--failures", "5"], ["--failures", "5"]),
        ("simulate", ["--workflows", "x"], ["--workflows", "x"]),
        ("tasks", ["a.py", "--group", "x"], ["a.py", "--group", "x"]),
        ("run", ["a.flow", "--limit", "5"], ["a.flow"]),
    ],
)
def test_which_words_remain(command: str, words: list[str], remaining: list[str]) -> None:
    assert split_foreign_options(command, words).words == remaining


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["worker", "--issuer", "key.json"],
            "--issuer is the setting request.issuer: set ISSUER",
        ),
        (["run", "a.flow", "--show-cache"], "--show-cache is lfr run --local --json"),
        *(([name], f"there is no command {name!r}: lfr ") for name in FOREIGN_COMMANDS),
    ],
)
def test_what_cannot_be_ignored_says_what_there_is(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert sentence in err
    assert "unrecognized" not in err
