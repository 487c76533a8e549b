"""`lfr list`: list workflows, newest first."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_workflow import format_list
from lfr.cli.ui.options import add_connection_options, add_flag, open_store, parse_count
from lfr.cli.ui.terminal import Terminal
from lfr.labels import parse_label
from lfr.states import WorkflowState


def _add_arguments(parser: ArgumentParser) -> None:
    states = ", ".join(WorkflowState)
    parser.add_argument("--state", metavar="STATE", type=str.upper, help=f"only workflows in STATE: {states}")
    parser.add_argument("--name", metavar="NAME", help="only workflows of the flow NAME")
    help = "only workflows with this label; may be repeated"
    parser.add_argument("--label", metavar="NAME=VALUE", action="append", default=[], help=help)
    help = "only workflows that match, as 'since=1d reason~timeout' (docs/commands.md)"
    parser.add_argument("--where", metavar="FILTER", help=help)
    parser.add_argument("--limit", metavar="N", type=parse_count, default=50, help="at most N (default: 50)")
    help = "the largest in Redis first, of the latest 1,000 that match; or start: the latest first (default)"
    parser.add_argument("--sort", choices=("size", "start"), default="start", help=help)
    add_flag(parser, "--json", "print a JSON list, with the counts of steps")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.list_workflows import MAX_MEASURED, list_largest, list_workflows, make_filter

    filter = make_filter(
        store,
        state=arguments.state,
        name=arguments.name,
        labels=dict(map(parse_label, arguments.label)),
        where=arguments.where,
        source="--where",
    )
    is_by_size = arguments.sort == "size"
    workflows = (list_largest if is_by_size else list_workflows)(store, filter, limit=arguments.limit)
    if arguments.json:
        terminal.print_json(workflows)
    elif workflows:
        terminal.print_lines(format_list(terminal, workflows))
        if len(workflows) == arguments.limit:
            order = f"largest of the latest {MAX_MEASURED:,}" if is_by_size else "latest"
            terminal.print_err(f"the {order}: {arguments.limit}; --limit shows more")
    else:
        has_filter = arguments.state or arguments.name or arguments.label or arguments.where
        terminal.print_err("no workflow matches" if has_filter else "no workflows yet; lfr run starts one")


HANDLER = Handler(
    _add_arguments,
    _run,
    examples=(
        ("list", "the latest 50"),
        ("list --state FAILED --name build", "the failed workflows of one flow"),
        ("list --label tenant=7 --where 'since=1d reason~timeout'", "of one tenant: what timed out today"),
        ("list --sort size --limit 10", "those that take the most memory of Redis"),
        ("list --limit 1000 --json", "a JSON list"),
    ),
    exit_codes=(ExitCode.BAD_INPUT, *REDIS_ERRORS),
)
