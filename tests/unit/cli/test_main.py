"""Command lines: each has help, its examples are right, and what is wrong is one line and a code."""

from __future__ import annotations

import json
import logging
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from lfr.cli.command_table import COMMANDS, GROUPS, Command
from lfr.cli.exit_codes import MEANING, Exit, exit_code
from lfr.cli.main import main
from lfr.cli.ui.parser import make_parser
from lfr.errors import LfrError
from lfr.runtime.role_table import ROLES


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """Commands set up signals and logging for a process of their own."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    root = logging.getLogger()
    logs, level = root.handlers[:], root.level
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    root.handlers[:] = logs
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nothing is configured, and no Redis is asked for."""
    for name in ("LFR_REDIS_URL", "LFR_CONFIG", "REDIS_HOST", "REDIS_PORT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LFR_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_has_help(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command.name, "--help"]) == Exit.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"usage: lfr {command.name} ")
    assert "examples:" in out
    for exit in command.exits:
        assert f"{int(exit):3}  {MEANING[exit]}" in out
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_the_examples_of_the_help_can_be_typed(command: Command) -> None:
    handler = import_module(command.module).HANDLERS[command.name]
    for words, _ in command.examples:
        name, *rest = shlex.split(words)
        assert name == command.name
        make_parser(command, handler).parse_args(rest)


def test_every_command_and_role_is_in_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == main(["help"]) == Exit.OK
    out = capsys.readouterr().out
    for command in COMMANDS.values():
        assert command.group in GROUPS
        assert f"  {command.name} " in out
        assert command.help in out
    assert {role.name for role in ROLES} <= COMMANDS.keys()


def test_help_of_a_command_either_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "run"]) == Exit.OK
    assert capsys.readouterr().out.startswith("usage: lfr run FILE [options]")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["rnu"], Exit.USAGE, "there is no command 'rnu'; did you mean run?"),
        (["help", "rnu"], Exit.USAGE, "there is no command 'rnu'"),
        (["--url", "x", "list"], Exit.USAGE, "--url stands before any command"),
        (["run"], Exit.USAGE, "required: FILE"),
        (["run", "f", "--unknown"], Exit.USAGE, "--unknown"),
        (["run", "f", "--wai"], Exit.USAGE, "--wai"),
        (["run", "f", "--timeout", "1"], Exit.USAGE, "--timeout goes with --wait"),
        (["run", "f", "--json"], Exit.USAGE, "--json goes with --wait"),
        (["run", "f", "--wait", "--timeout", "-1"], Exit.USAGE, "-1 is not a number of seconds"),
        (["run", "f", "--wait", "--timeout", "nan"], Exit.USAGE, "nan is not a number of seconds"),
        (["run", "f", "--local", "--wait"], Exit.USAGE, "--wait does not go with --local"),
        (["run", "f", "--local", "--timeout", "1"], Exit.USAGE, "--timeout does not go with --local"),
        (["run", "f", "--local", "--workflow-id", "x"], Exit.USAGE, "--workflow-id does not go with --local"),
        (
            ["run", "f", "--local", "--url", "x"],
            Exit.USAGE,
            "--url does not go with --local, which asks no Redis",
        ),
        (["run", "f", "--local", "--data", "x"], Exit.USAGE, "--data does not go with --local"),
        (["run", "f", "--local", "--config", "x"], Exit.USAGE, "--config does not go with --local"),
        (["run", "good.flow", "--local", "--input", "7"], Exit.BAD_INPUT, "must be an object or a list"),
        (
            ["run", "good.flow", "--local", "--base", "s3://x/"],
            Exit.BAD_INPUT,
            "the base 's3://x/' cannot be used",
        ),
        (["run", "-", "--input", "@-"], Exit.USAGE, "cannot both come from stdin"),
        (["list", "--limit", "0"], Exit.USAGE, "0 is below 1"),
        (["list", "--data", "x", "--port", "1"], Exit.USAGE, "so does --port"),
        (["end", "id", "name", "first"], Exit.USAGE, "INDEX"),
        (["up", "--port", "65536"], Exit.USAGE, "65536 is no port"),
        (["list", "--port", "many"], Exit.BAD_SETTINGS, "--port: redis.port must be a whole number"),
        (
            ["list", "--log-level", "loud"],
            Exit.BAD_SETTINGS,
            "log.level must be one of DEBUG, INFO, WARNING, ERROR",
        ),
        (["list", "--config", "none.yaml"], Exit.BAD_SETTINGS, "none.yaml"),
        (["list", "--url", "http://x"], Exit.BAD_SETTINGS, "URL of Redis cannot be read"),
        (["list", "--data", "nowhere"], Exit.UNREACHABLE, "nothing runs in nowhere"),
        (
            ["list", "--url", "unix:///nowhere.sock"],
            Exit.UNREACHABLE,
            "no Redis answers at unix:///nowhere.sock",
        ),
        (["list", "--state", "bored"], Exit.BAD_INPUT, "there is no state BORED"),
        (["run", "none.flow"], Exit.NOT_FOUND, "none.flow: there is no such file"),
        (["run", "a\x00b"], Exit.NOT_FOUND, "there is no such file"),
        (["run", "."], Exit.BAD_INPUT, "this is a folder"),
        (["run", "good.flow", "--input", "{"], Exit.BAD_INPUT, "--input:1:2: not JSON"),
        (["run", "good.flow", "--input", "{'a': 1}"], Exit.BAD_INPUT, "double quotes"),
        (["run", "good.flow", "--input", "7"], Exit.BAD_INPUT, "must be an object or a list"),
        (["run", "good.flow", "--input", "[NaN]"], Exit.BAD_INPUT, "--input: not JSON"),
        (["run", "good.flow", "--input", "@none"], Exit.NOT_FOUND, "none: there is no such file"),
        (["run", "good.flow", "--input", "@bad.json"], Exit.BAD_INPUT, "bad.json:3:2: not JSON"),
        (["run", "good.flow", "--workflow-id", "a b"], Exit.BAD_INPUT, "'a b' cannot be a workflow's id"),
        (["inspect", "a b"], Exit.BAD_INPUT, "cannot be a workflow's id"),
        (["event", "x", "--data", "[1]"], Exit.BAD_INPUT, "--data must be an object"),
        (["end", "id", "name", "1", "--output", "{"], Exit.BAD_INPUT, "--output:1:2: not JSON"),
        (["simulate", "--failures", "101"], Exit.BAD_INPUT, "must be a percentage"),
        (["receipts", "--to", "/nowhere/log"], Exit.CANNOT_WRITE, "cannot append to /nowhere/log"),
        (["up", "--data", "good.flow"], Exit.CANNOT_WRITE, "cannot keep data in"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_code(
    words: list[str], code: Exit, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.flow").write_text("a -> b")
    (tmp_path / "bad.json").write_text('\n{"a": 1\n "b": 2}')
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lfr: ")
    assert message in err
    assert err.count("\n") == 1


def test_the_errors_of_a_flow_stand_as_editors_want_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(tmp_path, "bad.flow").write_text("a -> b\nc ->\n")
    assert main(["graph", "bad.flow"]) == Exit.BAD_INPUT
    first, line, caret = capsys.readouterr().err.splitlines()
    assert first.startswith("bad.flow:2:")
    assert (line.strip(), caret.strip()) == ("c ->", "^")


def test_a_flow_that_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(tmp_path, "good.flow").write_text("@flow nightly\na -> b")
    assert main(["graph", "good.flow", "--vertical"]) == Exit.OK
    assert capsys.readouterr().out.startswith("flowchart TB\n")


def test_config_masks_secrets_and_says_where_values_come_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    assert main(["config", "--url", "redis://ann:secret@h:1"]) == Exit.OK
    assert main(["config", "--host", "h", "--json"]) == Exit.OK
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    assert "secret" not in (out + err).replace("secrets", "")
    assert "not used: redis.url" in out
    assert '"origin": "$REDIS_PASSWORD"' in out
    assert '"origin": "--host"' in out


def test_config_shows_lists(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LFR_RESOURCES_ALLOW", "/srv http://h/")
    assert main(["config"]) == Exit.OK
    assert "/srv, http://h/" in capsys.readouterr().out
    assert main(["config", "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)["resources.allow"]
    assert told == {"value": ["/srv", "http://h/"], "origin": "$LFR_RESOURCES_ALLOW"}


def test_a_defect_asks_for_a_report_and_shows_its_place_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise KeyError("lost\nfound")

    monkeypatch.setattr("lfr.cli.main._run", broken)
    assert main(["list"]) == Exit.DEFECT
    err = capsys.readouterr().err
    assert "KeyError" in err and "report" in err
    assert err.count("\n") == 1
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert main(["list"]) == Exit.DEFECT
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("lfr.cli.main._run", interrupted)
    assert main(["list"]) == Exit.INTERRUPTED


def test_every_exit_code_has_a_meaning_and_none_is_systemds() -> None:
    assert set(MEANING) == set(Exit)
    assert not [code for code in Exit if 200 <= code <= 244 or code >= 255]


def test_every_class_of_errors_has_its_own_code() -> None:
    classes = LfrError.__subclasses__()
    own = [kind for kind in classes if kind.__module__ == "lfr.errors"]
    codes = [exit_code(kind("x")) for kind in own]
    assert len(set(codes)) == len(own)
    assert Exit.DEFECT not in codes


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_version_costs_no_imports(words: list[str]) -> None:
    heavy = {"redis", "rqse", "yaml", "argparse", "dataclasses", "logging", "json", "asyncio"}
    script = (
        "import sys; from lfr.__main__ import main; code = main();"
        f"sys.exit(code or ' '.join(sys.modules.keys() & {heavy!r}) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, *words],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lfr ")
