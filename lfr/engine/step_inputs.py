"""The inputs of workflows and steps: which values they may be, how they are merged, how big they may be.

An input is made of outputs, and an output may be an input. Where several branches meet again and again, a
value may double or get deeper at each step, although no task does anything. Limits keep a few lines of flow
text from making a value that cannot be written or read.

Each step that starts gets a copy of its input, so a big output before a wide fan can be more than a
transaction can hold: Redis closes a connection that has sent more than 1 GiB of one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lfr.errors import BadInput
from lfr.values.json import ABSENT, MAX_DEPTH, InvalidJson, Json, copy_json
from lfr.values.texts import cut
from lfr.values.work import LookBudget, TooMuchWork

MAX_VALUES: Final = 10_000_000
"""How many values the lists that one transition makes of outputs may hold together."""

MAX_BYTES: Final = 2**28
"""About how many bytes of JSON one transition may give to steps."""

_PUNCTUATION: Final = 8
"""About how many bytes of JSON a value has besides its letters: quotes, a comma, the digits of a number."""

_ESCAPE: Final = 6
"""Bytes of JSON for a letter that is not ASCII, at most."""


class InputError(ValueError):
    """The outputs before a step make no input: they cannot be merged, or are too big. The text says why."""


class TooBig(ValueError):
    """A value has too many values or levels. The text is the predicate of a sentence about it."""


def normalize_input(input: Json) -> Json:
    """Return the input of a workflow as JSON data; ABSENT becomes `{}`. Raises BadInput if it is no JSON."""
    return {} if input is ABSENT else normalize_value("the input", input)


def normalize_value(name: str, value: Json) -> Json:
    """Return a value that a person or program hands in as JSON data. Raises BadInput, with its name, if it is
    none, or nested too deeply to be read again."""
    try:
        return copy_json(value)
    except InvalidJson as error:
        raise BadInput(f"{name} cannot be written as JSON: {error}") from None


def merge(members: Iterable[Json], budget: LookBudget | None = None) -> dict[str, Json]:
    """Return one object made of a list of objects: later members win, key by key at the top level.

    A list among the members is merged in its place; null adds nothing. Raises InputError for anything else,
    and if there are more keys and members than the budget has looks; None: it is not limited.
    """
    merged: dict[str, Json] = {}
    stack = [iter(members)]  # not recursive: a worker may answer with lists in lists of any depth
    while stack:
        for member in stack[-1]:
            if budget is not None:
                _spend(budget, 1 + (len(member) if isinstance(member, dict) else 0))
            if isinstance(member, dict):
                merged.update(member)
            elif isinstance(member, list):
                stack.append(iter(member))
                break
            elif member is not None:
                raise InputError(f"cannot merge {cut(repr(member), 40)}: only objects can be merged")
        else:
            stack.pop()
    return merged


def _spend(budget: LookBudget, count: int) -> None:
    try:
        budget.spend(count)
    except TooMuchWork as error:
        raise InputError(f"its merge would take {error}") from None


class _Size(NamedTuple):
    """The size of a value: levels of nesting, number of values in it and itself, about how many bytes."""

    depth: int
    values: int
    bytes: int


@dataclass(slots=True)
class PayloadMeter:
    """Measures the values that one transition makes. A value that stands in several others is measured once.

    input_bytes  about how many bytes of JSON `add_input` has been given
    """

    input_bytes: int = 0
    _made_values: int = 0
    _sizes: dict[int, tuple[Json, _Size]] = field(default_factory=dict)  # a value that lives keeps its id

    def check(self, outputs: list[Json]) -> None:
        """Count a list that has been made of outputs. Raises TooBig if it is nested too deeply, or if all
        lists that were counted hold more than MAX_VALUES values."""
        size = self._size(outputs)
        self._made_values += size.values
        if self._made_values > MAX_VALUES:
            raise TooBig(f"is too big: more than {MAX_VALUES:,} values at once")
        if size.depth > MAX_DEPTH:
            raise TooBig(f"is nested more than {MAX_DEPTH} levels deep")

    def add_input(self, input: Json) -> None:
        """Count the input of a step. Raises TooBig if all inputs together have more than MAX_BYTES."""
        measured = self._sizes.get(id(input))
        self.input_bytes += (measured[1] if measured else self._size(input)).bytes
        if self.input_bytes > MAX_BYTES:
            limit = f"{MAX_BYTES / 2**20:.0f} MiB"
            raise TooBig(f"is too big: more than {limit} for the steps that start at once")

    def _size(self, value: Json) -> _Size:
        depth = values = letters = 0
        deepest = 0
        level = [value]
        while level and values <= MAX_VALUES:
            inner: list[Json] = []
            for item in level:
                values += 1
                if not isinstance(item, dict | list):
                    if type(item) is str:
                        letters += _letters(item)
                    continue
                measured = self._sizes.get(id(item))
                if measured is None:
                    deepest = max(deepest, depth + 1)
                    if isinstance(item, dict):
                        letters += sum(map(_letters, item))
                        inner.extend(item.values())
                    else:
                        inner.extend(item)
                else:
                    deepest = max(deepest, depth + measured[1].depth)
                    values += measured[1].values - 1
                    letters += measured[1].bytes - _PUNCTUATION * measured[1].values
            level = inner
            depth += 1
        size = _Size(deepest, values, letters + _PUNCTUATION * values)
        self._sizes[id(value)] = (value, size)
        return size


def _letters(text: str) -> int:
    return len(text) if text.isascii() else _ESCAPE * len(text)
