"""The commands: name, group, help, examples, exit codes that matter, and where each is.

Imports none of them: `lfr --help` is drawn from this table, and a command's module is imported when it
is used. Such a module has `HANDLERS`: by the command's name, how its arguments are declared and what
runs it.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from lfr.cli.exit_codes import Exit
from lfr.cli.ui.terminal import Terminal
from lfr.runtime.role_table import ROLES


class Handler(NamedTuple):
    """How a command declares its arguments, and what runs it and gives the exit code."""

    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Terminal], int]


Handlers: TypeAlias = dict[str, Handler]


class Command(NamedTuple):
    """One command.

    help      a line, for the overview
    about     what more there is to know, for its own help
    examples  command lines without `lfr`, each with what it does, or empty
    exits     the exit codes that matter besides 0 and those that every command has
    """

    name: str
    group: str
    module: str
    help: str
    about: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    exits: tuple[Exit, ...] = ()


LOOK, FLOWS, ROLE, SETUP = "Run and look", "Flows", "Roles", "Set-up"
GROUPS = (LOOK, FLOWS, ROLE, SETUP)

OF_REDIS = (Exit.UNREACHABLE, Exit.REFUSED, Exit.BAD_SETTINGS)
"""The exit codes of every command that talks to Redis."""

_WORKFLOWS = (
    Command(
        "run",
        LOOK,
        "lfr.cli.commands.run",
        "start a workflow",
        "Compiles FILE, starts a workflow of it and prints the workflow's id on stdout, and nothing else "
        "there. With --wait it follows the workflow on stderr until it has ended, and its exit code says "
        "how it ended; interrupted or timed out, the workflow goes on. With --local the flow is run in this "
        "process, without Redis: each task gives back its input, its start is told on stderr, and the result "
        "is printed on stdout. Files are loaded; nothing is stored, sent, fetched or waited for.",
        (
            ("run build.flow", "start it and go"),
            ('run build.flow --input \'{"branch": "main"}\' --wait', "start it and look on"),
            ("run build.flow --input @input.json --wait --json", "for a script"),
            ("run build.flow --workflow-id nightly-2026-01-31", "started once, however often it is run"),
            ("run -", "the flow comes from stdin"),
            ("run build.flow --local --input '{}'", "try it out: no Redis, no workers"),
        ),
        (
            Exit.FAILED,
            Exit.TERMINATED,
            Exit.TIMED_OUT,
            Exit.BAD_INPUT,
            Exit.NOT_FOUND,
            Exit.CONFLICT,
            *OF_REDIS,
        ),
    ),
    Command(
        "inspect",
        LOOK,
        "lfr.cli.commands.inspect",
        "show a workflow and every step of it",
        "Tells a workflow's state, its input and output, and of each step the state, times, attempt, and "
        "output or reason. ID may stand without `workflow:`.",
        (
            ("inspect workflow:build-5f0c", ""),
            ("inspect build-5f0c --all", "with the history"),
            ("inspect build-5f0c --json", "one JSON object, nothing cut"),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, *OF_REDIS),
    ),
    Command(
        "list",
        LOOK,
        "lfr.cli.commands.inspect",
        "list workflows, newest first",
        "",
        (
            ("list", "the latest 50"),
            ("list --state FAILED --name build", "those of one flow that failed"),
            ("list --limit 1000 --json", "a JSON list"),
        ),
        (Exit.BAD_INPUT, *OF_REDIS),
    ),
    Command(
        "end",
        LOOK,
        "lfr.cli.commands.interventions",
        "end a task by hand, in its worker's place",
        "Says that the task NAME at step INDEX has ended, as its worker would, and prints the event's id. "
        "NAME is asked for so that a slip in INDEX ends nothing.",
        (
            ("end build-5f0c approve 4", ""),
            ('end build-5f0c approve 4 --output \'{"by": "ann"}\'', "with an output"),
            ("end build-5f0c deploy 5 --status FAILURE --reason 'host is gone'", "the workflow FAILS"),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, *OF_REDIS),
    ),
    Command(
        "event",
        LOOK,
        "lfr.cli.commands.interventions",
        "append an event",
        "Appends an event of any kind to the stream and prints its id.",
        (("event approved --data '{\"order\": 7}'", ""), ("event approved --data @order.json", "")),
        (Exit.BAD_INPUT, *OF_REDIS),
    ),
    Command(
        "latches",
        LOOK,
        "lfr.cli.commands.latches",
        "list latches with their waiters, or bring one to zero",
        "Lists the latches that workflows have acquired, what each counts, and who counts it down; also "
        "those that came to zero within the last hour. `reset NAME` brings one to zero, whoever holds it, "
        "and lets all go that count it down; a release that comes later is refused.",
        (
            ("latches", ""),
            ("latches --json", "a JSON list"),
            ("latches reset house-12", "after its holder has died"),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, *OF_REDIS),
    ),
    Command(
        "terminate",
        LOOK,
        "lfr.cli.commands.interventions",
        "stop a workflow",
        "Nothing more starts in it, and what still runs counts no more.",
        (("terminate build-5f0c", ""),),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CONFLICT, *OF_REDIS),
    ),
    Command(
        "restart",
        LOOK,
        "lfr.cli.commands.interventions",
        "go on with a failed or terminated workflow",
        "Starts the steps again that failed or were stopped. What has ended is not done again.",
        (("restart build-5f0c", ""),),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CONFLICT, *OF_REDIS),
    ),
    Command(
        "delete",
        LOOK,
        "lfr.cli.commands.archive",
        "delete workflows that have ended",
        "All that is kept of them goes, with their items. What there is no archive of is lost.",
        (("delete build-5f0c", ""),),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CONFLICT, *OF_REDIS),
    ),
    Command(
        "archive",
        LOOK,
        "lfr.cli.commands.archive",
        "write all of a workflow as one JSON document",
        "Its flow, progress, outputs and history. lfr restore makes a workflow of it again, also elsewhere.",
        (("archive build-5f0c --output build.json", ""),),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CANNOT_WRITE, *OF_REDIS),
    ),
    Command(
        "restore",
        LOOK,
        "lfr.cli.commands.archive",
        "make a workflow of an archive",
        "Prints its id: as it was if that is free, else a new one. What ran when it was archived is "
        "TERMINATED; lfr restart goes on with it, with all its outputs.",
        (("restore build.json", ""), ("restore build.json --workflow-id build-again", "")),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CONFLICT, *OF_REDIS),
    ),
    Command(
        "retry",
        LOOK,
        "lfr.cli.commands.interventions",
        "start a task anew",
        "For a task that hangs: another attempt is started, and what the worker says of the one so far "
        "counts no more. If the step has failed, the workflow goes on as by lfr restart.",
        (("retry build-5f0c 4", ""),),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CONFLICT, *OF_REDIS),
    ),
    Command(
        "skip",
        LOOK,
        "lfr.cli.commands.interventions",
        "go on without a task",
        "The task runs, has failed or was stopped; the workflow goes on as if it had ended.",
        (
            ("skip build-5f0c 4", "its output is its input"),
            ('skip build-5f0c 4 --output \'{"by": "ann"}\'', ""),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CONFLICT, *OF_REDIS),
    ),
    Command(
        "fail",
        LOOK,
        "lfr.cli.commands.interventions",
        "let a task that runs fail",
        "Without another attempt: the workflow FAILS, and a restart goes on from there.",
        (("fail build-5f0c 4 --reason 'host is gone'", ""),),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CONFLICT, *OF_REDIS),
    ),
)

_FLOWS = (
    Command(
        "check",
        FLOWS,
        "lfr.cli.commands.check",
        "say what is wrong with flows, or doubtful",
        "Prints each error as FILE:LINE:COLUMN: what is wrong, with the line and a caret, and each warning "
        "about what is right as it stands, but hardly meant. After an error it goes on with the next "
        "statement. Warnings alone leave the exit code 0. Needs no Redis.",
        (
            ("check build.flow", ""),
            ("check *.flow --strict", "a warning is an error, too"),
            (
                "check --json build.flow",
                "for editors: file, line, column, end_column, severity, message, hint",
            ),
            ("check -", "the flow comes from stdin"),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND),
    ),
    Command(
        "graph",
        FLOWS,
        "lfr.cli.commands.graph",
        "draw a flow: as mermaid, Graphviz' DOT, JSON or SVG",
        "Prints the graph. SVG is a picture for every browser; mermaid and DOT are drawn by many tools; JSON "
        "is the compiled flow. Needs no Redis.",
        (
            ("graph build.flow --format svg --output build.svg", "a picture"),
            ("graph build.flow --vertical", "mermaid, from top to bottom"),
            ("graph build.flow --format json", "steps and edges, for programs"),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CANNOT_WRITE),
    ),
)

_FMT = (
    Command(
        "fmt",
        FLOWS,
        "lfr.cli.commands.fmt",
        "put flows into their canonical layout",
        "Rewrites each FILE in place, comments kept; a file with errors is left alone. With --check nothing "
        "is written: files that would change are printed, and the exit code is 1. Needs no Redis.",
        (
            ("fmt build.flow", ""),
            ("fmt --check build.flow deploy.flow", "for a commit hook"),
            ("fmt -", "from stdin to stdout"),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.CANNOT_WRITE),
    ),
)

_ROLE_ABOUT = (
    "Runs until SIGTERM or Ctrl-C, and then finishes what it has begun. When Redis goes away it waits until "
    "it is back. Any number of these may run side by side. It logs to stderr."
)

_ROLES = tuple(
    Command(
        role.name,
        ROLE,
        "lfr.cli.commands.roles",
        role.help,
        _ROLE_ABOUT,
        ((role.name, ""), (f"{role.name} --url redis://queue.example:6379", "another server")),
        (Exit.BAD_INPUT, Exit.CANNOT_WRITE, Exit.BAD_SETTINGS),
    )
    for role in ROLES
)

_TASKS = (
    Command(
        "tasks",
        ROLE,
        "lfr.cli.commands.tasks",
        "do the tasks of a Python file",
        'Runs the functions of FILE.py that are marked with @task("NAME"), in threads or, with --processes, '
        "in processes of their own. SIGTERM lets what runs end and takes nothing new.",
        (
            ("tasks images.py", "eight tasks at once"),
            ("tasks images.py --concurrency 50", "for tasks that mostly wait"),
            ("tasks images.py --processes 4", "for tasks that compute"),
        ),
        (Exit.BAD_INPUT, Exit.NOT_FOUND, Exit.BAD_SETTINGS),
    ),
)

_SETUP = (
    Command(
        "up",
        SETUP,
        "lfr.cli.commands.up",
        "all in one: the bundled Valkey, with a folder that lasts, and the roles",
        "Runs until Ctrl-C or SIGTERM. A role that dies is started again. A second terminal finds it by "
        "--data with the same folder, or by the line that this command prints.",
        (
            ("up", ""),
            ("up --data ./data --port 7000", ""),
            ("up --no-simulate", "with task workers of your own"),
        ),
        (Exit.CONFLICT, Exit.CANNOT_WRITE, Exit.INTERRUPTED, Exit.STOPPED),
    ),
    Command(
        "demo",
        SETUP,
        "lfr.cli.commands.demo",
        "an example in some seconds, that leaves nothing behind",
        "Starts the bundled Valkey and the roles, runs a workflow, shows it, and stops all of it again.",
        (("demo", ""),),
        (Exit.FAILED, Exit.INTERRUPTED, Exit.STOPPED),
    ),
    Command(
        "install",
        SETUP,
        "lfr.cli.commands.install",
        "make lfr a service of this host: units for systemd, users, folders",
        "Copies this file to PREFIX/bin/lfr, unpacks it below PREFIX/lib/lfr, writes the files that `lfr "
        "units` lists, and enables lfr@ROLE for each role. The Valkey that comes along is enabled too, "
        "unless the configuration names a Redis or one answers on port 6379. Run it again with a newer file "
        "to upgrade: configuration and data stay.",
        (
            ("install --enable lifecycle wait receipts --now", ""),
            ("install --enable lifecycle lifecycle.2 --no-valkey", "two processes; Redis is elsewhere"),
            ("install --dry-run", "print the steps, and do none"),
        ),
        (Exit.CONFLICT, Exit.CANNOT_WRITE, Exit.UNREACHABLE, Exit.REFUSED, Exit.BAD_SETTINGS),
    ),
    Command(
        "uninstall",
        SETUP,
        "lfr.cli.commands.install",
        "stop the services and remove what lfr install has put here",
        "Configuration in /etc/lfr and the data of Valkey stay, unless --purge is given.",
        (("uninstall", ""), ("uninstall --purge", "configuration, data, logs and users too")),
        (Exit.CONFLICT, Exit.CANNOT_WRITE, Exit.REFUSED),
    ),
    Command(
        "units",
        SETUP,
        "lfr.cli.commands.install",
        "list the files that lfr install writes, or print one",
        "",
        (("units", ""), ("units lfr@.service", "print it")),
        (Exit.NOT_FOUND,),
    ),
    Command(
        "status",
        SETUP,
        "lfr.cli.commands.status",
        "show how all of it is: roles, stream, this host's units",
        "The roles that are alive, on all hosts, by the signs of life that they give; how much each group of "
        "consumers has to read and has pending; dead letters; what waits; and the units of this host. The "
        "exit code is 0 if all is well, and 69 if a unit has failed, if no lifecycle runs, or if the stream "
        "grows because nobody clears it.",
        (("status", ""), ("status --json", "one JSON object, with `problems`")),
        (Exit.CONFLICT, *OF_REDIS),
    ),
    Command(
        "config",
        SETUP,
        "lfr.cli.commands.config",
        "show each setting: its value and where that comes from",
        "Settings come, weakest first, from defaults; the YAML file (--config, else $LFR_CONFIG, else "
        "/etc/lfr/lfr.yaml); the environment; credentials of systemd; the command line. Secrets are masked.",
        (("config", ""), ("config --json", "one JSON object")),
        (Exit.BAD_SETTINGS,),
    ),
    Command("version", SETUP, "lfr.cli.commands.config", "print the version", "", (("version", ""),)),
)

COMMANDS: dict[str, Command] = {
    command.name: command for command in (*_WORKFLOWS, *_FLOWS, *_FMT, *_ROLES, *_TASKS, *_SETUP)
}
"""Every command by its name, in the order of the overview."""
