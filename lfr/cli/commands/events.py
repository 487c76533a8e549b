"""`lfr events`: list events: of the stream, of a queue, or buffered for waits."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import REDIS_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_start
from lfr.cli.ui.options import add_connection_options, add_json_option, open_store, parse_count
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.values.stream_id import StreamId

_ENVELOPE: Final = frozenset({"kind", "apiVersion", "at", "workflow"})
"""The fields that have a column of their own, or say nothing."""

_COLUMNS: Final = (
    Column("time", drop=2),
    Column("id", drop=1),
    Column("kind", max_width=24),
    Column("workflow", max_width=60),
    Column("fields"),
)
_BUFFERED_COLUMNS: Final = (
    Column("time", drop=2),
    Column("id", drop=1),
    Column("kind", max_width=24),
    Column("used"),
    Column("fields"),
)
_QUEUE_COLUMNS: Final = (
    Column("time", drop=2),
    Column("state"),
    Column("task"),
    Column("step", align_right=True),
    Column("try", align_right=True, drop=1),
    Column("workflow", is_whole=True),
)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", nargs="?", help="only events of this kind")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--buffered", action="store_true", help="those that are kept for a wait:event that begins later"
    )
    source.add_argument("--queue", metavar="GROUP", help="the tasks in the queue of a group of workers")
    parser.add_argument("--workflow", metavar="ID", help="only events about this workflow")
    parser.add_argument("--limit", metavar="N", type=parse_count, default=50, help="at most N (default: 50)")
    add_json_option(parser, "a JSON list")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    is_queue = arguments.queue is not None
    if arguments.workflow is not None and (arguments.buffered or is_queue):
        raise UsageError("--workflow goes with the events of the stream (lfr events --help)")
    if is_queue and arguments.kind is not None:
        raise UsageError("--queue lists events of any kind: leave out KIND (lfr events --help)")
    store = open_store(arguments)
    from lfr.operations.events import list_buffered_events, list_events, list_queue
    from lfr.operations.find_workflow import find_workflow_id

    size, kind = arguments.limit, arguments.kind
    table = _STREAM
    if is_queue:
        table, events = _QUEUE, list_queue(store, arguments.queue, size=size)
    elif arguments.buffered:
        table, events = _BUFFERED, list_buffered_events(store, size=size, kind=kind)
    else:
        workflow = None if arguments.workflow is None else find_workflow_id(store, arguments.workflow)
        events = list_events(store, size=size, kind=kind, workflow=workflow)
    if arguments.json:
        terminal.print_json(events)
    elif events:
        terminal.print_lines(format_table(terminal, table.columns, [table.row(event) for event in events]))
    else:
        terminal.print_err("there are no such events" if kind else "there are no events")


def _row(event: Mapping[str, Any]) -> Row:
    time = format_start(event["at"]) if event["at"] else ""
    fields = {name: text for name, text in event["fields"].items() if name not in _ENVELOPE}
    kind = Cell(event["kind"] or "", "bold")
    return [time, event["id"], kind, event["workflow"] or "", _format_fields(fields)]


def _buffered_row(event: Mapping[str, Any]) -> Row:
    used = Cell("used" if event["used"] else "", "dim")
    fields = {name: text for name, text in event["fields"].items() if name not in _ENVELOPE - {"workflow"}}
    return [_time(event["id"]), event["id"], Cell(event["kind"], "bold"), used, _format_fields(fields)]


def _queue_row(event: Mapping[str, Any]) -> Row:
    fields = event["fields"]
    task, step, attempt = (fields.get(name, "").strip('"') for name in ("name", "index", "attempt"))
    state = Cell("read", "dim") if event["is_read"] else "waits"
    return [_time(event["id"]), state, Cell(task, "bold"), step, attempt, event["workflow"] or ""]


class _Table(NamedTuple):
    """The columns of a list, and the function that makes a row of an event."""

    columns: Sequence[Column]
    row: Callable[[Mapping[str, Any]], Row]


_STREAM: Final = _Table(_COLUMNS, _row)
_BUFFERED: Final = _Table(_BUFFERED_COLUMNS, _buffered_row)
_QUEUE: Final = _Table(_QUEUE_COLUMNS, _queue_row)


def _format_fields(fields: Mapping[str, str]) -> str:
    """Format fields whose texts are JSON already."""
    return " ".join(f"{name}={text}" for name, text in fields.items())


def _time(entry_id: str) -> str:
    """Return the time at which an entry was appended, which its id begins with."""
    from lfr.values.times import iso_time

    return format_start(iso_time(StreamId.parse(entry_id).ms) or "")


HANDLER = Handler(
    _add_arguments,
    _run,
    "Lists the newest events of the stream, newest first, among the newest 5000. With --buffered, the events "
    "that wait for a wait:event that begins later, as the setting events.retain says. With --queue, "
    "the first tasks in the queue of a group of workers, oldest first, and whether a worker has read each. "
    "`lfr dead` lists those that could not be understood.",
    (
        ("events", "the newest 50"),
        ("events end-task --workflow build-5f0c", "the ends of one workflow's tasks"),
        ("events approved --buffered", "that nobody has waited for yet"),
        ("events --queue tasks-images", "what waits for the workers of this group"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, *REDIS_ERRORS),
)
