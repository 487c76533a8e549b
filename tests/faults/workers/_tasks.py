"""The tasks of both groups of workers, under the prefix of each."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from behaviour import FUNCTIONS, digest, output_of
from log import log_execution

from lfr import Context, Fatal, task

_MENDED = Path(os.environ["FAULTS_MENDED"])
"""A folder with a file for each workflow whose broken tasks have been mended."""

_TOO_LONG_SECONDS = 6.0

_WRITING = ("mark", "flaky", "nap")
"""Tasks that write a line, in a thread or in a coroutine."""


def define(prefix: str) -> dict[str, Callable[..., Any]]:
    """Return the tasks with the prefix of a group, as functions by names for a module."""
    functions = {f"run_{word}": _define_pure(f"{prefix}:{word}") for word in FUNCTIONS}

    @task(f"{prefix}:flaky")
    def flaky(input: Any, *, times: int, context: Context) -> Any:
        """Fail so many times, then return the input."""
        _log(context, input)
        if context.tries <= times:
            raise RuntimeError(f"expected failure {context.tries}")
        return input

    @task(f"{prefix}:broken")
    def broken(input: Any, *, context: Context) -> Any:
        """Fail until somebody has mended the workflow."""
        _log(context, input)
        if not (_MENDED / context.workflow.partition("/")[0]).exists():
            raise Fatal("expected failure: not mended")
        return input

    @task(f"{prefix}:slow")
    def slow(input: Any, *, context: Context) -> Any:
        """Take too long at the first try, as long as the attempt is current."""
        _log(context, input)
        deadline = time.monotonic() + _TOO_LONG_SECONDS
        while context.tries == 1 and not context.cancelled and time.monotonic() < deadline:
            time.sleep(0.1)
        return input

    @task(f"{prefix}:turn")
    def turn(input: Any, *, until: int, context: Context) -> Any:
        """Let a loop turn until the step has had so many attempts."""
        _log(context, input)
        if context.attempt > until:
            raise Fatal("expected failure: the last turn")
        return input

    @task(f"{prefix}:nap")
    async def nap(input: Any, *, seconds: float, context: Context) -> Any:
        """Sleep for some seconds."""
        _log(context, input)
        await asyncio.sleep(seconds)
        return input

    return functions | {each.__name__: each for each in (flaky, broken, slow, turn, nap)}


def _define_pure(name: str) -> Callable[..., Any]:
    @task(name)
    def run(input: Any, *, context: Context, **parameters: Any) -> Any:
        _log(context, input)
        return output_of(name, input, parameters, context.index)

    return run


def _log(context: Context, input: Any) -> None:
    token = ""
    if context.name.partition(":")[2] in _WRITING:
        token = f"token {uuid4().hex[:12]}"
        print(token)
    log_execution(context.workflow, context.index, context.attempt, context.name, digest(input), token)
