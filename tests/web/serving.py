"""Runs `lfr api` as a process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.support.processes import built_file, environment
from tests.support.waiting import STALL_SECONDS


@contextmanager
def serving(
    url: str, address: str = "127.0.0.1:0", more: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run it as long as the block runs. Yield the process and its port."""
    process = subprocess.Popen(
        [sys.executable, str(built_file()), "api", address],
        env={**environment(url, more), "LOG_LEVEL": "INFO"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if match := re.search(r"listens at http://\S+:(\d+)$", line):
                yield process, int(match[1])
                break
        else:
            raise AssertionError("lfr api has not started")
    finally:
        process.terminate()
        process.wait(STALL_SECONDS)
        process.stderr.close()
