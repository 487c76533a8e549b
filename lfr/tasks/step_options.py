"""What every step may say to lfr itself, under the reserved key of its parameters.

    (- lfr: {timeout: 5m, retry: {times: 3, delay: 10s}} -)     a task or a resource
    (- lfr: {limit: 5} -)                                       a step that is iterated

It is read when a flow is compiled, so that a mistake is found before anything runs; and by the engine.
It never reaches a worker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from lfr.values.json import Json
from lfr.values.times import DURATION_FORMAT, format_duration, parse_duration

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


def parse_step_options(parameters: Json) -> StepOptions:
    """What these parameters say to lfr. Raises BadStepOptions."""
    if not isinstance(parameters, dict) or RESERVED_KEY not in parameters:
        return NO_OPTIONS
    told = _mapping(RESERVED_KEY, parameters[RESERVED_KEY], ("timeout", "retry", "limit"))
    return StepOptions(
        timeout=_seconds("lfr.timeout", told["timeout"], least=0.001) if "timeout" in told else None,
        retry=_retry(told["retry"]) if "retry" in told else None,
        limit=_whole("lfr.limit", told["limit"], 1, 1_000_000) if "limit" in told else None,
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


def _retry(value: Json) -> Retry:
    if isinstance(value, int):
        return Retry(_whole("lfr.retry", value, 0, MAX_RETRIES))
    told = _mapping("lfr.retry", value, ("times", "delay", "backoff", "longest", "jitter", "on"))
    default = Retry(0)
    return Retry(
        times=_whole("lfr.retry.times", told.get("times"), 0, MAX_RETRIES),
        delay=_seconds("lfr.retry.delay", told.get("delay", default.delay)),
        backoff=_number("lfr.retry.backoff", told.get("backoff", default.backoff), 1, 1000),
        longest=_seconds("lfr.retry.longest", told.get("longest", default.longest)),
        jitter=_number("lfr.retry.jitter", told.get("jitter", default.jitter), 0, 1),
        on=_texts("lfr.retry.on", told.get("on", [])),
    )


def _mapping(name: str, value: Json, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(name, value, f"an object with some of {', '.join(known)}")
    for key in value:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            question = f"; did you mean {near[0]}?" if near else ""
            raise BadStepOptions(f"{name} knows {', '.join(known)}, but not {key}{question}")
    return value


def _seconds(name: str, value: Json, least: float = 0.0) -> float:
    seconds = parse_duration(value)
    if seconds is None or seconds < least:
        raise _bad(
            name, value, f"{DURATION_FORMAT}; at least {format_duration(least)}" if least else DURATION_FORMAT
        )
    return seconds


def _whole(name: str, value: Json, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _bad(name, value, f"a whole number from {least} to {most}")
    return value


def _number(name: str, value: Json, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _bad(name, value, f"a number from {least} to {most}")
    return float(value)


def _texts(name: str, value: Json) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise _bad(name, value, "a text or a list of texts")
    return tuple(texts)


def _bad(name: str, value: Json, expected: str) -> BadStepOptions:
    if value is None:
        return BadStepOptions(f"{name} is missing: {expected}")
    shown = json.dumps(value, ensure_ascii=False)
    return BadStepOptions(f"{name} is {shown[:40]}, but must be {expected}")
