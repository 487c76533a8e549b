"""Loads the settings from all sources, with the origin of each value.

Each source is a layer. A stronger layer replaces the values of weaker ones, setting by setting. The layers,
weakest first:

1. the defaults of `config/settings.py`
2. the YAML file: `--config`, else `$LFR_CONFIG`, else /etc/lfr/lfr.yaml if it exists
3. the environment; an empty variable counts as not set
4. systemd's credentials: files in `$CREDENTIALS_DIRECTORY` named like a setting, or `lfr_` and the setting,
   as `LoadCredential=lfr:FOLDER` names the files of a folder (systemd.exec(5), "Credentials")
5. the overrides: the command line, or the arguments of `Client`

The address of Redis is either a URL or host and port. The strongest layer that has one of these decides:
`--host` overrides a URL of the environment, and the port then comes from the strongest layer that has one; a
URL overrides host and port of its own and of weaker layers. A layer that has none of these, but the data
folder of an `lfr up`, decides for the server of that one (`config/running_up.py`); a layer with a user or a
password alone, for the server at the default address. User and password in a URL
become the user and password of that layer and are removed from the URL, so that no URL that lfr shows or logs
holds a secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from lfr.config.check import LOG_LEVELS, check_setting
from lfr.config.settings import Setting, Settings, all_settings
from lfr.errors import BadSettings
from lfr.store.redis.url import parse_redis_url
from lfr.values.checks import suggestion

DEFAULT_FILE: Final = "/etc/lfr/lfr.yaml"

DEFAULT: Final = "default"
"""The origin of a value that no source sets."""


_OTHER_VARIABLES: Final = frozenset(
    f"LFR_{name}"
    for name in (
        "CONFIG",
        "FILE",
        "NOTICE_ID",
        "OPTIONS",
        "ROLE",
        "RULE",
        "STEP",
        "VALKEY_SERVER",
        "WORKFLOW",
    )
)
"""Variables that are no settings: what lfr reads elsewhere, or tells the programs that it runs."""


class SourcedValue(NamedTuple):
    """The value of a setting and its origin: `$REDIS_HOST`, `--host`, `/etc/lfr/lfr.yaml:3`."""

    value: Any
    origin: str


Layer: TypeAlias = dict[str, SourcedValue]
"""The values that one source sets, by the attributes of `Settings`."""

_RawValue: TypeAlias = tuple[Setting, Any, str]
"""A setting, its value in a source before the check, and the origin."""


class RedisSource(Enum):
    """What says where Redis is: settings of its address; only a user or a password, for the server at the
    default address; the data folder of an `lfr up`; or nothing."""

    ADDRESS = "address"
    PASSWORD = "password"
    UP_FOLDER = "up folder"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The effective settings, the origin of each by attribute, the file that was read or "", what says where
    Redis is, and for each ignored variable of the environment a sentence that says why."""

    settings: Settings
    origins: Mapping[str, str]
    file: str
    redis_source: RedisSource = RedisSource.ADDRESS
    ignored: tuple[str, ...] = ()


def load_settings(overrides: Mapping[str, Any]) -> Settings:
    """Return the settings of this process from all layers; `overrides`, by attribute, is the strongest one.

    An override of None counts as not set. If nothing says where Redis is, it is the server of the `lfr up`
    that this user runs, if there is one. Raises BadSettings as `load_with_origins`, and as `with_running_up`.
    """
    layer = {
        name: SourcedValue(value, f"argument {name}")
        for name, value in overrides.items()
        if value is not None
    }
    from lfr.config.running_up import with_running_up  # imports this module

    return with_running_up(load_with_origins(layer)).settings


def load_with_origins(
    overrides: Layer,
    *,
    config: str = "",
    environment: Mapping[str, str] | None = None,
    default_file: str = DEFAULT_FILE,
) -> LoadedSettings:
    """Return the settings from all layers, each with its origin.

    `overrides` is the strongest layer; `config` is the file that the command line names, or empty; the
    default of `environment` is that of this process. Raises BadSettings for a file that cannot be read (but
    `default_file` may be missing), an unknown setting, and a value of the wrong type or out of bounds.
    """
    environment = os.environ if environment is None else environment
    settings = list(all_settings())
    file = config or environment.get("LFR_CONFIG", "")
    if not file and os.path.exists(default_file):  # `Path.exists` raises without permission for the folder
        file = default_file
    sources = (
        _read_file(file, settings),
        _read_environment(environment, settings),
        _read_credentials(environment.get("CREDENTIALS_DIRECTORY", ""), settings),
        _find_overridden(overrides, settings),
    )
    merged = {setting.attribute: SourcedValue(setting.default, DEFAULT) for setting in settings}
    redis_source = RedisSource.NOTHING
    for layer in map(_without_user_in_url, map(_checked_layer, sources)):
        if "redis_url" not in layer and layer.keys() & {"redis_host", "redis_port"}:
            merged["redis_url"] = SourcedValue("", DEFAULT)
        redis_source = _redis_source(layer) or redis_source
        merged.update(layer)
    return LoadedSettings(
        Settings(**{name: value for name, (value, _) in merged.items()}),
        {name: origin for name, (_, origin) in merged.items()},
        file,
        redis_source,
        tuple(_ignored_variables(environment).values()),
    )


def _redis_source(layer: Layer) -> RedisSource | None:
    """Return what of a layer says where Redis is; None if nothing does."""
    names = {name for name, (value, _) in layer.items() if value}
    if names & {"redis_url", "redis_host", "redis_port"}:
        return RedisSource.ADDRESS
    if "up_data" in names:
        return RedisSource.UP_FOLDER
    return RedisSource.PASSWORD if names & {"redis_username", "redis_password"} else None


def _checked_layer(raw_values: Iterable[_RawValue]) -> Layer:
    return {
        setting.attribute: SourcedValue(check_setting(setting, raw, origin), origin)
        for setting, raw, origin in raw_values
    }


def _read_file(file: str, settings: list[Setting]) -> Iterator[_RawValue]:
    if file:
        from lfr.config.file import read_settings_file  # imports yaml

        by_name = {setting.name: setting for setting in settings}
        types = {setting.name: setting.type for setting in settings}
        for name, raw, origin in read_settings_file(file, types):
            yield by_name[name], raw, origin


def _read_environment(environment: Mapping[str, str], settings: list[Setting]) -> Iterator[_RawValue]:
    ignored = _ignored_variables(environment)
    for setting in settings:
        variables = (setting.variable, setting.second_variable)
        variable = next((each for each in variables if environment.get(each)), "")
        if variable and variable not in ignored:
            yield setting, environment[variable], f"${variable}"


def _ignored_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are ignored, each with a sentence that says why.

    Other programs use two of these names, too, and littleflow_redis runs with such values. Others resemble
    those of settings.
    """
    ignored: dict[str, str] = {}
    level, issuer = environment.get("LOG_LEVEL", ""), environment.get("ISSUER", "")
    if level and level.upper() not in LOG_LEVELS:
        ignored["LOG_LEVEL"] = f"$LOG_LEVEL is ignored: {level[:20]!r} is none of {', '.join(LOG_LEVELS)}"
    if issuer and not issuer.lstrip().startswith("{") and not _is_file(issuer):
        ignored["ISSUER"] = "$ISSUER is ignored: there is no such file, so requests get no signed token"
    variables = [name for setting in all_settings() for name in (setting.variable, setting.second_variable)]
    for name in sorted(environment.keys() - {*variables, *_OTHER_VARIABLES}):
        if name.startswith("LFR_") and (hint := suggestion(name, filter(None, variables))):
            ignored[name] = f"${name} is ignored: it is no setting; {hint}"
    return ignored


def _is_file(path: str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:  # a NUL
        return False


def _read_credentials(folder: str, settings: list[Setting]) -> Iterator[_RawValue]:
    for setting in settings if folder else ():
        paths = (Path(folder, setting.name), Path(folder, f"lfr_{setting.name}"))
        path = next((path for path in paths if os.path.isfile(path)), None)
        if path is None:
            continue
        origin = f"credential {setting.name}"
        try:
            text = path.read_text(encoding="utf-8-sig").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise BadSettings(f"cannot be read: {error.strerror}", place=origin) from None
        except UnicodeDecodeError:
            raise BadSettings("cannot be read: it is not text in UTF-8", place=origin) from None
        if text:  # systemd passes an empty one in place of a file that does not exist
            yield setting, text, origin


def _find_overridden(overrides: Layer, settings: list[Setting]) -> Iterator[_RawValue]:
    by_attribute = {setting.attribute: setting for setting in settings}
    for name, (raw, origin) in overrides.items():
        if name not in by_attribute:
            raise BadSettings(f"there is no setting {name}", hint="one of " + ", ".join(by_attribute))
        yield by_attribute[name], raw, origin


def _without_user_in_url(layer: Layer) -> Layer:
    """Return the layer with user and password of its Redis URL as settings of their own."""
    if "redis_url" not in layer or not layer["redis_url"].value:
        return layer
    text, origin = layer["redis_url"]
    url = parse_redis_url(text, origin)
    values = {"redis_url": url.text}
    if url.username or url.password:
        values |= {"redis_username": url.username, "redis_password": url.password}
    if url.sentinel_username or url.sentinel_password:
        values |= {
            "redis_sentinel_username": url.sentinel_username,
            "redis_sentinel_password": url.sentinel_password,
        }
    return layer | {name: SourcedValue(value, origin) for name, value in values.items()}
