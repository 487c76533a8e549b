"""What a running task has written and its lifecycle does not have yet, bounded, and its evidence."""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import lfr
from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import Command
from lfr.store.stream.entries import append_command
from lfr.task_log import MAX_EVENT_BYTES, MAX_LINE, split_lines
from lfr.values.json import Json, JsonText, encode_json
from lfr.values.times import format_timestamp

_LONG_SECONDS: Final = 1.0
"""From this duration on, an attempt leaves evidence even if it succeeds and has written nothing."""


class _Numbered(NamedTuple):
    """A line as JSON, with its number."""

    number: int
    encoded: str


class AttemptLog:
    """The lines of one attempt, from when they are written until the worker knows that Redis has them.

    Of an attempt that writes more than `limit` bytes, the first half and the latest lines are kept. Threads
    and coroutines of the task may write at the same time. `process` is the id of this process.
    """

    def __init__(self, task: events.StartTask, limit: int, process: int) -> None:
        self._task = task
        self._limit = limit - limit // 8  # what a lifecycle adds to each chunk must fit in, too
        self._process = process
        # Reentrant: the garbage collector may call a `__del__` that prints.
        self._lock = threading.RLock()
        self._partial: dict[str, str] = {}  # by source: the line that no line break has ended yet
        self._head: deque[_Numbered] = deque()
        self._tail: deque[_Numbered] = deque()
        self._head_bytes = 0  # with those that Redis has already
        self._tail_bytes = 0
        self._count = 0
        self._confirmed = 0  # the number of the latest line that Redis has
        self._is_sent = False
        self._has_failed = False
        self._started = time.time()
        self._cpu_started = time.thread_time()
        self._is_in_thread = True

    @property
    def is_of_this_process(self) -> bool:
        """Whether this is the process that runs the task, and not a child that it has forked."""
        return self._process == os.getpid()

    def write(self, source: str, text: str) -> bool:
        """Add what was printed: whole lines and parts of one. Return whether there are lines to be sent."""
        with self._lock:
            text = self._partial.get(source, "") + text
            if "\n" not in text and len(text) <= MAX_LINE:
                back = text.rfind("\r", 0, -1)  # a progress bar writes its line again and again
                self._partial[source] = text[back + 1 :]
                return False
            whole, _, rest = text.rpartition("\n") if "\n" in text else (text, "", "")
            self._partial[source] = rest[-MAX_LINE:]
            self._add(source, whole)
            return True

    def add(self, source: str, text: str) -> None:
        """Add a text of one or more lines."""
        with self._lock:
            self._add(source, text)

    def fail(self, traceback: str) -> None:
        """Note that the attempt has failed, with this traceback, which may be empty."""
        self._has_failed = True
        if traceback:
            self.add("traceback", traceback)

    def leave_thread(self) -> None:
        """Note that the attempt goes on in an event loop: how much processor time it takes is not known."""
        self._is_in_thread = False

    def _add(self, source: str, text: str) -> None:
        at_ms = int(time.time() * 1000)
        for line in split_lines(at_ms, source, text):
            self._count += 1
            self._keep(_Numbered(self._count, encode_json(line)))

    def _keep(self, line: _Numbered) -> None:
        size = len(line.encoded)
        if self._head_bytes + size <= self._limit // 2 and not self._tail:
            self._head.append(line)
            self._head_bytes += size
            return
        self._tail.append(line)
        self._tail_bytes += size
        while self._tail_bytes > self._limit // 2 and len(self._tail) > 1:
            self._tail_bytes -= len(self._tail.popleft().encoded)

    def unsent(self) -> tuple[int, list[Command]]:
        """Return the commands that append the lines which Redis may not have, and the number to `confirm`
        once it has them. (XADD)"""
        with self._lock:
            self._is_sent = True
            return self._count, list(self._commands(ended=False))

    def confirm(self, number: int) -> None:
        """Note that Redis has the lines up to this one."""
        with self._lock:
            self._confirmed = max(self._confirmed, number)
            while self._head and self._head[0].number <= number:
                self._head.popleft()
            while self._tail and self._tail[0].number <= number:
                self._tail_bytes -= len(self._tail.popleft().encoded)

    def end(self) -> list[Command]:
        """Return the commands that append what Redis may not have, with the evidence of the whole attempt;
        none if the attempt was short, and has succeeded without a word. For the thread that has run the
        attempt. (XADD)"""
        with self._lock:
            for source, text in self._partial.items():
                if text:
                    self._add(source, text)
            self._partial.clear()
            is_silent = self._count == 0 and not self._is_sent and not self._has_failed
            if is_silent and time.time() - self._started < _LONG_SECONDS:
                return []
            return list(self._commands(ended=True))

    def _commands(self, *, ended: bool) -> Iterator[Command]:
        at = format_timestamp(time.time())
        first = self._confirmed + 1
        for lines, next_number in self._pieces(first):
            values = {**self._identity(), "first": first, "lines": lines, **self._evidence(ended)}
            yield append_command(keys.ENDS, events.TASK_LOG, at, values)
            first = next_number

    def _pieces(self, first: int) -> Iterator[tuple[JsonText, int]]:
        """Yield lists of lines as JSON that an event can hold, each with the number of the line after it; one
        that is empty if there are no lines."""
        piece: list[str] = []
        size, number = 0, first
        for line in (*self._head, *self._tail):
            if piece and size + len(line.encoded) > MAX_EVENT_BYTES // 2:
                yield JsonText(f"[{','.join(piece)}]"), number
                piece, size = [], 0
            if line.number > number:
                piece.append(str(line.number - number))  # so many lines were left out
            piece.append(line.encoded)
            size += len(line.encoded) + 1
            number = line.number + 1
        yield JsonText(f"[{','.join(piece)}]"), number

    def _identity(self) -> dict[str, Json]:
        task = self._task
        run = {"run": task.run} if task.run else {}
        identity = {"workflow": task.workflow, "index": task.index, "attempt": task.attempt}
        return {**identity, **run, "delivery": task.delivery}

    def _evidence(self, ended: bool) -> dict[str, Json]:
        evidence = {**_process_evidence(), "process": self._process, "started": int(self._started * 1000)}
        if not ended:
            return evidence
        evidence["ended"] = int(time.time() * 1000)
        if self._is_in_thread:
            evidence["cpu_seconds"] = round(time.thread_time() - self._cpu_started, 6)
        return {**evidence, "peak_bytes": _peak_bytes()}


@cache
def _process_evidence() -> dict[str, Json]:
    return {"host": socket.gethostname(), "version": lfr.__version__}


def _peak_bytes() -> int:
    """Return the most memory that this process has had. (getrusage(2): KiB on Linux, bytes on macOS)"""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
