"""A signal that comes at any moment of a command: what CPython makes of its exception changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lfr.cli.signals import ChildDied, Stopped, find_thrown
from lfr.errors import CannotWrite, Conflict

HEAD = """
import os, signal, sys, time
from dataclasses import dataclass, field
from lfr.cli import main as cli
from lfr.cli.signals import raise_when_children_die
from lfr.errors import CannotWrite, Conflict
import lfr.cli.ui.parser, lfr.cli.ui.terminal  # before: code that ends well makes CPython forget an exception
number = int(sys.argv[1])
class Handler:
    def run(self, arguments, terminal):
        terminal.print("begun")
        command()
        terminal.print("ended")
lfr.cli.ui.parser.parse_command_line = lambda words, terminal: (Handler(), None)
"""

COMMANDS = {
    "generated code": """
def command():
    exec("os.kill(os.getpid(), number)")
""",
    "an object that sets its name": """
class Name:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), number)
def command():
    class Owner:
        name = Name()
""",
    "a destructor": """
class Destroyed:
    def __del__(self):
        os.kill(os.getpid(), number)
        len("")  # the handler runs in this method
def command():
    Destroyed()
    time.sleep(60)
""",
}

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def run(folder: Path, command: str, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    (folder / "command.py").write_text(f"{HEAD}{command}\nsys.exit(cli.main(['x']))\n")
    return subprocess.run(
        [sys.executable, "command.py", str(int(number))],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # nohup ignores it
        check=False,
    )


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_a_command_whatever_runs(tmp_path: Path, command: str, number: signal.Signals) -> None:
    done = run(tmp_path, COMMANDS[command], number)
    end = "\n" if number == signal.SIGINT else ""
    assert (done.returncode, done.stdout, done.stderr) == (CODES[number], "begun\n", end)


def test_the_death_of_a_child_in_a_destructor_ends_a_command(tmp_path: Path) -> None:
    command = """
class Destroyed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGCHLD)
        len("")
def command():
    raise_when_children_die(lambda: Conflict("it has died"))
    Destroyed()
    time.sleep(60)
"""
    done = run(tmp_path, command, signal.SIGCHLD)
    assert (done.returncode, done.stdout, done.stderr) == (69, "begun\n", "lfr: it has died\n")


def test_a_clean_up_that_fails_is_told_and_the_signal_gives_the_code(tmp_path: Path) -> None:
    command = """
def command():
    try:
        os.kill(os.getpid(), number)
        time.sleep(60)
    finally:
        raise CannotWrite("it stays")
"""
    done = run(tmp_path, command, signal.SIGTERM)
    assert (done.returncode, done.stderr) == (143, "lfr: it stays\n")


def test_other_lost_exceptions_are_printed(tmp_path: Path) -> None:
    command = """
class Destroyed:
    def __del__(self):
        raise ValueError("lost")
def command():
    Destroyed()
"""
    done = run(tmp_path, command, signal.SIGTERM)
    assert (done.returncode, done.stdout) == (0, "begun\nended\n")
    assert "ValueError: lost" in done.stderr


def test_what_a_signal_has_raised_is_found_behind_other_exceptions() -> None:
    stopped, died = Stopped(143), ChildDied(Conflict("x"))
    turned, later = RuntimeError(), CannotWrite("y")
    turned.__cause__ = stopped
    later.__context__ = turned
    turned.__context__ = later  # a cycle
    assert find_thrown(died) is died
    assert find_thrown(turned) is find_thrown(later) is stopped
    cycle = ValueError()
    cycle.__context__ = cycle
    assert find_thrown(cycle) is None
