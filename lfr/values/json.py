"""Encodes and decodes JSON: strict, compact, ASCII.

`json.loads` guesses the encoding and skips blanks around the value; `json.dumps`, and `JSONEncoder` too, make
an encoder at each call. Together these are half of the time that an event takes. NaN and Infinity are
refused, because other languages cannot read them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum
from typing import Any, Final, NoReturn, TypeAlias

Json: TypeAlias = Any
"""A value as `json.loads` gives it: dict, list, str, int, float, bool or None."""


class Absent(Enum):
    """Stands for a value that is not there, where None is a value: null."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

MAX_DEPTH = 200
"""How deeply a value may be nested. It is below Python's limit, because the engine nests values in lists."""

MAX_DOCUMENT_DEPTH = 700
"""How deeply a document with values in it may be nested, such as an archive: an item of an item, a hundred
times, may hold a value that is nested to the limit."""

_SHORT = 2 * MAX_DEPTH
"""A text of this many bytes or fewer cannot be nested too deeply."""

_LONG = 200
"""A text of more bytes is decoded by itself, and goes on as it came, see `JsonTexts`."""

_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])')


class InvalidJson(ValueError):
    """A text that is not JSON, or a value that cannot be written as JSON."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # such as 1e999, which cannot be encoded again
        raise ValueError(f"a number that is too big: {digits[:20]}")
    return number


_decode = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite).raw_decode
_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _find_encode() -> Callable[[Json, int], Iterable[str]]:
    """Return the function that `_encoder` makes anew for each value: it returns the parts of the text, and
    does not look for cycles. If this Python has it elsewhere, return one that calls `_encoder`."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    encode_string: Any = getattr(json.encoder, "c_encode_basestring_ascii", None)
    sample = {"a": [1, "\n", None], "b": 0.5}
    try:
        encode: Any = make(None, _encoder.default, encode_string, None, ":", ",", False, False, False)
        is_usable = "".join(encode(sample, 0)) == _encoder.encode(sample)
    except TypeError:
        is_usable = False
    return encode if is_usable else lambda value, _: _encoder.encode(value)


_encode = _find_encode()
_encode_text = json.encoder.encode_basestring_ascii


def decode_json(encoded: bytes, max_depth: int = MAX_DEPTH) -> Json:
    """Return the value of a JSON text in UTF-8. Raises InvalidJson, also for a text nested too deeply."""
    text, value = _decode_text(encoded)
    if _may_be_deep(encoded) and _depth(text) > max_depth:
        raise InvalidJson(f"it is nested more than {max_depth} levels deep")
    return value


def copy_json(value: Json) -> Json:
    """Return a copy of a value, as another process would read it. Raises InvalidJson if none could."""
    return decode_json(encode_json(value).encode())


def decode_json_lists(lists: Sequence[Collection[bytes]]) -> list[list[Json]]:
    """Return the values of many JSON texts at once, list by list; this is much faster than one by one.

    Raises InvalidJson if any of them is not JSON, or might be nested too deeply. Texts that are not JSON by
    themselves, but together, may be taken for values; not so long ones, which are decoded one by one.
    """
    joined = list(map(b",".join, lists))
    long: list[tuple[int, int, Json]] = []  # where a value stands, and the value
    for number, text in enumerate(joined):
        if len(text) > _SHORT:
            texts = list(lists[number])
            for position in [at for at, each in enumerate(texts) if len(each) > _LONG]:
                long.append((number, position, decode_json(texts[position])))
                texts[position] = b"0"
            joined[number] = b",".join(texts)
            if _may_be_deep(joined[number]):
                raise InvalidJson("one of them might be nested too deeply")
    values: list[list[Json]] = _decode_text(b"[[" + b"],[".join(joined) + b"]]")[1]
    if list(map(len, values)) != list(map(len, lists)):
        raise InvalidJson("one of them is not JSON")
    for number, position, value in long:
        values[number][position] = value
    return values


def _decode_text(encoded: bytes) -> tuple[str, Json]:
    try:
        text = encoded.decode().strip(" \t\n\r")
        value, end = _decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(str(error)) from None
    if end != len(text):
        raise InvalidJson(f"there is more after the value, at character {end}")
    return text, value


def _may_be_deep(encoded: bytes) -> bool:
    return encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.finditer(text):
        depth += (bracket[1] is not None) - (bracket[2] is not None)
        deepest = max(deepest, depth)
    return deepest


class JsonText(str):
    """A JSON text that stands for its value, so that the value need not be encoded."""

    __slots__ = ()


class JsonTexts:
    """The JSON texts of long values: a value that came as text, or goes to many, is not encoded again.

    It knows a value as an object: a copy of it is another value. None of them may change. A text goes on as
    it came twice, as an output and as an input. Then the value is encoded: it may take far fewer bytes than a
    text with blanks and escapes, and a thousand steps may get it.
    """

    def __init__(self) -> None:
        # By the id of a value: the value, so that no other gets this id; its text; how often that may go on.
        self._texts: dict[int, tuple[Json, JsonText, float]] = {}

    def add(self, value: Json, encoded: bytes) -> None:
        """Note the text from which `decode_json`, or `decode_json_lists`, has made a value. A text that is
        not on one line of ASCII is not kept: it would not be what `encode_json` may return."""
        if len(encoded) > _LONG and encoded.isascii() and (text := encoded.decode()).isprintable():
            self._texts[id(value)] = value, JsonText(text), 2

    def encode(self, value: Json) -> JsonText:
        """Return the text of a value. Raises InvalidJson as `encode_json` does."""
        _, text, uses = self._texts.get(id(value), _UNKNOWN)
        if not uses:
            text, uses = JsonText(encode_json(value)), math.inf
        if len(text) > _LONG:
            self._texts[id(value)] = value, text, uses - 1
        return text


_UNKNOWN = (None, JsonText(), 0)


def encode_json(value: Json) -> str:
    """Return a value as JSON text; a JsonText as it is. Raises InvalidJson, also for a value nested too
    deeply for Python."""
    if type(value) is int:
        return str(value)
    if type(value) is JsonText:
        return value
    if type(value) is str:
        return _encode_text(value)
    try:
        return "".join(_encode(value, 0))
    except (TypeError, ValueError, RecursionError):
        return _encode_again(value)


def _encode_again(value: Json) -> str:
    """Do as `encode_json`, slowly, for a value that `_encode` refuses: only `_encoder` names a cycle."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidJson(str(error)) from None


def encode_json_lines(*values: Json) -> str:
    """Return values as JSON texts, one on each line. Raises InvalidJson.

    One list of all values would nest each a level deeper, perhaps too deep for `decode_json`.
    """
    return "\n".join(map(encode_json, values))


def decode_json_lines(text: bytes) -> list[Json]:
    """Return the values of a text of `encode_json_lines`. Raises InvalidJson."""
    return [decode_json(line) for line in text.split(b"\n")]
