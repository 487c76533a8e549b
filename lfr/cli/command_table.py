"""Lists the commands: name, group, module and one line of help.

Imports no command. `lfr --help` prints this table; the module of a command is imported when that command is
used. The module has `HANDLERS`: by the name of the command, its `Handler`.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.terminal import Terminal
from lfr.runtime.role_table import ROLES


class Handler(NamedTuple):
    """The part of a command that stands in its module.

    add_arguments  adds the options and arguments of the command to its parser
    run            runs the command and returns its exit code
    description    the text of the command's own help, after the line of the table
    examples       command lines without `lfr`, each with its purpose, which may be empty
    exit_codes     the exit codes that the help lists, without those that every command has
    """

    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Terminal], int]
    description: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    exit_codes: tuple[ExitCode, ...] = ()


Handlers: TypeAlias = dict[str, Handler]


class Command(NamedTuple):
    """A row of the table. `module` is the module's name in `lfr.cli.commands`."""

    name: str
    group: str
    module: str
    help: str


WORKFLOWS, FLOWS, ROLE, SETUP = "Workflows", "Flows", "Roles", "Setup"
GROUPS = (WORKFLOWS, FLOWS, ROLE, SETUP)

_ROWS = (
    Command("run", WORKFLOWS, "run", "start a workflow"),
    Command("inspect", WORKFLOWS, "inspect_list", "show a workflow and each of its steps"),
    Command("list", WORKFLOWS, "inspect_list", "list workflows, newest first"),
    Command("end", WORKFLOWS, "end_event", "complete a task by hand, in place of its worker"),
    Command("event", WORKFLOWS, "end_event", "send an event"),
    Command("latches", WORKFLOWS, "latches", "list latches with their waiters, or reset one to zero"),
    Command("terminate", WORKFLOWS, "interventions", "stop a workflow"),
    Command("restart", WORKFLOWS, "interventions", "continue a failed or terminated workflow"),
    Command("delete", WORKFLOWS, "interventions", "delete workflows that have ended"),
    Command("archive", WORKFLOWS, "archive_restore", "write a workflow to one JSON document"),
    Command("restore", WORKFLOWS, "archive_restore", "create a workflow from an archive"),
    Command("retry", WORKFLOWS, "interventions", "start a new attempt of a task"),
    Command("skip", WORKFLOWS, "interventions", "continue without a task"),
    Command("fail", WORKFLOWS, "interventions", "make a running task fail"),
    Command("check", FLOWS, "flow_texts", "report errors and warnings in flow texts"),
    Command("graph", FLOWS, "flow_texts", "draw a flow as mermaid, Graphviz DOT, JSON or SVG"),
    Command("fmt", FLOWS, "flow_texts", "format flow texts in the canonical layout"),
    *(Command(role.name, ROLE, "roles", role.help) for role in ROLES),
    Command("tasks", ROLE, "tasks", "runs the tasks of a Python file"),
    Command("up", SETUP, "up", "run the bundled Valkey and all roles, with the data in one folder"),
    Command("demo", SETUP, "demo", "run an example for some seconds and leave nothing behind"),
    Command("install", SETUP, "services", "install lfr as services: systemd units, users, folders"),
    Command("uninstall", SETUP, "services", "stop the services and remove what lfr install wrote"),
    Command("units", SETUP, "services", "list the files that lfr install writes, or print one"),
    Command("status", SETUP, "status", "show the state of roles, stream and this host's units"),
    Command("config", SETUP, "config", "show each setting with its value and its origin"),
    Command("version", SETUP, "config", "print the version"),
)

COMMANDS: dict[str, Command] = {command.name: command for command in _ROWS}
"""Every command by its name, in the order of the overview."""
