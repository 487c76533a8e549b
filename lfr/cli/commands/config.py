"""`lfr config` and `lfr version`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from lfr import __version__
from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.format_workflow import long_json
from lfr.cli.ui.options import add_connection, settings_of
from lfr.cli.ui.table import Cell, Column, draw_table
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import DEFAULT, DEFAULT_FILE, LoadedSettings
from lfr.config.settings import Setting, Value, table

_MASK = "********"

_COLUMNS = (Column("setting"), Column("value", most=60), Column("from", most=60), Column("meaning"))


def _add_config_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="an object: by name, the value and its origin")
    add_connection(parser)


def _config(arguments: Namespace, terminal: Terminal) -> int:
    loaded = settings_of(arguments)
    if arguments.json:
        told = {
            setting.name: {"value": _shown(setting, loaded), "origin": _origin(setting, loaded)}
            for setting in table()
        }
        terminal.print(long_json(told))
        return Exit.OK
    rows = [_row(setting, loaded) for setting in table()]
    for line in draw_table(terminal, _COLUMNS, rows):
        terminal.print(line)
    terminal.print()
    terminal.print(f"file: {loaded.file or f'none ({DEFAULT_FILE} is not there)'}")
    return Exit.OK


def _row(setting: Setting, loaded: LoadedSettings) -> list[Cell]:
    origin = _origin(setting, loaded)
    is_default = origin == DEFAULT
    value = _shown(setting, loaded)
    return [
        Cell(setting.name),
        Cell(_text(value), "" if is_default else "bold"),
        Cell(origin, "dim" if is_default else ""),
        Cell(setting.help, "dim"),
    ]


def _text(value: Value) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(setting: Setting, loaded: LoadedSettings) -> Value:
    value: Value = getattr(loaded.settings, setting.attribute)
    return _MASK if setting.secret and value else value


def _origin(setting: Setting, loaded: LoadedSettings) -> str:
    if setting.attribute in ("redis_host", "redis_port") and loaded.settings.redis_url:
        return "not used: redis.url"
    return loaded.origins[setting.attribute]


def _add_no_arguments(parser: ArgumentParser) -> None:
    return


def _version(arguments: Namespace, terminal: Terminal) -> int:
    terminal.print(f"lfr {__version__}")
    return Exit.OK


HANDLERS: Handlers = {
    "config": Handler(_add_config_arguments, _config),
    "version": Handler(_add_no_arguments, _version),
}
