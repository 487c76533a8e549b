"""`lfr apply`: store flows under their names, in numbered versions."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.options import (
    STDIN,
    add_base_option,
    add_connection_options,
    add_flag,
    add_json_option,
    add_reason_option,
    flow_base,
    open_store,
    open_store_to_change,
    read_flow_text,
)
from lfr.cli.ui.terminal import Terminal, pad
from lfr.errors import NotFound, Refused
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.operations.stored_flows import FlowChange

_SUFFIX: Final = ".flow"

_MARKS: Final = {"new": "+", "changed": "~", "unchanged": "=", "removed": "-", "missing": " "}
_COLOURS: Final = {"new": "green", "changed": "yellow", "removed": "red"}

_MAX_DIFF: Final = 40
"""How many lines of the differences of a flow are printed."""


def _add_arguments(parser: ArgumentParser) -> None:
    help = "flow texts, or folders of which each *.flow is read, subfolders included; - is stdin"
    parser.add_argument("files", metavar="FILE|DIR", nargs="+", help=help)
    add_flag(parser, "--dry-run", "show what would be done, and change nothing")
    add_flag(parser, "--prune", "remove the stored flows that stand in none of the texts")
    add_reason_option(parser)
    add_json_option(parser, "a list of the changes")
    add_base_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    files = list(dict.fromkeys(_flow_files(arguments.files)))
    texts = [(file, *read_flow_text(file, terminal)) for file in files]
    store = open_store(arguments) if arguments.dry_run else open_store_to_change(arguments)
    from lfr.operations.stored_flows import FlowSource, apply_flows

    sources = [FlowSource(text, source, flow_base(arguments.base, file)) for file, text, source in texts]
    plan = apply_flows(store, sources, prune=arguments.prune, dry_run=arguments.dry_run)
    if arguments.json:
        terminal.print_json([asdict(change) for change in plan])
        return
    terminal.print_lines(_plan_lines(terminal, plan))
    counts = Counter(change.change.value for change in plan)
    terminal.print_err(", ".join(f"{counts[word]} {word}" for word in _MARKS if counts[word]))
    if arguments.dry_run:
        terminal.print_err("nothing has been changed: --dry-run")


def _flow_files(paths: Iterable[str]) -> Iterator[str]:
    """Yield each file, and for each folder the flow texts in it, sorted. Raises NotFound for one without."""
    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            yield path
            continue
        inner = sorted(_inner_files(Path(path)))
        if not inner:
            raise NotFound(f"no file in this folder ends with {_SUFFIX}", place=path)
        yield from map(str, inner)


def _inner_files(folder: Path) -> Iterator[Path]:
    """Yield the flow texts in a folder and in those below it, but no hidden ones. Raises Refused for a link
    to a file outside: who gives the folder would read that by what lfr says of it. Raises NotFound and
    Refused for a folder that cannot be read."""
    root, folders = folder.resolve(), [folder]
    while folders:  # no recursion: a folder may have more levels than Python has
        for file in _list_folder(folders.pop()):
            if file.name.startswith("."):
                continue
            if os.path.isdir(file) and not file.is_symlink():  # `Path.is_dir` raises for a long path
                folders.append(file)
            elif file.name.endswith(_SUFFIX) and os.path.isfile(file):
                if file.is_symlink() and root not in file.resolve().parents:
                    raise Refused("this link leads out of the folder", place=str(file), hint="name the file")
                yield file


def _list_folder(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except PermissionError:
        raise Refused("no permission to read this folder", place=str(folder)) from None
    except OSError as error:
        raise NotFound(f"cannot read this folder: {error.strerror}", place=str(folder)) from None


def _plan_lines(terminal: Terminal, plan: Sequence[FlowChange]) -> Iterator[str]:
    width = max((len(change.name) for change in plan), default=0)
    for change in plan:
        head = f"{_MARKS[change.change]} {pad(change.name, width)}  {_explain(change)}"
        yield terminal.paint(printable(head), _COLOURS.get(change.change.value, ""))
        for line in change.diff[:_MAX_DIFF]:
            yield f"      {printable(line)}"
        if len(change.diff) > _MAX_DIFF:
            yield f"      ... and {len(change.diff) - _MAX_DIFF} more (--json shows all)"


def _explain(change: FlowChange) -> str:
    source = f" ({change.source})" if change.source else ""
    source += f"; its schedule is {change.schedule}" if change.schedule else ""
    match change.change.value:
        case "new":
            return f"version {change.version}, new{source}"
        case "changed":
            return f"version {change.version}, changed from version {change.previous}{source}"
        case "removed":
            return f"version {change.version}, removed with all earlier ones{source}"
        case "missing":
            return f"version {change.version}, in none of these texts: it stays (--prune removes it)"
    return f"version {change.version}, unchanged{source}"


HANDLER = Handler(
    _add_arguments,
    _run,
    "Stores each flow under the name in its @flow. A flow that differs from the latest version of its name "
    "becomes the next version; versions never change, and a workflow keeps the one that it was started with. "
    "Prints what changes, with the steps that differ. All changes are one transaction: with an error in one "
    "text, nothing is stored. --prune removes the flows of all other names; their workflows go on.",
    (
        ("apply order.flow", "store it; start it by `lfr run --flow order`"),
        ("apply flows --dry-run", "show what would change"),
        ("apply flows --prune", "the folder has all flows: remove others"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *CHANGE_ERRORS),
)
