"""Real processes of the built file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import STALL_SECONDS


def built_file() -> Path:
    """Return the file that `build.py test` has built."""
    named = os.environ.get("LFR_FILE")
    if not named:
        pytest.fail("LFR_FILE does not say where the built file is: run these by build.py test")
    return Path(named)


def environment(url: str | None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process: of lfr's variables, only the address of Redis is set, and that
    tests need no token on loopback."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("LFR_", "REDIS_"))}
    address = {} if url is None else {"LFR_REDIS_URL": url}
    access = {"LFR_API_TOKEN": "token-of-tests", "LFR_API_REQUIRE_TOKEN": "remote"}
    return {**others, "LOG_LEVEL": "WARNING", **access, **address, **(more or {})}


def lfr(
    *arguments: str,
    url: str | None = None,
    more: Mapping[str, str] | None = None,
    input: str | None = None,
    timeout_seconds: float = STALL_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run `lfr ARGUMENTS...` to its end."""
    return subprocess.run(
        [sys.executable, str(built_file()), *arguments],
        env=environment(url, more),
        input=input if input is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


@contextmanager
def role(
    *arguments: str, url: str, more: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `lfr ROLE` for as long as the block runs."""
    process = subprocess.Popen(
        [sys.executable, str(built_file()), *arguments],
        env=environment(url, more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
