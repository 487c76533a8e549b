"""The arguments that say what `lfr pause` and `lfr resume` are about."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_scope_arguments(parser: ArgumentParser) -> None:
    """Add ID, --flow, --task and --all, of which there may be one."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("id", metavar="ID", nargs="?", help="a workflow: its id, or its beginning")
    group.add_argument("--flow", metavar="NAME", help="all workflows of the flow NAME")
    help = "all steps that invoke the task NAME, or with NAME:* those whose task begins so"
    group.add_argument("--task", metavar="NAME", help=help)
    group.add_argument("--all", action="store_true", help="everything, such as for maintenance")


def parse_scope(arguments: Namespace) -> tuple[str, str]:
    """Return the scope, as `lfr.operations.pause` has it, or `workflow`; and the name in it."""
    if arguments.all:
        return "all", ""
    for scope, name in (("flow", arguments.flow), ("task", arguments.task), ("workflow", arguments.id)):
        if name is not None:
            return scope, name
    raise AssertionError("`is_many` requires one of them, or --where")
