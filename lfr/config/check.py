"""Checks the values of settings: their type and their bounds.

A duration is a number of seconds, or a text with units, such as `10m`.

The environment and credentials have only text: there, commas or white space separate the texts of a list,
and texts by name are written `NAME=TEXT`. The configuration file has lists and mappings of its own, so
there a text may hold commas and blanks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lfr.config.settings import Setting, Value
from lfr.errors import BadSettings
from lfr.store.key_patterns import has_first_word
from lfr.values.checks import (
    HOST,
    NUMBER_TEXT,
    WHOLE_NUMBER_TEXT,
    Check,
    duration,
    is_unicode,
    number,
    one_of,
    whole_number,
)

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

_SEPARATOR: Final = re.compile(r"[\s,]+")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]+(/[^/]+)*/?")
_PREFIX_TEXT: Final = re.compile(r"(?:[A-Za-z0-9._/-]+:)+")


def check_setting(setting: Setting, raw: Any, place: str) -> Value:
    """Return the value of a setting, from text or from a value of its type.

    `place` is where it stands. Raises BadSettings, which names the place, for a value of another type or out
    of bounds; the message of a secret setting leaves the value out.
    """
    value: Any = raw
    if not _is_unicode(raw):
        raise BadSettings(f"{setting.name} must be text in UTF-8", place=place)
    type_check = _DURATION if setting.is_duration else _TYPES[setting.type]
    for check in (type_check, _BOUNDS.get(setting.name, _ABOVE_ZERO)):
        value = check.read(value)
        if value is None:
            may_hold_secret = setting.secret or "@" in repr(raw)  # a URL may have a password in it
            value_text = "that value" if may_hold_secret else repr(raw)
            raise BadSettings(f"{setting.name} must be {check.words}, not {value_text}", place=place)
    result: Value = value
    return result


def _is_unicode(raw: Any) -> bool:
    """Return whether UTF-8 can encode all texts of a value: the environment may hold other bytes, which
    Python makes surrogates of."""
    if isinstance(raw, Mapping):
        return all(map(_is_unicode, [*raw.keys(), *raw.values()]))
    if isinstance(raw, list | tuple):
        return all(map(_is_unicode, raw))
    return not isinstance(raw, str) or is_unicode(raw)


def _read_list(raw: Any) -> tuple[str, ...] | None:
    if isinstance(raw, str):
        return tuple(_split(raw))
    if isinstance(raw, list | tuple) and all(isinstance(item, str) for item in raw):
        return tuple(raw)
    return None


def _read_mapping(raw: Any) -> dict[str, str] | None:
    if isinstance(raw, str):
        pairs = [item.partition("=") for item in _split(raw)]
        texts = {name: text for name, equals, text in pairs if name and equals}
        return texts if len(texts) == len(pairs) else None
    if isinstance(raw, Mapping) and all(isinstance(text, str) for pair in raw.items() for text in pair):
        return dict(raw)
    return None


def _split(text: str) -> list[str]:
    return [item for item in _SEPARATOR.split(text) if item]


def _read_level(text: str) -> str | None:
    return text.upper() if text.upper() in LOG_LEVELS else None


_TYPES: Final[Mapping[type, Check]] = {
    str: Check("text", lambda raw: raw if isinstance(raw, str) else None),
    int: WHOLE_NUMBER_TEXT,
    float: NUMBER_TEXT,
    tuple: Check("a list of texts", _read_list),
    dict: Check("NAME=TEXT with each name once", _read_mapping),
}

_DURATION: Final = duration()
_LARGEST_TEXT: Final = 512 * 2**20
"""The bytes that Redis stores in a text."""

_SIZE: Final = whole_number(1, _LARGEST_TEXT)
_TIMEOUT: Final = duration(0.1, 86_400)
_LEASE: Final = duration(0.1, 7 * 86_400)
_PERIOD: Final = duration(0.1, 3650 * 86_400)
_TOKEN: Final = Check(
    "printable ASCII characters without blanks around them",  # what a header of HTTP can carry
    lambda text: text if text.isascii() and text.isprintable() and text == text.strip() else None,
)

_RETENTION: Final = duration()
_FOLDER: Final = Check(
    "an absolute path, such as /var/lib/lfr/archives",  # the working folder of a role is nobody's choice
    lambda text: text if not text or (text.startswith("/") and "\0" not in text) else None,
)


_BUCKETS: Final = Check(
    "names of buckets without s3://, each perhaps with /FOLDER behind it",
    lambda entries: entries if all(map(_BUCKET.fullmatch, entries)) else None,
)


def _read_host_names(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Lower their letters: browsers send names so. Addresses are accepted without being named."""
    are_names = all(HOST.read(name) is not None and not set(name) & set(":*/") for name in names)
    return tuple(name.lower() for name in names) if are_names else None


_HOST_NAMES: Final = Check("host names without scheme, port or *, such as lfr.example.com", _read_host_names)
_PREFIX: Final = Check(
    "letters, digits and . _ / - with a : behind them, such as staging: (none of lfr's own, such as flow:)",
    lambda text: text if not text or (_PREFIX_TEXT.fullmatch(text) and not has_first_word(text)) else None,
)

_BOUNDS: Final[Mapping[str, Check]] = {
    "redis.host": HOST,
    "redis.prefix": _PREFIX,
    "redis.port": Check("a port, 1 to 65535", whole_number(1, 65535).read),
    "redis.timeout": _TIMEOUT,
    "redis.replicas": whole_number(0, 100),
    "redis.replicas_timeout": duration(0.001, 600),
    "redis.replicas_store": one_of("memory", "disk"),
    "log.level": Check(f"one of {', '.join(LOG_LEVELS)}", _read_level),
    "logs.attempt": whole_number(0, 16 * 2**20),
    "logs.workflow": whole_number(1024, 256 * 2**20),
    "batch": whole_number(1, 100_000),
    "tasks.deliveries": whole_number(1, 1_000_000),
    "lease": _LEASE,
    "tasks.lease": _LEASE,
    "receipts.forget": _PERIOD,
    "events.retain": _PERIOD,
    "retention.finished": _RETENTION,
    "retention.failed": _RETENTION,
    "retention.terminated": _RETENTION,
    "retention.archive": _FOLDER,
    "limits.memory": number(0.1, 1),
    "values.large": _SIZE,
    "resources.size": _SIZE,
    "resources.timeout": _TIMEOUT,
    "history.most": whole_number(100, 10_000_000),
    "iterate.limit": whole_number(1, 1_000_000),
    "calls.depth": whole_number(1, 100),
    "calls.total": whole_number(1, 1_000_000_000),
    "archive.buckets": _BUCKETS,
    "s3.timeout": _TIMEOUT,
    "request.size": _SIZE,
    "api.token": _TOKEN,
    "api.read_token": _TOKEN,
    "api.require_token": Check("always or remote", {"always": "always", "remote": "remote"}.get),
    "api.body": _SIZE,
    "api.littleflow": one_of("true", "false"),
    "api.hosts": _HOST_NAMES,
    "notify.mail_tls": one_of("starttls", "tls", "none"),
    "notify.alive_every": duration(1, 86_400),
    "notify.give_up": _PERIOD,
    "traces.requests": one_of("true", "false"),
}
"""The checks of single settings, by name."""

_ABOVE_ZERO: Final = Check(
    "above 0", lambda value: None if isinstance(value, int | float) and value <= 0 else value
)
"""The check of all other numbers."""
