"""Waiting for a fact instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(fact: Callable[[], T], deadline_seconds: float = 20.0) -> T:
    """Ask until the answer is true, and give it back; fail with the last one after the deadline."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        answer = fact()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {deadline_seconds} s")
        time.sleep(0.01)
