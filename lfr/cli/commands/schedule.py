"""`lfr schedule`: list, show, make, pause, trigger and remove schedules."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.format_values import format_date_time, format_start, short_json
from lfr.cli.ui.options import (
    add_connection_options,
    add_flag,
    add_json_option,
    add_reason_option,
    open_store,
    open_store_to_change,
    read_json_option,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.values.json import ABSENT, Json
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.store.redis.connection import Store

_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "list": (),
    "show": ("NAME",),
    "add": ("NAME",),
    "pause": ("NAME",),
    "resume": ("NAME",),
    "trigger": ("NAME",),
    "backfill": ("NAME", "FROM", "TO"),
    "remove": ("NAME",),
    "import": ("FILE",),
}
"""What follows each word."""

_TIMINGS: Final = ("cron", "every", "timezone", "overlap", "catch_up", "jitter", "pause_after")

_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("flow", *_TIMINGS, "at", "input", "reason"),
    **dict.fromkeys(("pause", "resume", "trigger", "remove"), ("reason",)),
    "backfill": ("dry_run", "yes", "reason"),
    "import": ("timezone", "output"),
}
"""The options that go with each word, besides those of every word."""

_LIST_COLUMNS: Final = (
    Column("schedule", max_width=40),
    Column("flow", max_width=30, drop=2),
    Column("times", max_width=30),
    Column("zone", max_width=20, drop=1),
    Column("next"),
    Column("latest"),
)

_OUTCOME_COLUMNS: Final = (Column("time"), Column("outcome"), Column("workflow or reason"))

_COLOURS: Final = {"missed": "red", "refused": "red", "paused": "yellow", "skipped": "yellow"}


def _add_arguments(parser: ArgumentParser) -> None:
    help = "what to do (default: list)"
    parser.add_argument("what", metavar="ACTION", nargs="?", default="list", choices=_ACTIONS, help=help)
    help = "the schedule; with backfill, two times follow it; with import, the files"
    parser.add_argument("names", metavar="NAME", nargs="*", help=help)
    group = parser.add_argument_group("add")
    group.add_argument("--flow", metavar="NAME[@VERSION]", help="the stored flow to start (default: NAME)")
    group.add_argument("--cron", metavar="LINE", help="minute, hour, day of month, month, day of week")
    group.add_argument("--every", metavar="TIME", help="an interval, such as 15m")
    group.add_argument("--at", metavar="TIME", action="append", help="a time in ISO 8601; may be repeated")
    group.add_argument("--timezone", metavar="ZONE", help="zone of --cron and --at, or of what is imported")
    help = "while its last workflow runs: skip (the default), allow, queue or terminate"
    group.add_argument("--overlap", metavar="WORD", help=help)
    group.add_argument("--catch-up", metavar="TIME", help="how late a start may be (default: 1m)")
    group.add_argument("--jitter", metavar="TIME", help="delay each start by up to this time (default: 0)")
    help = "pause it after so many failed workflows in a row"
    group.add_argument("--pause-after", metavar="NUMBER", help=help)
    group.add_argument("--input", metavar="JSON|@FILE", help="input of its workflows")
    help = "with import: folder of the flow texts (default: this one)"
    parser.add_argument("--output", metavar="DIR", help=help)
    add_flag(parser, "--dry-run", "with backfill: show what would be started")
    add_flag(parser, "--yes", "with backfill: do not ask")
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> int | None:
    what: str = arguments.what
    words = _ACTIONS[what]
    if len(arguments.names) != len(words) and not (what == "import" and arguments.names):
        raise UsageError(f"it is lfr schedule {' '.join((what, *words))} (lfr schedule --help)")
    all_options = {name for names in _OPTIONS.values() for name in names}
    for option in sorted(all_options - set(_OPTIONS.get(what, ()))):
        if getattr(arguments, option):
            flag = option.replace("_", "-")
            raise UsageError(f"--{flag} does not go with {what} (lfr schedule --help)")
    if what == "import":
        from lfr.cli.ui.import_schedules import import_schedules

        folder, zone = arguments.output or ".", arguments.timezone
        return import_schedules(arguments.names, folder, zone, terminal, as_json=arguments.json)
    if what in ("list", "show"):
        _show(arguments, terminal)
        return None
    if what == "backfill":
        return _backfill(arguments, terminal)
    name: str = arguments.names[0]
    spec = _read_spec(arguments, terminal) if what == "add" else {}
    _report(arguments, terminal, _change(open_store_to_change(arguments), what, name, arguments, spec))
    return None


def _show(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.schedules import describe_schedule, list_schedules

    result: Any = describe_schedule(store, arguments.names[0]) if arguments.names else list_schedules(store)
    if arguments.json:
        terminal.print_json(result)
    elif arguments.names:
        terminal.print_lines(_schedule_lines(terminal, result))
    elif result:
        terminal.print_lines(format_table(terminal, _LIST_COLUMNS, [_row(each) for each in result]))
        for each in result:
            if each["problem"]:
                terminal.print_err(printable(f"{each['name']}: {each['problem']}"))
    else:
        terminal.print_err("there is no schedule (in @flow, or lfr schedule add)")


def _read_spec(arguments: Namespace, terminal: Terminal) -> dict[str, Json]:
    spec: dict[str, Json] = {key: getattr(arguments, key) for key in _TIMINGS if getattr(arguments, key)}
    if arguments.at:
        spec["at"] = arguments.at
    if str(spec.get("pause_after", "")).isdecimal():
        spec["pause_after"] = int(spec["pause_after"])
    input = read_json_option("--input", arguments.input, terminal)
    return spec if input is ABSENT else {**spec, "input": input}


def _change(
    store: Store, what: str, name: str, arguments: Namespace, spec: Mapping[str, Json]
) -> Mapping[str, Json]:
    """Do what the command line says, and return what --json prints, with the sentence for people."""
    from lfr.operations import schedules

    match what:
        case "add":
            added = schedules.add_schedule(store, name, spec, arguments.flow or name)
            return {**added, "sentence": f"{name} starts {added['flow']} next at {added['next']}"}
        case "pause":
            schedules.pause_schedule(store, name, arguments.reason or "")
            sentence = f"{name} is paused"
        case "resume":
            schedules.resume_schedule(store, name)
            sentence = f"{name} goes on from now"
        case "trigger":
            id = schedules.trigger_schedule(store, name)
            return {"name": name, "workflow": id, "sentence": id}
        case _:
            schedules.remove_schedule(store, name)
            sentence = f"{name} is removed"
    return {"name": name, "sentence": sentence}


def _report(arguments: Namespace, terminal: Terminal, result: Mapping[str, Json]) -> None:
    sentence = result["sentence"]
    if arguments.json:
        terminal.print_json({key: value for key, value in result.items() if key != "sentence"})
    else:
        terminal.print(printable(str(sentence)))


def _backfill(arguments: Namespace, terminal: Terminal) -> int | None:
    is_asking = not arguments.yes and not arguments.dry_run
    if is_asking and (arguments.json or not terminal.input.isatty()):
        raise UsageError("without a terminal that can answer, backfill needs --yes or --dry-run")
    store = open_store(arguments) if arguments.dry_run else open_store_to_change(arguments)
    from lfr.operations.schedules import backfill, plan_backfill

    plan = plan_backfill(store, *arguments.names)
    ids = plan.ids()
    terminal.print_err(f"{len(ids)} times")
    if arguments.dry_run:
        _print_ids(arguments, terminal, ids)
        terminal.print_err("nothing has been changed: --dry-run")
        return None
    if ids and is_asking:
        terminal.print_err("start a workflow for each? Type yes:")
        if terminal.input.readline().strip().lower() not in (b"yes", b"y"):
            terminal.print_err("nothing has been changed")
            return None
    started: list[str] = []
    try:
        started += (id for id, is_new in backfill(store, plan) if is_new)
    finally:  # also after Ctrl-C: what is started is started
        _print_ids(arguments, terminal, started)
        if len(started) < len(ids):
            terminal.print_err(f"{len(started)} started; the others exist already")
    return None


def _print_ids(arguments: Namespace, terminal: Terminal, ids: Sequence[str]) -> None:
    if arguments.json:
        terminal.print_json({"workflows": list(ids)})
    else:
        terminal.print_lines(ids)


def _row(schedule: Mapping[str, Any]) -> Row:
    latest = schedule["latest"]
    next_time = format_start(schedule["next"]) if schedule["next"] else "never"
    return [
        schedule["name"],
        schedule["flow"],
        schedule["times"],
        schedule["timezone"],
        Cell("paused", "yellow") if schedule["paused"] else next_time,
        "" if latest is None else _outcome_cell(latest),
    ]


def _outcome_cell(outcome: Mapping[str, Any]) -> str | Cell:
    word = outcome["outcome"]
    text = f"{word} ({outcome['count']} times)" if outcome["count"] > 1 else word
    return Cell(text, _COLOURS[word]) if word in _COLOURS else text


def _schedule_lines(terminal: Terminal, schedule: Mapping[str, Any]) -> Iterator[str]:
    yield printable(f"{terminal.paint(schedule['name'], 'bold')}  starts {schedule['flow']}")
    for key, value in schedule["schedule"].items():
        text = value if isinstance(value, str) else short_json(value)
        yield printable(f"  {key}: {text}")
    if schedule["paused"]:
        yield terminal.paint(printable(f"  paused: {schedule['paused']}"), "yellow")
    for id in schedule["running"]:
        yield f"  {id} runs"
    if schedule["queued"]:
        yield f"  the start for {format_date_time(schedule['queued'])} waits for its end"
    if schedule["upcoming"]:
        yield "\n  next:"
    for each in schedule["upcoming"]:
        delay = "" if each["due"] == each["time"] else f"  (starts at {each['due']})"
        yield f"    {each['local']}{delay}"
    if schedule["outcomes"]:
        yield "\n  latest:"
        rows = [
            [_times(each), _outcome_cell(each), " ".join(filter(None, (each["workflow"], each["reason"])))]
            for each in schedule["outcomes"]
        ]
        yield from (f"    {line}" for line in format_table(terminal, _OUTCOME_COLUMNS, rows))


def _times(outcome: Mapping[str, Any]) -> str:
    until = f" to {format_start(outcome['until'])}" if outcome["until"] else ""
    return format_start(outcome["time"]) + until


HANDLER = Handler(
    _add_arguments,
    _run,
    "Lists the schedules, each with its next time and what has become of the latest; shows one with its next "
    "twenty times. A schedule stands in a flow text, (- schedule: {cron: ...} -) in @flow, and `lfr apply` "
    "takes it up; add makes one by hand. trigger starts a workflow now; backfill starts one for each time "
    "that lies behind. import writes flow texts for crontabs and systemd timers.",
    (
        ("schedule", ""),
        ("schedule show nightly", "its next times, and its outcomes"),
        ("schedule add hourly --flow report --cron '5 * * * *'", "by hand"),
        ("schedule pause nightly --reason 'the store moves'", ""),
        ("schedule import /etc/crontab backup.timer --output flows", "write flow texts for them"),
        ("schedule backfill nightly 2026-11-01 2026-11-08", "start what was missed"),
    ),
    (ExitCode.BAD_INPUT, ExitCode.NOT_FOUND, ExitCode.CONFLICT, ExitCode.CANNOT_WRITE, *CHANGE_ERRORS),
)
