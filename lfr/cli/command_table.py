"""Lists the commands: name, group and one line of help.

Imports no command. `lfr --help` prints this table. The module that has the name of the command is imported
when the command is used: its `HANDLER` does the rest. The roles share the module `roles`.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple

from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.terminal import Terminal
from lfr.runtime.role_table import ROLES


class Handler(NamedTuple):
    """The part of a command that stands in its module.

    add_arguments  adds the options and arguments of the command to its parser
    run            runs the command and returns its exit code; None: OK
    description    the text of the command's own help, after the line of the table
    examples       command lines without `lfr`, each with its purpose, which may be empty
    exit_codes     the exit codes that the help lists, without those that every command has
    passes_on      whether all words after the command are `arguments`, whatever they begin with
    """

    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Terminal], int | None]
    description: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    exit_codes: tuple[ExitCode, ...] = ()
    passes_on: bool = False


class Command(NamedTuple):
    """A row of the table."""

    name: str
    group: str
    help: str


WORKFLOWS, FLOWS, ROLE, SETUP = "Workflows", "Flows", "Roles", "Setup"
GROUPS = (WORKFLOWS, FLOWS, ROLE, SETUP)

_ROWS = (
    Command("run", WORKFLOWS, "start a workflow"),
    Command("follow", WORKFLOWS, "follow a workflow to its end"),
    Command("inspect", WORKFLOWS, "show a workflow and each of its steps, or one step whole"),
    Command("logs", WORKFLOWS, "show what the tasks of a workflow have printed and logged"),
    Command("why", WORKFLOWS, "say why a workflow or a step stands, and what to do"),
    Command("list", WORKFLOWS, "list workflows, newest first"),
    Command("failures", WORKFLOWS, "group failed workflows by flow, step and reason"),
    Command("compare", WORKFLOWS, "compare two workflows: input, output, and what became of each step"),
    Command("end", WORKFLOWS, "complete a task by hand, in place of its worker"),
    Command("waiting", WORKFLOWS, "list who waits, for what, since when and until when"),
    Command("workers", WORKFLOWS, "list the tasks by name: who does each, what waits, what nobody does"),
    Command("trace", WORKFLOWS, "print the spans of a workflow, as OpenTelemetry has them"),
    Command("event", WORKFLOWS, "send an event"),
    Command("events", WORKFLOWS, "list events: of the stream, of a queue, or buffered for waits"),
    Command("dead", WORKFLOWS, "list dead letters, put their events back, or dismiss them"),
    Command("latches", WORKFLOWS, "list latches with their waiters, or reset one to zero"),
    Command("terminate", WORKFLOWS, "stop a workflow"),
    Command("restart", WORKFLOWS, "continue a failed or terminated workflow"),
    Command("pause", WORKFLOWS, "start nothing new: of a workflow, a flow, a task, or at all"),
    Command("resume", WORKFLOWS, "end a pause"),
    Command("delete", WORKFLOWS, "delete workflows that have ended"),
    Command("prune", WORKFLOWS, "delete all workflows that ended long ago"),
    Command("archive", WORKFLOWS, "write a workflow to one JSON document"),
    Command("restore", WORKFLOWS, "create a workflow from an archive"),
    Command("retry", WORKFLOWS, "start a new attempt of a task"),
    Command("skip", WORKFLOWS, "continue without a task"),
    Command("fail", WORKFLOWS, "make a running task fail"),
    Command("apply", FLOWS, "store flows under their names, in numbered versions"),
    Command("flows", FLOWS, "list the stored flows, or show one with its versions"),
    Command("runs", FLOWS, "show the latest runs of a flow, step by step"),
    Command("schedule", FLOWS, "list schedules, or show, make, pause, trigger or remove one"),
    Command("check", FLOWS, "report errors and warnings in flow texts"),
    Command("graph", FLOWS, "draw a flow as mermaid, Graphviz DOT, JSON or SVG"),
    Command("fmt", FLOWS, "format flow texts in the canonical layout"),
    *(Command(role.name, ROLE, role.help) for role in ROLES),
    Command("tasks", ROLE, "runs the tasks of a Python file"),
    Command("up", SETUP, "run the bundled Valkey and all roles, with the data in one folder"),
    Command("demo", SETUP, "run an example for some seconds and leave nothing behind"),
    Command("doctor", SETUP, "examine Redis, groups and workflows, and mend what is safe to mend"),
    Command("mend", SETUP, "cut a damaged end off the append-only file of Valkey"),
    Command("install", SETUP, "install lfr as services: systemd units, users, folders"),
    Command("uninstall", SETUP, "stop the services and remove what lfr install wrote"),
    Command("units", SETUP, "list the files that lfr install writes, or print one"),
    Command("status", SETUP, "show the state of roles, stream and this host's units"),
    Command("token", SETUP, "print the token of the API or a link to the console; named tokens"),
    Command("config", SETUP, "show each setting with its value and its origin"),
    Command("python", SETUP, "run Python with lfr among its modules"),
    Command("completion", SETUP, "print the completion of command lines for a shell"),
    Command("version", SETUP, "print the version"),
)

COMMANDS: dict[str, Command] = {command.name: command for command in _ROWS}
"""Every command by its name, in the order of the overview."""
