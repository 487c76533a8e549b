"""Command lines: help, examples, and for each error one line and an exit code."""

from __future__ import annotations

import json
import logging
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lfr.cli import commands
from lfr.cli.command_table import COMMANDS, GROUPS, Command
from lfr.cli.exit_codes import MEANINGS, ExitCode, exit_code
from lfr.cli.main import main
from lfr.cli.ui.parser import load_handler, make_parser
from lfr.errors import LfrError
from lfr.runtime.role_table import ROLES


@pytest.fixture(autouse=True)
def _restore_signals_and_logging() -> Iterator[None]:
    """Restore the signal handlers and the logging that commands set up for their process."""
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
def _without_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run without any configuration."""
    for name in ("LFR_REDIS_URL", "LFR_CONFIG", "REDIS_HOST", "REDIS_PORT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LFR_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_has_help(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command.name, "--help"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"usage: lfr {command.name} ")
    assert "examples:" in out
    for code in load_handler(command).exit_codes:
        assert f"{int(code):3}  {MEANINGS[code]}" in out
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_the_examples_of_the_help_can_be_typed(command: Command) -> None:
    handler = load_handler(command)
    for words, _ in handler.examples:
        name, *rest = shlex.split(words)
        assert name == command.name
        if not handler.passes_on:
            make_parser(command, handler).parse_args(rest)


def test_every_command_and_role_is_in_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == main(["help"]) == ExitCode.OK
    out = capsys.readouterr().out
    for command in COMMANDS.values():
        assert command.group in GROUPS
        assert f"  {command.name} " in out
        assert command.help in out
    assert {role.name for role in ROLES} <= COMMANDS.keys()


def test_every_command_but_the_roles_has_a_module_of_its_name() -> None:
    modules = {path.stem for path in Path(commands.__file__).parent.glob("*.py")}
    words = COMMANDS.keys() - {role.name for role in ROLES if not role.has_command}
    assert modules == words | {"__init__", "roles", "run_local"}


@pytest.mark.parametrize(
    "usage",
    ["check FILE ...", "console [HOST[:PORT]]", "units [FILE]", "end ID NAME INDEX", "inspect ID [INDEX]"],
)
def test_the_usage_marks_what_is_optional_or_repeated(usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([usage.split()[0], "--help"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith(f"usage: lfr {usage} [options]\n")


@pytest.mark.parametrize(
    "words", [["units"], ["units", "lfr@.service"], ["version"], ["config"], ["graph", "good.flow"]]
)
def test_what_a_command_prints_is_there_as_json(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.flow").write_text("a -> b")
    assert main([*words, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)


def test_every_command_that_prints_data_has_json() -> None:
    others = {"fmt", "trace", "up", "demo", "install", "mend", "uninstall", "tasks", "python", "completion"}
    roles = {role.name for role in ROLES if not role.has_command}  # fmt prints flow texts, trace JSON
    for command in COMMANDS.values():
        flags = make_parser(command, load_handler(command))._option_string_actions
        assert ("--json" in flags) == (command.name not in others | roles), command.name


def test_help_of_a_command_either_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "run"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("usage: lfr run [FILE] [options]")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["rnu"], ExitCode.USAGE, "there is no command 'rnu'; did you mean run?"),
        (["help", "rnu"], ExitCode.USAGE, "there is no command 'rnu'"),
        (["--url", "x", "list"], ExitCode.USAGE, "--url stands before the command"),
        (["run"], ExitCode.USAGE, "run needs FILE, or --flow NAME"),
        (["run", "f", "--unknown"], ExitCode.USAGE, "--unknown"),
        (["run", "f", "--wai"], ExitCode.USAGE, "--wai"),
        (["run", "f", "--timeout", "1"], ExitCode.USAGE, "--timeout goes with --wait"),
        (
            ["run", "f", "--wait", "--timeout", "-1"],
            ExitCode.USAGE,
            "-1 is not a number of seconds, or a text",
        ),
        (
            ["run", "f", "--wait", "--timeout", "nan"],
            ExitCode.USAGE,
            "nan is not a number of seconds, or a text",
        ),
        (["run", "f", "--local", "--wait"], ExitCode.USAGE, "--wait does not go with --local"),
        (["run", "f", "--local", "--timeout", "1"], ExitCode.USAGE, "--timeout does not go with --local"),
        (
            ["run", "f", "--local", "--workflow-id", "x"],
            ExitCode.USAGE,
            "--workflow-id does not go with --local",
        ),
        (
            ["run", "f", "--local", "--url", "x"],
            ExitCode.USAGE,
            "--url does not go with --local, which uses no Redis",
        ),
        (["run", "f", "--local", "--data", "x"], ExitCode.USAGE, "--data does not go with --local"),
        (["run", "f", "--local", "--config", "x"], ExitCode.USAGE, "--config does not go with --local"),
        (
            ["run", "good.flow", "--local", "--base", "s3://x/"],
            ExitCode.BAD_INPUT,
            "the base 's3://x/' cannot be used",
        ),
        (["run", "-", "--input", "@-"], ExitCode.USAGE, "cannot both come from stdin"),
        (["list", "--limit", "0"], ExitCode.USAGE, "0 is not a whole number, 1 to 1000000"),
        (["list", "--data", "x", "--port", "1"], ExitCode.USAGE, "so does --port"),
        (["end", "id", "name", "first"], ExitCode.USAGE, "INDEX"),
        (["up", "--port", "65536"], ExitCode.USAGE, "65536 is not a port, 1 to 65535"),
        (["list", "--port", "many"], ExitCode.BAD_SETTINGS, "--port: redis.port must be a whole number"),
        (
            ["list", "--log-level", "loud"],
            ExitCode.BAD_SETTINGS,
            "log.level must be one of DEBUG, INFO, WARNING, ERROR",
        ),
        (["list", "--config", "none.yaml"], ExitCode.BAD_SETTINGS, "none.yaml"),
        (["list", "--url", "http://x"], ExitCode.BAD_SETTINGS, "URL of Redis must begin with redis://"),
        (["list", "--url", "redis://h/x"], ExitCode.BAD_SETTINGS, "the path /x, which is no number"),
        (["list", "--url", "redis://h?x=1"], ExitCode.BAD_SETTINGS, "has the unknown option x"),
        (["list", "--host", "a..b"], ExitCode.BAD_SETTINGS, "must be a host name or an IP address"),
        (["list", "--password", "\udcff"], ExitCode.BAD_SETTINGS, "must be text in UTF-8"),
        (["api", "a..b:0"], ExitCode.BAD_INPUT, "its host must be a host name or an IP address"),
        (["tasks", "x.py", "--concurrency", "9" * 30], ExitCode.USAGE, "is not a whole number, 1 to 1000000"),
        (["list", "--limit=--"], ExitCode.USAGE, "--limit: -- is not a value"),
        (["tasks", "loop"], ExitCode.NOT_FOUND, "there is no such file"),
        (["list", "--data", "nowhere"], ExitCode.UNREACHABLE, "no lfr up runs in nowhere"),
        (
            ["list", "--url", "unix:///nowhere.sock"],
            ExitCode.UNREACHABLE,
            "no Redis answers at unix:///nowhere.sock",
        ),
        (["list", "--state", "bored"], ExitCode.BAD_INPUT, "there is no state BORED"),
        (["run", "none.flow"], ExitCode.NOT_FOUND, "none.flow: there is no such file"),
        (["run", "a\x00b"], ExitCode.NOT_FOUND, "there is no such file"),
        (["run", "."], ExitCode.BAD_INPUT, "this is a folder"),
        (["run", "good.flow", "--input", "{"], ExitCode.BAD_INPUT, "--input:1:2: not JSON"),
        (["run", "good.flow", "--input", "{'a': 1}"], ExitCode.BAD_INPUT, "double quotes"),
        (["run", "good.flow", "--input", "[NaN]"], ExitCode.BAD_INPUT, "--input: not JSON"),
        (["run", "good.flow", "--input", "@none"], ExitCode.NOT_FOUND, "none: there is no such file"),
        (["run", "good.flow", "--input", "@bad.json"], ExitCode.BAD_INPUT, "bad.json:3:2: not JSON"),
        (["run", "good.flow", "--workflow-id", "a b"], ExitCode.BAD_INPUT, "'a b' cannot be a workflow's id"),
        (["inspect", "a b"], ExitCode.BAD_INPUT, "cannot be a workflow's id"),
        (["event", "x", "--data", "[1]"], ExitCode.BAD_INPUT, "--data must be an object"),
        (["end", "id", "name", "1", "--output", "{"], ExitCode.BAD_INPUT, "--output:1:2: not JSON"),
        (["simulate", "--failures", "101"], ExitCode.BAD_INPUT, "must be a percentage"),
        (["receipts", "--to", "/nowhere/log"], ExitCode.CANNOT_WRITE, "cannot append to /nowhere/log"),
        (["up", "--data", "good.flow"], ExitCode.CANNOT_WRITE, "cannot keep data in"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    words: list[str], code: ExitCode, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.flow").write_text("a -> b")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "bad.json").write_text('\n{"a": 1\n "b": 2}')
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lfr: ")
    assert message in err
    assert err.count("\n") == 1


def test_the_errors_of_a_flow_keep_their_lines_for_editors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(tmp_path, "bad.flow").write_text("a -> b\nc ->\n")
    assert main(["graph", "bad.flow"]) == ExitCode.BAD_INPUT
    first, line, caret = capsys.readouterr().err.splitlines()
    assert first.startswith("bad.flow:2:")
    assert (line.strip(), caret.strip()) == ("c ->", "^")


def test_a_flow_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(tmp_path, "good.flow").write_text("@flow nightly\na -> b")
    assert main(["graph", "good.flow", "--vertical"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("flowchart TB\n")


def test_config_masks_secrets_and_shows_origins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "hunter2")
    assert main(["config", "--url", "redis://ann:sesame@h:1"]) == ExitCode.OK
    assert main(["config", "--host", "h", "--json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    assert "sesame" not in out + err
    assert "not used: redis.url" in out
    assert '"origin": "$REDIS_PASSWORD"' in out
    assert '"origin": "--host"' in out


def test_config_shows_lists(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LFR_RESOURCES_ALLOW", "/srv http://h/")
    assert main(["config"]) == ExitCode.OK
    assert "/srv, http://h/" in capsys.readouterr().out
    assert main(["config", "--json"]) == ExitCode.OK
    setting = json.loads(capsys.readouterr().out)["resources.allow"]
    assert setting == {"value": ["/srv", "http://h/"], "origin": "$LFR_RESOURCES_ALLOW"}


def test_a_defect_asks_for_a_report_and_shows_its_place_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise KeyError("lost\nfound")

    monkeypatch.setattr("lfr.cli.main._run", broken)
    assert main(["list"]) == ExitCode.DEFECT
    err = capsys.readouterr().err
    assert "KeyError" in err and "report" in err
    assert err.count("\n") == 1
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert main(["list"]) == ExitCode.DEFECT
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("lfr.cli.main._run", interrupted)
    assert main(["list"]) == ExitCode.INTERRUPTED


def test_every_exit_code_has_a_meaning_and_none_is_systemds() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert not [code for code in ExitCode if 200 <= code <= 244 or code >= 255]


def test_every_class_of_errors_has_its_own_code() -> None:
    classes = LfrError.__subclasses__()
    own = [kind for kind in classes if kind.__module__ == "lfr.errors"]
    codes = [exit_code(kind("x")) for kind in own]
    assert len(set(codes)) == len(own)
    assert ExitCode.DEFECT not in codes


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


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "lfr: there is not enough memory\n"),
        (RuntimeError("can't start new thread"), "lfr: no more threads can be started\n"),
        (OSError(24, "Too many open files"), "lfr: Too many open files\n"),
        (PermissionError(13, "Permission denied", "/x\n"), "lfr: /x\\n: Permission denied\n"),
        (FileNotFoundError(2, "No such file or directory"), "lfr: No such file or directory\n"),
    ],
)
def test_what_the_system_refuses_is_no_defect(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise error

    monkeypatch.setattr("lfr.cli.main._run", broken)
    assert main(["list"]) == ExitCode.SYSTEM
    assert capsys.readouterr().err == message


def test_config_masks_passwords_in_urls_of_lists(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LFR_RESOURCES_ALLOW", "http://ann:Sekret@h/ http://ann:p/Sekret@h http://h/@scope/")
    monkeypatch.setenv("LFR_REQUEST_URLS", "global.base=https://ann:Sekret@h:1/x")
    assert main(["config"]) == main(["config", "--json"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert "Sekret" not in out and "http://********@h" in out and "http://h/@scope/" in out
