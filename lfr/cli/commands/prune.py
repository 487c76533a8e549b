"""`lfr prune`: delete, and archive before, all workflows that ended long ago."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.bulk_command import (
    ProgressLines,
    add_yes_option,
    check_can_ask,
    format_counts,
    is_confirmed,
)
from lfr.cli.ui.format_values import format_size
from lfr.cli.ui.options import (
    add_connection_options,
    add_flag,
    add_json_option,
    add_reason_option,
    open_store,
    open_store_to_change,
    parse_seconds,
)
from lfr.cli.ui.terminal import Terminal
from lfr.states import WorkflowState
from lfr.values.json import Json
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.operations.prune import PrunePlan
    from lfr.store.redis.connection import Store


def _add_arguments(parser: ArgumentParser) -> None:
    help = "only workflows that ended at least TIME ago, such as 30d"
    parser.add_argument("--older", metavar="TIME", type=parse_seconds, required=True, help=help)
    states = ", ".join(state for state in WorkflowState if state.has_ended)
    help = f"only workflows in these states: {states} (default: FINISHED)"
    parser.add_argument(
        "--state", metavar="STATE", type=str.upper, nargs="+", action="extend", default=[], help=help
    )
    parser.add_argument("--flow", metavar="NAME", help="only workflows of the flow NAME")
    help = "write the archive of each into this folder, or s3://BUCKET/FOLDER, before it is deleted"
    parser.add_argument("--archive", metavar="DIR|URI", help=help)
    add_flag(parser, "--dry-run", "say what would be deleted, and change nothing")
    add_yes_option(parser)
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    is_asking = check_can_ask(arguments, terminal)
    store = open_store(arguments) if arguments.dry_run else open_store_to_change(arguments)
    from lfr.operations.prune import plan_prune

    states = arguments.state or [WorkflowState.FINISHED]
    plan = plan_prune(store, arguments.older, states, arguments.flow)
    terminal.print_err(_describe(plan))
    if arguments.dry_run:
        terminal.print_err("nothing has been changed: --dry-run")
    elif plan.ids and is_asking and not is_confirmed(terminal, _describe_action(arguments.archive)):
        terminal.print_err("nothing has been changed")
        return None
    if arguments.dry_run or not plan.ids:
        if arguments.json:
            terminal.print_json({**plan.to_dict(), "deleted": 0, "problems": {}})
        elif arguments.dry_run:
            terminal.print_lines(plan.ids)
        return None
    return _prune(store, plan, arguments, terminal)


def _prune(store: Store, plan: PrunePlan, arguments: Namespace, terminal: Terminal) -> int | None:
    from lfr.operations.prune import prune

    write = None
    if arguments.archive is not None:
        from lfr.outbound.archive_objects import archive_writer

        write = archive_writer(store.settings, arguments.archive)
    progress = ProgressLines(terminal, len(plan.ids))
    deleted = 0
    problems: dict[str, Json] = {}
    try:
        for number, step in enumerate(prune(store, plan, write), 1):
            deleted += step.is_deleted
            if step.problem:
                problems[step.id] = step.problem
                terminal.print_err(f"{step.id} stays: {printable(step.problem)}")
            progress.show(number)
    finally:  # also after Ctrl-C or an error: what is deleted is deleted
        if not arguments.json:
            terminal.print(f"{deleted:,} of {len(plan.ids):,} workflows are deleted")
        else:
            terminal.print_json({**plan.to_dict(), "deleted": deleted, "problems": problems})
    return ExitCode.CONFLICT if problems else None


def _describe(plan: PrunePlan) -> str:
    if not plan.ids:
        return "no workflow matches"
    counts = format_counts(plan.counts)
    if plan.bytes is None:
        return f"{counts}; the server does not say how many bytes they take"
    about = "about " if plan.is_estimate else ""
    return f"{counts}: {about}{format_size(plan.bytes)} of Redis"


def _describe_action(archive: str | None) -> str:
    return "delete them" if archive is None else f"archive them in {printable(archive)} and delete them"


HANDLER = Handler(
    _add_arguments,
    _run,
    "Says how many workflows match and how many bytes of Redis they take, asks, and deletes them with their "
    "items, many in each transaction. Workflows that run, and failed ones of which tasks still run, "
    "stay. It can be interrupted at any time, and called again. With --archive, the archive of each is on "
    "the disk before it is deleted; lfr restore makes a workflow of it again. --dry-run prints the ids.",
    (
        ("prune --older 30d --dry-run", "what finished more than 30 days ago"),
        ("prune --older 30d --archive old-workflows", "archive it in a folder, and delete it"),
        ("prune --older 90d --state FAILED TERMINATED --flow build --yes", "for a timer: do not ask"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.CONFLICT, ExitCode.CANNOT_WRITE, *CHANGE_ERRORS),
)
