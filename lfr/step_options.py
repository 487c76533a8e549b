"""What a step asks for: its options, which are for lfr, and the task to run with the task's own parameters.

    (- lfr: {timeout: 5m, retry: {times: 3, delay: 10s}} -)     a task or a resource
    (- lfr: {limit: 5} -)                                       a step that is iterated

The compiler reads the options, so that a mistake is found before anything runs, and so does the engine. They
never reach a worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lfr.values.checks import OBJECT, TEXTS, Check, duration, mismatch, number, suggestion, whole_number
from lfr.values.json import Json

EACH: Final = "lfr:each"
"""The task of an iterated step. The lifecycle runs it: one workflow for each item."""

CALL_PREFIX: Final = "flow:"
"""The prefix of the tasks that call a stored flow. The lifecycle runs it as a child workflow."""

LOAD: Final = "resource:load"
"""The task of a resource as a source."""

STORE: Final = "resource:store"
"""The task of a resource as a target."""

RESERVED_KEY: Final = "lfr"
"""The key among a step's parameters that holds its options."""

MAX_RETRIES: Final = 1_000_000


class BadStepOptions(ValueError):
    """The value under the reserved key cannot be used; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How a failed attempt is retried.

    times    how many retries, at most
    delay    seconds before the first retry; `backoff`: the factor from one delay to the next
    longest  seconds that a delay may grow to
    jitter   the part of a delay by which it varies at most, from 0 to 1
    on       texts of which the reason of the failure must contain one; the reason of an attempt that took
             too long contains `timeout`; empty: every failure is retried
    """

    times: int
    delay: float = 1.0
    backoff: float = 2.0
    longest: float = 3600.0
    jitter: float = 0.0
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepOptions:
    """The options of a step; each is None if the step does not set it.

    timeout  seconds that an attempt of its task may take; None: any time
    retry    None: a failed attempt is not retried
    limit    how many of its items run at once, at most; the setting `iterate.limit` is the ceiling, and the
             value if this is None
    """

    timeout: float | None = None
    retry: Retry | None = None
    limit: int | None = None


NO_OPTIONS: Final = StepOptions()

STEP_KEYS: Final = ("timeout", "retry", "limit")
FLOW_KEYS: Final = ("timeout",)
"""The keys under the reserved key, in the parameters of a step and in those of `@flow`."""

_TIMEOUT: Final = duration(0.001)
_LIMIT: Final = whole_number(1, 1_000_000)


class Invocation(NamedTuple):
    """A task to run, as its worker receives it.

    name        as the flow has it
    base        chooses the worker: the task behind an alias, or a built-in task
    parameters  without the reserved key; `{}` if there are none
    options     those that hold for an attempt of the task
    """

    name: str
    base: str
    parameters: Json
    options: StepOptions = NO_OPTIONS


def is_for_lifecycles(base: str) -> bool:
    """Return whether a task runs children: only lifecycles do it."""
    return base == EACH or base.startswith(CALL_PREFIX)


def task_parameters(parameters: Json) -> Json:
    """Return the parameters that are the task's own: all but the reserved key; `{}` if there are none."""
    if isinstance(parameters, dict):
        return {key: value for key, value in parameters.items() if key != RESERVED_KEY}
    return {} if parameters is None else parameters


def option_hint(name: str) -> str:
    """Return what to write if a parameter of a task was meant as an option of lfr; empty: it is none."""
    return f"for lfr itself, write (- lfr: {{{name}: ...}} -)" if name in STEP_KEYS else ""


def looks_like_retry(parameters: Json) -> bool:
    """Return whether a task's own parameters have the option `retry`, which reaches only the task there."""
    if not isinstance(parameters, dict) or not isinstance(parameters.get("retry"), dict):
        return False
    try:
        _parse_retry(parameters["retry"])
    except BadStepOptions:
        return False
    return True


def parse_step_options(parameters: Json) -> StepOptions:
    """Return the options in a step's parameters, those under the key `lfr`. Raises BadStepOptions."""
    if not isinstance(parameters, dict) or RESERVED_KEY not in parameters:
        return NO_OPTIONS
    fields = _object(RESERVED_KEY, parameters[RESERVED_KEY], STEP_KEYS)
    return StepOptions(
        timeout=_read("lfr.timeout", fields["timeout"], _TIMEOUT) if "timeout" in fields else None,
        retry=_parse_retry(fields["retry"]) if "retry" in fields else None,
        limit=_read("lfr.limit", fields["limit"], _LIMIT) if "limit" in fields else None,
    )


def parse_flow_timeout(parameters: Json) -> float | None:
    """Return how many seconds a workflow may take, as the parameters of its `@flow` say; None: any time.

    Raises BadStepOptions, also for an option beside the reserved key.
    """
    if not isinstance(parameters, dict):
        return None
    for key in parameters:
        if key in STEP_KEYS:
            raise BadStepOptions(
                f"@flow knows {key} only under {RESERVED_KEY}, as (- lfr: {{timeout: 2h}} -)"
            )
    if RESERVED_KEY not in parameters:
        return None
    fields = _object(RESERVED_KEY, parameters[RESERVED_KEY], FLOW_KEYS)
    timeout: float | None = _read("lfr.timeout", fields["timeout"], _TIMEOUT) if "timeout" in fields else None
    return timeout


def retry_delay(retry: Retry, number: int, chance: float) -> float:
    """Return the seconds before the `number`-th retry, from 1. `chance`, from 0 to 1, decides the jitter.

    The jitter may take the delay above `longest`.
    """
    try:
        delay = min(retry.delay * retry.backoff ** (number - 1), retry.longest)
    except OverflowError:
        delay = retry.longest if retry.delay else 0.0
    return float(delay * (1 + retry.jitter * (2 * chance - 1)))


def is_retryable(retry: Retry, reason: str) -> bool:
    """Return whether a failure with this reason may be retried, however many retries there were before."""
    return not retry.on or any(text in reason for text in retry.on)


_RETRY_FIELDS: Final = {
    "times": whole_number(0, MAX_RETRIES),
    "delay": duration(),
    "backoff": number(1, 1000),
    "longest": duration(),
    "jitter": number(0, 1),
    "on": TEXTS,
}


def _parse_retry(value: Json) -> Retry:
    if isinstance(value, int | float):
        return Retry(_read("lfr.retry", value, _RETRY_FIELDS["times"]))
    fields = {"times": None, **_object("lfr.retry", value, tuple(_RETRY_FIELDS))}
    return Retry(**{key: _read(f"lfr.retry.{key}", fields[key], _RETRY_FIELDS[key]) for key in fields})


def _object(name: str, value: Json, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return an object that has no other keys than these. Raises BadStepOptions."""
    names = ", ".join(keys)
    fields: dict[str, Any] = _read(name, value, Check(f"an object with some of {names}", OBJECT.read))
    for key in fields:
        if key not in keys:
            parts = f"{name} knows {names}, but not {key}", suggestion(key, keys)
            raise BadStepOptions("; ".join(filter(None, parts)))
    return fields


def _read(name: str, value: Json, check: Check) -> Any:
    """Return the value as the check reads it. Raises BadStepOptions."""
    if value is None:
        raise BadStepOptions(f"{name} is missing: {check.words}")
    parsed = check.read(value)
    if parsed is None:
        raise BadStepOptions(mismatch(name, value, check.words))
    return parsed
