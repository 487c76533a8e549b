"""What many commands share: how they find Redis, and how they take files and JSON."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import Layer, LoadedSettings, Sourced, load_with_origins
from lfr.errors import BadInput, LfrError, NotFound, Refused, Unreachable
from lfr.values.json import InvalidJson, Json, decode_json

if TYPE_CHECKING:
    from lfr.store.redis.connection import Store

_FLAGS: Final = (
    ("--url", "redis_url", "URL", "redis://, rediss:// or unix://; wins over host and port"),
    ("--host", "redis_host", "HOST", "host of Redis"),
    ("--port", "redis_port", "PORT", "port of Redis"),
    ("--username", "redis_username", "NAME", "user of Redis"),
    ("--password", "redis_password", "TEXT", "password; all who see processes see it: prefer REDIS_PASSWORD"),
    ("--stream", "stream", "KEY", "key of the stream of events"),
    ("--log-level", "log_level", "LEVEL", "DEBUG, INFO, WARNING or ERROR"),
)
"""Settings that stand on the command line: flag, attribute, metavar, help."""

STDIN: Final = "-"


def add_connection(parser: ArgumentParser, *, data_is_taken: bool = False) -> None:
    """The options that say where Redis is, and which file holds the settings.

    The folder of a running `lfr up` has a second name, for a command that has a `--data` of its own.
    """
    group = parser.add_argument_group("finding Redis (all that is set: lfr config)")
    for flag, attribute, metavar, help in _FLAGS:
        group.add_argument(flag, dest=attribute, metavar=metavar, default=SUPPRESS, help=help)
    help = "the folder of a running `lfr up`: use its server"
    names = {"--data-dir": help} if data_is_taken else {"--data": help, "--data-dir": SUPPRESS}
    for name, text in names.items():
        group.add_argument(name, dest="data_folder", metavar="DIR", help=text)
    group.add_argument("--config", metavar="FILE", default="", help="YAML file of settings")


def settings_of(arguments: Namespace) -> LoadedSettings:
    """The settings for this command line. Raises BadSettings, NotFound for a --data where nothing runs,
    and UsageError for two answers to where Redis is."""
    given: Layer = {}
    folder = arguments.data_folder
    if folder is not None:
        rivals = [flag for flag, name, *_ in _FLAGS[:5] if hasattr(arguments, name)]
        if rivals:
            raise UsageError(f"--data says where Redis is, and so does {rivals[0]}: use one of them")
        origin = f"--data {folder}"
        there = {"redis_url": _running_address(folder), "redis_username": "", "redis_password": ""}
        given.update({name: Sourced(value, origin) for name, value in there.items()})
    for flag, attribute, *_ in _FLAGS:
        if hasattr(arguments, attribute):
            given[attribute] = Sourced(getattr(arguments, attribute), flag)
    return load_with_origins(given, config=arguments.config)


def given_connection(arguments: Namespace) -> list[str]:
    """The options of `add_connection` that stand on this command line."""
    given = [flag for flag, name, *_ in _FLAGS if hasattr(arguments, name)]
    others = (("--data", arguments.data_folder is not None), ("--config", bool(arguments.config)))
    return given + [flag for flag, is_given in others if is_given]


def open_store(arguments: Namespace) -> Store:
    """The store for this command line; it connects when it is first used. Raises as `settings_of`."""
    settings = settings_of(arguments).settings
    from lfr.store.redis.connection import connect  # imports redis

    return connect(settings)


def _running_address(folder: str) -> str:
    from lfr.host.data_folder import read_address

    address = read_address(Path(folder))
    if address is None:
        raise Unreachable(f"nothing runs in {folder}", hint=f"lfr up --data {folder} starts it")
    return address


def add_base(parser: ArgumentParser, default: str = "where FILE is") -> None:
    """The option that says where a flow's relative resources are. `default` is what its help says."""
    help = f"where relative resources are, such as <data.json> (default: {default})"
    parser.add_argument("--base", metavar="DIR|URL", help=help)


def base_of(given: str | None, file: str) -> str | None:
    """The base of the flow in a file: what --base says, else the file's folder; None for stdin."""
    from lfr.base_uri import absolute_base

    if given is not None or file == STDIN:
        return absolute_base(given)
    return absolute_base(Path(file).parent)


def read_flow(file: str, terminal: Terminal) -> tuple[str, str]:
    """The text of a flow and what errors call it. `-` is stdin. Raises as `_read_file`.

    A byte that is not UTF-8 becomes half of a surrogate pair (PEP 383), which the compiler refuses with
    its place.
    """
    raw = terminal.input.read() if file == STDIN else _read_file(file)
    return raw.decode("utf-8-sig", "surrogateescape"), "stdin" if file == STDIN else file


def read_json_option(flag: str, text: str | None, terminal: Terminal) -> Json:
    """The value of an option that takes JSON, or `@FILE` (`@-`: stdin) with JSON in it.

    None if the option was not given. Raises BadInput with the place of the error, and as `_read_file`.
    """
    if text is None:
        return None
    raw, name = text.encode(errors="surrogateescape"), flag
    if text.startswith("@"):
        name = "stdin" if text[1:] == STDIN else text[1:]
        raw = terminal.input.read() if text[1:] == STDIN else _read_file(text[1:])
    try:
        return decode_json(raw.removeprefix(b"\xef\xbb\xbf"))
    except InvalidJson as error:
        hint = "" if text.startswith("@") or "'" not in text else "JSON has its text in double quotes"
        raise _not_json(name, raw, error, hint) from None


def _not_json(name: str, raw: bytes, error: InvalidJson, hint: str) -> BadInput:
    """The error with line and column, which the reader of JSON knows only of the text without its margins."""
    try:
        json.loads(raw.decode("utf-8-sig"))
    except json.JSONDecodeError as exact:
        what = exact.msg[0].lower() + exact.msg[1:]
        return BadInput(f"not JSON: {what}", place=f"{name}:{exact.lineno}:{exact.colno}", hint=hint)
    except (ValueError, RecursionError):
        pass
    return BadInput(f"not JSON: {error}", place=name, hint=hint)


def write_file(file: str, text: str) -> None:
    """Write a file whole or not at all; one that is there keeps its rights. Raises CannotWrite."""
    from lfr.host.atomic_write import write_atomically

    write_atomically(Path(file), text)


def _read_file(file: str) -> bytes:
    """All of a file. Raises NotFound, Refused for lack of permission, BadInput for what is no file."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise _file_error(error, file) from None
    except ValueError:  # a NUL in the name
        raise NotFound("there is no such file", place=file) from None


def _file_error(error: OSError, file: str) -> LfrError:
    match error:
        case FileNotFoundError():
            return NotFound("there is no such file", place=file)
        case PermissionError():
            return Refused("no permission to read this file", place=file)
        case IsADirectoryError():
            return BadInput("this is a folder, not a file", place=file)
    return NotFound(f"cannot be read: {error.strerror}", place=file)


def seconds(text: str) -> float:
    """The type of an option that takes seconds. Raises ArgumentTypeError, which argparse tells the user."""
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text} is not a number of seconds, 0 or more")
    return value


def port(text: str) -> int:
    """The type of an option that takes a port."""
    value = count(text)
    if value > 65535:
        raise ArgumentTypeError(f"{text} is no port, 1 to 65535")
    return value


def count(text: str) -> int:
    """The type of an option that takes a whole number, at least 1."""
    try:
        value = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise ArgumentTypeError(f"{text} is below 1")
    return value
