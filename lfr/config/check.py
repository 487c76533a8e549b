"""What a source says of a setting -> its value: of the right type, and in its bounds.

A list of texts is separated by commas or white space where there is only text to say it in, in the
environment or a credential; texts by name are so many `NAME=TEXT`. The configuration file has lists and
mappings of its own, so there a text may hold commas and blanks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from lfr.config.settings import Setting, Value
from lfr.errors import BadSettings

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

_KINDS: Final[dict[type, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    tuple: "a list of texts",
    dict: "NAME=TEXT with each name once",
}

_SEPARATOR: Final = re.compile(r"[\s,]+")


def checked(setting: Setting, raw: Any, place: str) -> Value:
    """The value of a setting, from text or from a value of its type. Raises BadSettings, without the
    value if it is secret."""
    shown = "that value" if setting.secret else repr(raw)
    value = _converted(setting.type, raw)
    if value is None:
        raise BadSettings(f"{setting.name} must be {_KINDS[setting.type]}, not {shown}", place=place)
    if isinstance(value, int | float) and value <= 0:
        raise BadSettings(f"{setting.name} must be above 0, not {shown}", place=place)
    if setting.attribute == "redis_port" and isinstance(value, int) and value > 65535:
        raise BadSettings(f"{setting.name} must be a port, 1 to 65535, not {shown}", place=place)
    if setting.attribute == "log_level":
        value = str(value).upper()
        if value not in LOG_LEVELS:
            hint = "one of " + ", ".join(LOG_LEVELS)
            raise BadSettings(f"there is no {setting.name} {shown}", place=place, hint=hint)
    return value


def _converted(kind: type, raw: Any) -> Value | None:
    """The value as one of its type, or None if it cannot be."""
    if kind is tuple:
        return _list(raw)
    if kind is dict:
        return _mapping(raw)
    if kind is str:
        return raw if isinstance(raw, str) else None
    return _number(kind, raw)


def _list(raw: Any) -> tuple[str, ...] | None:
    if isinstance(raw, str):
        return tuple(_separated(raw))
    if isinstance(raw, list | tuple) and all(isinstance(item, str) for item in raw):
        return tuple(raw)
    return None


def _mapping(raw: Any) -> dict[str, str] | None:
    if isinstance(raw, str):
        pairs = [item.partition("=") for item in _separated(raw)]
        texts = {name: text for name, equals, text in pairs if name and equals}
        return texts if len(texts) == len(pairs) else None
    if isinstance(raw, Mapping) and all(isinstance(text, str) for pair in raw.items() for text in pair):
        return dict(raw)
    return None


def _separated(text: str) -> list[str]:
    return [item for item in _SEPARATOR.split(text) if item]


def _number(kind: type, raw: Any) -> int | float | None:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    if kind is int and isinstance(raw, float):
        return None
    try:
        number: int | float = int(raw) if kind is int else float(raw)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
