"""What the tasks of the fault tests do: functions of their input, their parameters and their step alone.

Workers and the oracle share these, so that a repeated execution has the same output. This module imports
nothing of lfr: foreign workers use it, too.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def echo(input: Any, parameters: Any, index: int) -> Any:
    """Return the input."""
    return input


def none(input: Any, parameters: Any, index: int) -> Any:
    """Return null."""
    return None


def pair(input: Any, parameters: Any, index: int) -> Any:
    """Return the input with the number of the step."""
    return [input, index]


def emit(input: Any, parameters: Any, index: int) -> Any:
    """Return the parameter `value`."""
    return parameters["value"]


def mark(input: Any, parameters: Any, index: int) -> Any:
    """Return an object that shows whether the input is empty, and the number of the step."""
    return {"n": index, **({"yes": 1} if input else {})}


def big(input: Any, parameters: Any, index: int) -> Any:
    """Return a large value; what it holds depends on the input."""
    return {"text": digest(input) * (parameters["size"] // 32)}


def small(input: Any, parameters: Any, index: int) -> Any:
    """Return the digest of a large value."""
    return {"digest": digest(input)}


FUNCTIONS = {"echo": echo, "none": none, "pair": pair, "emit": emit, "mark": mark, "big": big, "small": small}
"""The functions by the word behind the colon of a task's name. What else workers do, such as `flaky`, ends
like `echo` once it succeeds."""


def output_of(task: str, input: Any, parameters: Any, index: int) -> Any:
    """Return the output of a task that succeeds."""
    return FUNCTIONS.get(task.partition(":")[2], echo)(input, parameters, index)


def digest(value: Any) -> str:
    """Return a short text that stands for a JSON value."""
    return hashlib.md5(json.dumps(value, sort_keys=True).encode()).hexdigest()
