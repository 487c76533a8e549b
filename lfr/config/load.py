"""Defaults, file, environment, credentials, command line -> Settings, with where each value came from.

Each of these is a layer; a stronger one replaces what a weaker one says, setting by setting. Weakest
first:

1. the defaults of `config/settings.py`
2. the YAML file: `--config`, else `$LFR_CONFIG`, else /etc/lfr/lfr.yaml if there is one
3. the environment; a variable that is empty says nothing
4. systemd's credentials: files in `$CREDENTIALS_DIRECTORY` that are named like a setting; or like it with
   `lfr_` before it, as `LoadCredential=lfr:FOLDER` names those of a folder (systemd.exec(5), "Credentials")
5. what is given: the command line, or the arguments of `Client`

Where Redis is, is said by a URL or by host and port, and there the strongest layer that says either
decides: `--host` beats a URL of the environment, and a URL beats host and port of its own layer and of
all weaker ones. If the URL is beaten, a host or port that the stronger layer leaves open is still taken
from the weaker layers. A user or password inside a URL counts as that layer's user and password, and is
taken out of the URL, so that no URL that is shown or logged holds a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from lfr.config.check import check_setting
from lfr.config.settings import Setting, Settings, table
from lfr.errors import BadSettings

DEFAULT_FILE: Final = "/etc/lfr/lfr.yaml"

DEFAULT: Final = "default"
"""The origin of a value that nobody has set."""


class SourcedValue(NamedTuple):
    """A value and where it came from, in words: `$REDIS_HOST`, `--host`, `/etc/lfr/lfr.yaml:3`."""

    value: Any
    origin: str


Layer: TypeAlias = dict[str, SourcedValue]
"""What one source says, by the attributes of `Settings`."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The effective settings; by attribute, where each came from; the file that was read, or empty."""

    settings: Settings
    origins: Mapping[str, str]
    file: str


def load_settings(given: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process, with those that are `given` by attribute; None says nothing.

    Raises BadSettings.
    """
    arguments = (given or {}).items()
    layer = {name: SourcedValue(value, f"argument {name}") for name, value in arguments if value is not None}
    return load_with_origins(layer).settings


def load_with_origins(
    given: Layer,
    *,
    config: str = "",
    environment: Mapping[str, str] | None = None,
    default_file: str = DEFAULT_FILE,
) -> LoadedSettings:
    """The settings, and where each came from.

    `given` is the strongest layer; `config` the file that the command line names. Raises BadSettings:
    a file that was named and is not there, an unknown key, a value of the wrong type.
    """
    environment = os.environ if environment is None else environment
    settings = list(table())
    file = _file(config, environment, default_file)
    layers = [
        {setting.attribute: SourcedValue(setting.default, DEFAULT) for setting in settings},
        _file_layer(file, settings),
        _environment_layer(environment, settings),
        _credentials_layer(environment.get("CREDENTIALS_DIRECTORY", ""), settings),
        _given_layer(given, settings),
    ]
    merged: Layer = {}
    for layer in map(_without_user_in_url, layers):
        if "redis_url" not in layer and layer.keys() & {"redis_host", "redis_port"}:
            merged["redis_url"] = SourcedValue("", DEFAULT)
        merged.update(layer)
    return LoadedSettings(
        Settings(**{name: value for name, (value, _) in merged.items()}),
        {name: origin for name, (_, origin) in merged.items()},
        file,
    )


def _file(config: str, environment: Mapping[str, str], default: str) -> str:
    named = config or environment.get("LFR_CONFIG", "")
    return named or (default if Path(default).exists() else "")


def _file_layer(file: str, settings: list[Setting]) -> Layer:
    if not file:
        return {}
    from lfr.config.file import read_settings_file  # imports yaml

    by_name = {setting.name: setting for setting in settings}
    layer: Layer = {}
    for name, raw, place in read_settings_file(file, {name: by_name[name].type for name in by_name}):
        layer[by_name[name].attribute] = SourcedValue(check_setting(by_name[name], raw, place), place)
    return layer


def _environment_layer(environment: Mapping[str, str], settings: list[Setting]) -> Layer:
    layer: Layer = {}
    for setting in settings:
        text = environment.get(setting.variable, "")
        if text:
            origin = f"${setting.variable}"
            layer[setting.attribute] = SourcedValue(check_setting(setting, text, origin), origin)
    return layer


def _credentials_layer(folder: str, settings: list[Setting]) -> Layer:
    layer: Layer = {}
    if not folder:
        return layer
    for setting in settings:
        paths = (Path(folder, setting.name), Path(folder, f"lfr_{setting.name}"))
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            continue
        origin = f"credential {setting.name}"
        try:
            text = path.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSettings(f"cannot be read: {error}", place=origin) from None
        layer[setting.attribute] = SourcedValue(check_setting(setting, text, origin), origin)
    return layer


def _given_layer(given: Layer, settings: list[Setting]) -> Layer:
    by_attribute = {setting.attribute: setting for setting in settings}
    layer: Layer = {}
    for name, (raw, origin) in given.items():
        if name not in by_attribute:
            raise BadSettings(f"there is no setting {name}", hint="one of " + ", ".join(by_attribute))
        layer[name] = SourcedValue(check_setting(by_attribute[name], raw, origin), origin)
    return layer


def _without_user_in_url(layer: Layer) -> Layer:
    """The layer with user and password as settings of their own, where its URL of Redis holds them."""
    if "redis_url" not in layer or not layer["redis_url"].value:
        return layer
    url, origin = layer["redis_url"]
    try:
        parts = urlsplit(url)
        place, _, host = parts.netloc.rpartition("@")
    except ValueError as error:
        raise BadSettings(f"the URL of Redis cannot be read: {error}", place=origin) from None
    user, _, password = place.partition(":")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    user = query.pop("username", unquote(user))
    password = query.pop("password", unquote(password))
    if not user and not password:
        return layer
    bare = parts._replace(netloc=host, query=urlencode(query)).geturl()
    if not host and parts.scheme == "unix":  # `geturl` leaves out the slashes of an empty host
        bare = f"unix://{parts.path}" + (f"?{urlencode(query)}" if query else "")
    found = {"redis_url": bare, "redis_username": user, "redis_password": password}
    return layer | {name: SourcedValue(value, origin) for name, value in found.items()}
