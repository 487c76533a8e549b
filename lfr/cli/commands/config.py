"""`lfr config`: show each setting with its value and its origin."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import suppress

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_connection_options, add_flag, read_command_settings
from lfr.cli.ui.table import Cell, Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import DEFAULT, DEFAULT_FILE, LoadedSettings
from lfr.config.running_up import with_running_up
from lfr.config.settings import Setting, Value, all_settings
from lfr.errors import BadSettings, Unreachable
from lfr.store.redis.url import parse_redis_url
from lfr.values.times import format_duration

_MASK = "********"

_COLUMNS = (
    Column("setting"),
    Column("value", max_width=60),
    Column("from", max_width=60, drop=1),
    Column("meaning", drop=2),
)


def _add_arguments(parser: ArgumentParser) -> None:
    add_flag(parser, "--json", "print an object: by name, the value and its origin")
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    loaded = read_command_settings(arguments)
    with suppress(Unreachable, BadSettings):  # then it shows what is set
        loaded = with_running_up(loaded)
    if arguments.json:
        values = {
            setting.name: {"value": _masked_value(setting, loaded), "origin": _origin(setting, loaded)}
            for setting in all_settings()
        }
        terminal.print_json(values)
        return
    rows = [_row(setting, loaded) for setting in all_settings()]
    terminal.print_lines(format_table(terminal, _COLUMNS, rows))
    for sentence in loaded.ignored:
        terminal.print_err(f"lfr: {sentence}")
    terminal.print(f"\nfile: {loaded.file or f'none ({DEFAULT_FILE} is not there)'}")


def _row(setting: Setting, loaded: LoadedSettings) -> Row:
    origin = _origin(setting, loaded)
    is_default = origin == DEFAULT
    return [
        setting.name,
        Cell(_format_value(setting, _masked_value(setting, loaded)), "" if is_default else "bold"),
        Cell(origin, "dim" if is_default else ""),
        Cell(setting.help, "dim"),
    ]


def _format_value(setting: Setting, value: Value) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, tuple):
        return ", ".join(value)
    return format_duration(value) if setting.is_duration and isinstance(value, float) else str(value)


def _masked_value(setting: Setting, loaded: LoadedSettings) -> Value:
    value: Value = getattr(loaded.settings, setting.attribute)
    if setting.secret and isinstance(value, Mapping):
        return dict.fromkeys(value, _MASK)
    if setting.attribute == "redis_url" and value:
        return parse_redis_url(str(value), loaded.origins["redis_url"]).masked_text
    if isinstance(value, Mapping):
        return {name: _masked_url(text) for name, text in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_masked_url, value))
    return _MASK if setting.secret and value else value


def _masked_url(text: str) -> str:
    """Return a text with a mask for user and password if it is a URL. No such URL is valid in a list of URLs,
    but a person may set it. A password that is not encoded may have a `/`, so that it seems to be a port."""
    scheme, _, rest = text.partition("://")
    server = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in server or ("@" in rest and re.search(r":(?!\d*$)", server)):
        return f"{scheme}://{_MASK}@{rest.rpartition('@')[2]}"
    return text


def _origin(setting: Setting, loaded: LoadedSettings) -> str:
    if setting.attribute in ("redis_host", "redis_port") and loaded.settings.redis_url:
        return "not used: redis.url"
    return loaded.origins[setting.attribute]


HANDLER = Handler(
    _add_arguments,
    _run,
    "The sources of settings, weakest first: defaults; the YAML file (--config, else $LFR_CONFIG, else "
    "/etc/lfr/lfr.yaml); the environment; systemd credentials; the command line. Secrets are masked.",
    (("config", ""), ("config --json", "one JSON object")),
    (ExitCode.BAD_SETTINGS,),
)
