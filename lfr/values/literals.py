"""Parses the JSON and YAML literals in a text, such as a flow: strict, safe and limited in size and depth.

JSON has no NaN and no Infinity. YAML may contain only what JSON can represent. Offsets are indices into
the whole text, from 0.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NoReturn

from lfr.values.checks import is_unicode
from lfr.values.json import Json

MAX_DEPTH: Final = 100
"""How many lists and objects may be nested; Python's own JSON stops near 1000."""

MAX_DIGITS: Final = 4000
"""Digits of a number; Python refuses to read or write more than 4300."""

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]', re.DOTALL)


class BadLiteral(ValueError):
    """A literal that is not valid JSON or YAML. `offset` is where the error is; None if that is unknown."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def parse_json(text: str, offset: int) -> tuple[Json, int]:
    """Return the JSON value that begins at an offset, and the offset after it. Raises BadLiteral."""
    try:
        value, end = _decode(text, offset)
    except json.JSONDecodeError as error:
        raise BadLiteral(f"JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.pos) from None
    except RecursionError:
        raise BadLiteral(too_deep("JSON")) from None
    except ValueError as error:  # a number that is not finite, or has too many digits
        raise BadLiteral(f"JSON: {error}") from None
    _check_json(value)
    return value, end


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS} digits")
    return int(digits)


_decode = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer).raw_decode


def too_deep(format: str) -> str:
    """Return the message about a literal that is nested too deeply; `format` is JSON or YAML."""
    return f"{format}: nested more than {MAX_DEPTH} levels deep"


def _check_json(value: Json) -> None:
    """Refuse values that others could not read: 1e999, half surrogate pairs."""
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
    """Raise BadLiteral for text that UTF-8 cannot encode."""
    if not is_unicode(text):
        raise BadLiteral("half of a surrogate pair is not a character")


def parse_yaml(text: str, start: int, end: int) -> Json:
    """Return the value of the YAML between two offsets; empty YAML is `{}`. Raises BadLiteral.

    YAML whose later lines begin in other columns than its first line may be valid only without the white
    space around it, so that is tried second.
    """
    from lfr.values.yaml import MAX_YAML_LENGTH, parse_yaml_document  # here: most flows have no YAML

    if end - start > MAX_YAML_LENGTH:
        raise BadLiteral(f"YAML: more than {MAX_YAML_LENGTH:,} characters; write it as JSON")
    body = text[start:end]
    try:
        return parse_yaml_document(body, start)
    except BadLiteral:
        stripped = body.strip()
        with suppress(BadLiteral):  # if this fails, too, report the error in the text as it stands
            if stripped != body:
                return parse_yaml_document(stripped, start + len(body) - len(body.lstrip()))
        raise


def duplicate_keys(text: str, offset: int) -> Iterator[tuple[str, int]]:
    """Yield each key that stands earlier in the same object, with its offset.

    `offset` is that of the opening `(` or `<` of a valid literal.
    """
    if text.startswith(("{", "["), offset + 1):
        yield from _duplicate_json_keys(text, offset + 1)
    elif text.startswith("-", offset + 1):
        from lfr.values.yaml import duplicate_yaml_keys  # here: most flows have no YAML

        closing = "-)" if text[offset] == "(" else "->"
        yield from duplicate_yaml_keys(text, offset + 2, text.index(closing, offset + 2))


def _duplicate_json_keys(text: str, offset: int) -> Iterator[tuple[str, int]]:
    has_duplicates = False

    def compare(pairs: list[tuple[str, object]]) -> None:
        nonlocal has_duplicates
        has_duplicates |= len(dict(pairs)) != len(pairs)

    json.JSONDecoder(object_pairs_hook=compare).raw_decode(text, offset)
    if not has_duplicates:
        return
    open_keys: list[set[str] | None] = []  # the keys of each open object; None for a list
    is_key = False
    for match in _JSON_TOKEN.finditer(text, offset):
        token = match[0]
        if token in "{[":
            open_keys.append(set() if token == "{" else None)
        elif token in "}]":
            open_keys.pop()
        elif is_key and token not in ":,":
            key, keys = json.loads(token), open_keys[-1]
            if keys is not None:
                if key in keys:
                    yield key, match.start()
                keys.add(key)
        is_key = token == "{" or (token == "," and open_keys[-1] is not None)
        if not open_keys:
            return
