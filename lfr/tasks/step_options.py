"""What every step may say to lfr itself, under the reserved key of its parameters.

    (- lfr: {timeout: 5m, retry: {times: 3, delay: 10s}} -)     a task or a resource
    (- lfr: {limit: 5} -)                                       a step that is iterated

It is read when a flow is compiled, so that a mistake is found before anything runs; and by the engine.
It never reaches a worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lfr.values.checks import OBJECT, TEXTS, Check, duration, mismatch, number, suggestion, whole_number
from lfr.values.json import Json

RESERVED_KEY: Final = "lfr"
"""The key among a step's parameters that speaks to lfr and not to the task."""

MAX_RETRIES: Final = 1_000_000


class BadStepOptions(ValueError):
    """What stands under the reserved key cannot be used; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What happens when an attempt fails: it is made again.

    times    how often, at most
    delay    seconds before the first of them; `backoff`: by how much each is multiplied for the next
    longest  seconds that a delay may grow to
    jitter   by which part of itself a delay is varied at most, from 0 to 1
    on       texts of which one must stand in the reason of the failure; `timeout` stands in that of an
             attempt which took too long; none: every failure counts
    """

    times: int
    delay: float = 1.0
    backoff: float = 2.0
    longest: float = 3600.0
    jitter: float = 0.0
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What a step says to lfr.

    timeout  seconds that an attempt of its task may take
    limit    how many of its items are worked on at once, at most
    """

    timeout: float | None = None
    retry: Retry | None = None
    limit: int | None = None


NO_OPTIONS: Final = StepOptions()

_TIMEOUT: Final = duration(0.001)
_LIMIT: Final = whole_number(1, 1_000_000)


def parse_step_options(parameters: Json) -> StepOptions:
    """What these parameters say to lfr. Raises BadStepOptions."""
    if not isinstance(parameters, dict) or RESERVED_KEY not in parameters:
        return NO_OPTIONS
    fields = _object(RESERVED_KEY, parameters[RESERVED_KEY], ("timeout", "retry", "limit"))
    return StepOptions(
        timeout=_read("lfr.timeout", fields["timeout"], _TIMEOUT) if "timeout" in fields else None,
        retry=_retry(fields["retry"]) if "retry" in fields else None,
        limit=_read("lfr.limit", fields["limit"], _LIMIT) if "limit" in fields else None,
    )


def task_parameters(parameters: Json) -> Json:
    """The parameters that are the task's own: all but what the reserved key holds; `{}` for none."""
    if isinstance(parameters, dict):
        return {key: value for key, value in parameters.items() if key != RESERVED_KEY}
    return {} if parameters is None else parameters


def retry_delay(retry: Retry, number: int, chance: float) -> float:
    """The seconds before the `number`-th retry, from 1. `chance`, from 0 to 1, is what jitter goes by."""
    try:
        delay = min(retry.delay * retry.backoff ** (number - 1), retry.longest)
    except OverflowError:
        delay = retry.longest if retry.delay else 0.0
    return float(delay * (1 + retry.jitter * (2 * chance - 1)))


def is_retryable(retry: Retry, reason: str) -> bool:
    """Whether a failure for this reason is one that another attempt may mend."""
    return not retry.on or any(text in reason for text in retry.on)


_RETRY_FIELDS: Final = {
    "times": whole_number(0, MAX_RETRIES),
    "delay": duration(),
    "backoff": number(1, 1000),
    "longest": duration(),
    "jitter": number(0, 1),
    "on": TEXTS,
}


def _retry(value: Json) -> Retry:
    if isinstance(value, int):
        return Retry(_read("lfr.retry", value, _RETRY_FIELDS["times"]))
    fields = _object("lfr.retry", value, tuple(_RETRY_FIELDS))
    return Retry(
        **{
            name: _read(f"lfr.retry.{name}", fields.get(name), check)
            for name, check in _RETRY_FIELDS.items()
            if name in fields or name == "times"
        }
    )


def _object(name: str, value: Json, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return an object that has no other keys than these. Raises BadStepOptions."""
    names = ", ".join(keys)
    fields: dict[str, Any] = _read(name, value, Check(f"an object with some of {names}", OBJECT.read))
    for key in fields:
        if key not in keys:
            question = suggestion(key, keys)
            raise BadStepOptions(
                f"{name} knows {names}, but not {key}" + (f"; {question}" if question else "")
            )
    return fields


def _read(name: str, value: Json, check: Check) -> Any:
    """Return the value as the check reads it. Raises BadStepOptions."""
    if value is None:
        raise BadStepOptions(f"{name} is missing: {check.words}")
    read = check.read(value)
    if read is None:
        raise BadStepOptions(mismatch(name, value, check.words))
    return read
