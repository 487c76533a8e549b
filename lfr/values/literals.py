"""Literals: the JSON and the YAML that stand in a flow -> values. Safe and limited.

JSON is strict: no NaN, no Infinity. YAML may say only what JSON can hold.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

from lfr.values.json import Json

MAX_DEPTH: Final = 100
"""How many lists and objects may stand inside each other: Python's own JSON ends near 1000."""

MAX_DIGITS: Final = 4000
"""Digits: Python refuses to read more than 4300, and to write them again."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class BadLiteral(ValueError):
    """A literal that is no JSON or YAML. `at` is the index of the place in the flow's text, or None."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


def parse_json(text: str, at: int) -> tuple[Json, int]:
    """The JSON value that begins at this index, and the index behind it. Raises BadLiteral."""
    try:
        value, end = _decode(text, at)
    except json.JSONDecodeError as error:
        raise BadLiteral(f"JSON: {_plain(error.msg)}", error.pos) from None
    except RecursionError:
        raise BadLiteral(too_deep("JSON")) from None
    except ValueError as error:  # a number that is not finite, or has too many digits
        raise BadLiteral(f"JSON: {error}") from None
    _check_json(value)
    return value, end


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


_decode = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer).raw_decode


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]


def too_deep(form: str) -> str:
    """What to say of a literal that is nested too deeply; `form` is JSON or YAML."""
    return f"{form}: nested more than {MAX_DEPTH} levels deep"


def _check_json(value: Json) -> None:
    """Refuse what the decoder lets through and others could not read: 1e999, halves of surrogate pairs."""
    level: list[Json] = [value]
    depth = 0
    while level:
        depth += 1
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict | list) and depth > MAX_DEPTH:
                raise BadLiteral(too_deep("JSON"))
            if isinstance(item, dict):
                for key in item:
                    check_text(key)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif isinstance(item, str):
                check_text(item)
            elif isinstance(item, float) and not math.isfinite(item):
                raise BadLiteral("JSON: a number that is too big")
        level = inner


def check_text(text: str) -> None:
    """Refuse text that has no encoding. Raises BadLiteral."""
    if not text.isascii() and _SURROGATE.search(text):
        raise BadLiteral("half of a surrogate pair is no character")


def parse_yaml(text: str, start: int, end: int) -> Json:
    """The value of the YAML between two indices; nothing is `{}`. Raises BadLiteral.

    YAML whose lines begin in other columns than its first one is no YAML as it stands, but may be so
    without the white space around it.
    """
    from lfr.values.yaml import MAX_YAML_LENGTH, load_yaml  # here: most flows have no YAML

    if end - start > MAX_YAML_LENGTH:
        raise BadLiteral(f"YAML: more than {MAX_YAML_LENGTH:,} characters; write it as JSON")
    body = text[start:end]
    try:
        return load_yaml(body, start)
    except BadLiteral:
        inner = body.strip()
        if inner == body:
            raise
        try:
            return load_yaml(inner, start + len(body) - len(body.lstrip()))
        except BadLiteral:
            pass  # the error of the text as it stands is the one to tell
        raise
