"""Checks of values: what a value must be, in words, and a function that reads it.

Parameters of tasks, step options, settings, command-line options, queries of the API and archives use them,
so that the same mistake is named by the same words everywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from lfr.values import times
from lfr.values.json import Json
from lfr.values.texts import cut_json

_MAX_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Check:
    """What a value must be, in words, and a function that returns it as read, or None if it does not fit."""

    words: str
    read: Callable[[Json], Any]


def mismatch(name: str, value: Json, expected: str) -> str:
    """Return the message for a value that does not fit: `NAME is VALUE, but must be EXPECTED`."""
    verb = "are" if name.startswith("the ") else "is"
    return f"{name} {verb} {abbreviate(value)}, but must be {expected}"


def abbreviate(value: Json) -> str:
    """Return a value's JSON for a message, cut at 40 characters."""
    return cut_json(value, _MAX_SHOWN)


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return `did you mean NAME?` with the most similar of the names; an empty text if none is similar."""
    from difflib import get_close_matches  # here: only mistakes need it

    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else ""


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can encode a text. JSON may hold one that it cannot, such as `"\\ud800"`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_addressable(text: str) -> bool:
    """Return whether a name can stand in a URL and on a command line: it is not empty, all is printable, and
    it is neither `.` nor `..`, which browsers and proxies take out of a path."""
    return bool(text) and text.isprintable() and text not in (".", "..")


def read_whole_number(value: Json) -> int | None:
    """Return a whole number as an int, None for any other value. In JSON, 2.0 and 2e0 are whole numbers."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def whole_number(least: int, most: int) -> Check:
    """Return the check for a whole number within these bounds."""

    def read(value: Json) -> int | None:
        number = read_whole_number(value)
        return number if number is not None and least <= number <= most else None

    return Check(f"a whole number from {least} to {most}", read)


def number(least: float, most: float) -> Check:
    """Return the check for a number within these bounds."""
    return Check(
        f"a number from {least} to {most}",
        lambda value: float(value) if type(value) in (int, float) and least <= value <= most else None,
    )


def duration(least: float = 0.0, most: float | None = None) -> Check:
    """Return the check for a duration (`parse_duration`), in seconds; `most` None: up to a hundred years."""

    def read(value: Json) -> float | None:
        seconds = times.parse_duration(value)
        return seconds if seconds is not None and least <= seconds <= (most or seconds) else None

    limits = f"; at least {times.format_duration(least)}" if least else ""
    if most is not None:
        limits = f"; from {times.format_duration(least)} to {times.format_duration(most)}"
    return Check(times.DURATION_FORMAT + limits, read)


def one_of(*texts: str) -> Check:
    """Return the check for one of these texts."""
    return Check(f"one of {', '.join(texts)}", lambda value: value if value in texts else None)


def some_of(*texts: str) -> Check:
    """Return the check for one of these texts, or a list of them, read as a list."""

    def read(value: Json) -> list[str] | None:
        items = value if isinstance(value, list) else [value]
        return items if all(item in texts for item in items) else None

    return Check(f"{', '.join(texts)}, or a list of these", read)


def digits(least: int, most: int) -> Check:
    """Return the check for a text of digits that make a number within these bounds, read as an int."""

    def read(text: str) -> int | None:
        is_number = text.isascii() and text.isdigit() and len(text) < 20
        return int(text) if is_number and least <= int(text) <= most else None

    return Check(f"a number from {least} to {most}", read)


def _read_number_text(value: Json, type: Callable[[Any], float]) -> Any:
    accepted = (str, int) if type is int else (str, int, float)
    if isinstance(value, bool) or not isinstance(value, accepted):
        return None
    try:
        number = type(value)
        return number if math.isfinite(number) else None
    except (ValueError, OverflowError):  # no number, or one that no float holds
        return None


def _read_texts_by_name(value: Json) -> dict[str, str] | None:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        return None
    return value


def _read_words(value: Json) -> list[str] | None:
    if not isinstance(value, list):
        return None
    words = [json.dumps(item) if type(item) in (int, float) else item for item in value]
    return words if all(isinstance(word, str) for word in words) else None


def _read_texts(value: Json) -> tuple[str, ...] | None:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        return None
    return tuple(texts)


def _read_host(value: Json) -> str | None:
    if not isinstance(value, str) or not value.isprintable() or not value or set(value) & set(" /@[]"):
        return None
    try:
        value.encode("idna")  # as the socket module does, which raises no OSError for it
    except UnicodeError:
        return None
    return value


HOST: Final = Check("a host name or an IP address", _read_host)
TEXT: Final = Check("a text", lambda value: value if isinstance(value, str) and is_unicode(value) else None)
NAME: Final = Check(
    "a text without a colon",
    lambda value: value if TEXT.read(value) is not None and ":" not in value else None,
)
WHOLE_NUMBER_TEXT: Final = Check("a whole number", lambda value: _read_number_text(value, int))
NUMBER_TEXT: Final = Check("a number", lambda value: _read_number_text(value, float))
"""A number, or the text of one, as a setting or an option has it."""

FLAG: Final = Check("true or false", lambda value: value if isinstance(value, bool) else None)
OBJECT: Final = Check("an object", lambda value: value if isinstance(value, dict) else None)
LIST: Final = Check("a list", lambda value: value if isinstance(value, list) else None)
TEXTS: Final = Check("a text or a list of texts", _read_texts)
TEXTS_BY_NAME: Final = Check("an object of texts", _read_texts_by_name)
WORDS: Final = Check("a list of texts and numbers", _read_words)
TIME: Final = Check(
    "a time in ISO 8601 of the years 1 to 9999, in UTC unless it names its zone", times.parse_timestamp
)
