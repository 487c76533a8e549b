"""Arguments that several commands share: the workflow, how to find Redis, how to read files and JSON."""

from __future__ import annotations

import json
import math
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lfr.actor import make_actor
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import Layer, LoadedSettings, SourcedValue, load_with_origins
from lfr.errors import BadInput, NotFound, Refused, TooLarge, Unconfirmed
from lfr.values.checks import WHOLE_NUMBER_TEXT, Check, duration
from lfr.values.json import ABSENT, MAX_DEPTH, InvalidJson, Json, decode_json

if TYPE_CHECKING:
    from lfr.store.redis.connection import Store
    from lfr.store.redis.replicas import Confirmations

_SETTING_FLAGS: Final = (
    (
        "--url",
        "redis_url",
        "URL",
        "redis://, rediss://, unix:// or redis+sentinel://; not with --host, --port",
    ),
    ("--host", "redis_host", "HOST", "host of Redis"),
    ("--port", "redis_port", "PORT", "port of Redis"),
    ("--username", "redis_username", "NAME", "user of Redis"),
    ("--password", "redis_password", "TEXT", "password; other users may see it: prefer REDIS_PASSWORD"),
    ("--stream", "stream", "KEY", "key of the stream of events"),
    ("--log-level", "log_level", "LEVEL", "DEBUG, INFO, WARNING or ERROR"),
)
"""Flag, attribute of `Settings`, metavar and help of each setting that is an option, too."""

_ADDRESS_FLAGS: Final = _SETTING_FLAGS[:5]

STDIN: Final = "-"

_MAX_FILE_BYTES: Final = 2**30
_PIECE_BYTES: Final = 2**20
"""The most bytes of a file that is read, and how many of them at once."""


def add_flag(parser: ArgumentParser, flag: str, help: str) -> None:
    """Add an option without a value: True if it stands on the command line."""
    parser.add_argument(flag, action="store_true", help=help)


def add_connection_options(parser: ArgumentParser, *, has_data_option: bool = False) -> None:
    """Add the options that say where Redis is and which file holds the settings.

    `--data-dir` is a second name of `--data`, for a command that has a `--data` option of its own.
    """
    group = parser.add_argument_group("finding Redis (all settings: lfr config)")
    for flag, attribute, metavar, help in _SETTING_FLAGS:
        group.add_argument(flag, dest=attribute, metavar=metavar, default=SUPPRESS, help=help)
    help = "folder of a running `lfr up`: use its server"
    help_by_flag = {"--data-dir": help} if has_data_option else {"--data": help, "--data-dir": SUPPRESS}
    for flag, text in help_by_flag.items():
        group.add_argument(flag, dest="data_folder", metavar="DIR", help=text)
    group.add_argument("--config", metavar="FILE", default="", help="YAML file with settings")


def add_workflow_arguments(parser: ArgumentParser, *, is_optional: bool = False) -> None:
    """Add the id of a workflow, and the options of `add_connection_options`. With `is_optional`, the command
    may do without the id."""
    help = "the workflow: its id, with or without workflow:, or a beginning that no other id has"
    parser.add_argument("id", metavar="ID", nargs="?" if is_optional else None, help=help)
    add_connection_options(parser)


def add_step_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `add_workflow_arguments` and the index of a step."""
    add_workflow_arguments(parser)
    parser.add_argument("index", metavar="INDEX", type=int, help="the step's index; lfr inspect shows it")


def load_command_settings(arguments: Namespace) -> LoadedSettings:
    """Return the settings for this command line, its options being the strongest layer.

    --data, or else a running `lfr up` if nothing says where Redis is, replaces URL, user and password. Raises
    BadSettings; Unreachable if no server runs in the folder of --data or LFR_DATA; UsageError if --data and
    another option both say where Redis is.
    """
    from lfr.config.running_up import with_running_up

    return with_running_up(read_command_settings(arguments))


def read_command_settings(arguments: Namespace) -> LoadedSettings:
    """Return the settings for this command line without asking whether an `lfr up` runs. Raises BadSettings,
    and UsageError if --data and another option both say where Redis is."""
    overrides: Layer = {}
    if arguments.data_folder is not None:
        rivals = [flag for flag, attribute, *_ in _ADDRESS_FLAGS if hasattr(arguments, attribute)]
        if rivals:
            raise UsageError(f"--data says where Redis is, and so does {rivals[0]}: use one of them")
        overrides["up_data"] = SourcedValue(arguments.data_folder, "--data")
    for flag, attribute, *_ in _SETTING_FLAGS:
        if hasattr(arguments, attribute):
            overrides[attribute] = SourcedValue(getattr(arguments, attribute), flag)
    return load_with_origins(overrides, config=arguments.config)


def connection_flags(arguments: Namespace) -> list[str]:
    """Return the flags of `add_connection_options` that stand on this command line, without their values."""
    flags = [flag for flag, attribute, *_ in _SETTING_FLAGS if hasattr(arguments, attribute)]
    others = (("--data", arguments.data_folder is not None), ("--config", bool(arguments.config)))
    return flags + [flag for flag, is_set in others if is_set]


def open_store(arguments: Namespace) -> Store:
    """Return the store for this command line, which connects at first use.

    Raises as `load_command_settings`.
    """
    settings = load_command_settings(arguments).settings
    from lfr.store.redis.connection import open_store  # imports redis

    return open_store(settings)


def open_store_to_change(arguments: Namespace) -> Store:
    """Do as `open_store`, for a command that changes something: the user of this process does it, for the
    reason in `arguments.reason`. What replicas have not confirmed at its end stands in
    `arguments.confirmations`."""
    store, arguments.confirmations = open_store(arguments).confirming()
    from lfr.host.os_user import operating_system_user

    return store.acting(make_actor(operating_system_user(), getattr(arguments, "reason", None) or ""))


def add_reason_option(parser: ArgumentParser) -> None:
    """Add --reason, for a command that changes something."""
    help = "why you do it, for the history and the log of receipts"
    parser.add_argument("--reason", metavar="TEXT", help=help)


def raise_unconfirmed(arguments: Namespace) -> None:
    """Raise Unconfirmed if replicas have not confirmed what the command has changed so far."""
    confirmations: Confirmations | None = getattr(arguments, "confirmations", None)
    if confirmations is not None and confirmations.problem:
        problem, arguments.confirmations = confirmations.problem, None
        raise Unconfirmed(problem)


def find_workflow(store: Store, arguments: Namespace) -> str:
    """Return the id of the workflow that `add_workflow_arguments` has read. Raises BadInput and NotFound, and
    the errors of the connection."""
    from lfr.operations.find_workflow import find_workflow_id

    return find_workflow_id(store, arguments.id)


def unserved_finder(store: Store) -> Callable[[Iterable[str]], dict[str, tuple[str, str]]]:
    """Return the function by which `check_flow` finds the tasks that nobody does: by name, message and
    hint."""
    from lfr.operations.workers import find_unserved_tasks

    def find(names: Iterable[str]) -> dict[str, tuple[str, str]]:
        unserved = find_unserved_tasks(store, names)
        return {name: (task.message, task.hint) for name, task in unserved.items()}

    return find


def add_json_option(parser: ArgumentParser, content: str = "one JSON object") -> None:
    """Add --json, which prints `content` for programs."""
    add_flag(parser, "--json", f"print {content}, for programs")


def add_base_option(parser: ArgumentParser, default: str = "the folder of FILE") -> None:
    """Add the option for the base of a flow's relative resources. Its help shows `default`."""
    help = f"base of relative resources such as <data.json> (default: {default})"
    parser.add_argument("--base", metavar="DIR|URL", help=help)


def flow_base(base: str | None, file: str) -> str | None:
    """Return --base (a folder as an absolute path), or else the folder of the flow's file; None for stdin."""
    from lfr.base_uri import absolute_base

    if base is not None or file == STDIN:
        return absolute_base(base)
    return absolute_base(Path(file).parent)


def read_flow_text(file: str, terminal: Terminal) -> tuple[str, str]:
    """Read a flow text (`-`: from stdin) and return it with the name that errors call it by.

    A byte that is not UTF-8 becomes half of a surrogate pair (PEP 383); the compiler refuses it and reports
    its place. Raises NotFound, Refused and BadInput as `_read_file`.
    """
    raw = terminal.input.read() if file == STDIN else _read_file(file)
    return raw.decode("utf-8-sig", "surrogateescape"), "stdin" if file == STDIN else file


def read_json_option(flag: str, text: str | None, terminal: Terminal, *, max_depth: int = MAX_DEPTH) -> Json:
    """Return the value of an option that takes JSON, or `@FILE` (`@-`: stdin) with JSON in it.

    Returns ABSENT if the option is not set. Raises BadInput with the place of the error, and as `_read_file`.
    """
    if text is None:
        return ABSENT
    raw, name = text.encode(errors="surrogateescape"), flag
    if text.startswith("@"):
        name = "stdin" if text[1:] == STDIN else text[1:]
        raw = terminal.input.read() if text[1:] == STDIN else _read_file(text[1:])
    try:
        return decode_json(raw.removeprefix(b"\xef\xbb\xbf"), max_depth)
    except InvalidJson as error:
        hint = "" if text.startswith("@") or "'" not in text else "JSON texts stand in double quotes"
        raise _not_json(name, raw, error, hint) from None


def read_json_lines(file: str, terminal: Terminal) -> list[Json]:
    """Return the JSON values in the lines of a file, or of stdin for `-`; empty lines count for nothing.
    Raises BadInput with the place of the first error, also if there is no value, and as `_read_file`."""
    name = "stdin" if file == STDIN else file
    raw = terminal.input.read() if file == STDIN else _read_file(file)
    values: list[Json] = []
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            values.append(decode_json(line))
        except InvalidJson as error:
            raise BadInput(
                f"not JSON: {error}",
                place=f"{name}:{number}",
                hint="each line has the input of one workflow, as JSON",
            ) from None
    if not values:
        raise BadInput("there is no input in it", place=name, hint="each line has the input of one workflow")
    return values


def _not_json(name: str, raw: bytes, error: InvalidJson, hint: str) -> BadInput:
    """Return the error with line and column in the whole text, which `decode_json` does not count from."""
    try:
        json.loads(raw.decode("utf-8-sig"))
    except json.JSONDecodeError as exact:
        message = exact.msg[0].lower() + exact.msg[1:]
        return BadInput(f"not JSON: {message}", place=f"{name}:{exact.lineno}:{exact.colno}", hint=hint)
    except (ValueError, RecursionError):
        pass
    return BadInput(f"not JSON: {error}", place=name, hint=hint)


def write_file(file: str, text: str) -> None:
    """Write or replace a file atomically; one that exists keeps its permissions. Raises CannotWrite."""
    from lfr.host.files import write_atomically

    write_atomically(Path(file), text)


def _read_file(file: str) -> bytes:
    """Read a file. Raises NotFound; Refused without permission; BadInput for a folder, and for what has more
    than 1 GiB, or no end, as a link to /dev/zero has."""
    pieces = []
    try:
        with open(file, "rb") as opened:
            while piece := opened.read(_PIECE_BYTES):
                pieces.append(piece)
                if len(pieces) * _PIECE_BYTES > _MAX_FILE_BYTES:
                    raise TooLarge("this file has more than 1 GiB, which Redis does not take", place=file)
        return b"".join(pieces)
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the name
        raise NotFound("there is no such file", place=file) from None
    except PermissionError:
        raise Refused("no permission to read this file", place=file) from None
    except IsADirectoryError:
        raise BadInput("this is a folder, not a file", place=file) from None
    except OSError as error:
        raise NotFound(f"cannot read this file: {error.strerror}", place=file) from None


def option_type(
    check: Check, words: str = "", least: float = -math.inf, most: float = math.inf
) -> Callable[[str], Any]:
    """Return a type for argparse that reads what fits a check and, if it is a number, lies within these
    bounds. `words` describe that; the default is those of the check."""

    def parse(text: str) -> Any:
        value = check.read(text)
        if value is None or (isinstance(value, int | float) and not least <= value <= most):
            raise ArgumentTypeError(f"{text} is not {words or check.words}")
        return value

    return parse


parse_seconds: Final = option_type(duration())
parse_port: Final = option_type(WHOLE_NUMBER_TEXT, "a port, 1 to 65535", 1, 65535)
parse_count: Final = option_type(WHOLE_NUMBER_TEXT, "a whole number, 1 to 1000000", 1, 1_000_000)
