"""The log of a workflow: what its tasks have written, in the hash `W:task-log`. Only lifecycles write it.

    NUMBER         a chunk: lines of one attempt that have come together, as JSON: index, attempt, number of
                   the first line, lines. Chunks are numbered from 1 in the order in which they came
    INDEX.ATTEMPT  an attempt, as JSON: which chunks it has, how many lines it has written, who has run it
    total, next, oldest   the bytes of all chunks; the numbers of the next chunk and of the oldest

It is bounded twice. Of an attempt with more than `logs.attempt` bytes, the first and the last lines stay,
half of the bytes each. If a workflow has more than `logs.workflow` bytes, the oldest chunks go. What is left
out shows in the numbers of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from lfr.flow import MAX_ATTEMPT
from lfr.store import keys
from lfr.store.queues.routes import RouteCache, Routes
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.stream.entries import flatten_pairs
from lfr.task_log import MAX_COUNT, Line, LogLine, TaskLog, count_lines, skip_lines
from lfr.values.json import Json, decode_json, encode_json

AttemptKey: TypeAlias = tuple[int, int]
"""The index of a step, and the number of an attempt of it."""

_OVERHEAD: Final = 100
"""About how many bytes a chunk takes besides its text: its field, and its place in that of the attempt."""

_PIECES: Final = 8
"""An attempt that reaches its limit has at least so many chunks, so that few lines are left out at once."""

_PAGE: Final = 100
_MOST_PAGES: Final = 100
"""How many chunks are read at once, and how many times in one transaction."""


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How many bytes of an attempt and of a workflow are kept; 0 for an attempt: nothing is."""

    attempt: int
    workflow: int


_GREATEST_LIMITS: Final = LogLimits(attempt=16 * 2**20, workflow=256 * 2**20)
"""The greatest that the settings may be."""


@dataclass(slots=True)
class LoggedAttempt:
    """What is stored for an attempt besides its lines.

    chunks    the numbers of its chunks and their bytes, the oldest first
    lines     how many lines it has written, with those left out
    received  how many of them its latest delivery has written
    evidence  values of `task_log.EVIDENCE`, by name
    """

    chunks: list[tuple[int, int]] = field(default_factory=list)
    lines: int = 0
    delivery: int = 1
    received: int = 0
    evidence: dict[str, Json] = field(default_factory=dict)

    @classmethod
    def parse(cls, encoded: bytes) -> LoggedAttempt:
        """Parse it from JSON."""
        values = decode_json(encoded)
        chunks = [(number, size) for number, size in values.pop("chunks")]
        return cls(
            chunks, values.pop("lines"), values.pop("delivery"), values.pop("received"), evidence=values
        )

    def encode(self) -> str:
        """Return it as JSON."""
        counts = {"lines": self.lines, "delivery": self.delivery, "received": self.received}
        return encode_json({"chunks": self.chunks, **counts, **self.evidence})

    def new_lines(self, log: TaskLog, now_ms: int) -> Sequence[Line]:
        """Return the lines that have not come before, and note that they have come. A worker sends those
        again of which it does not know whether they came."""
        if log.delivery < self.delivery:
            return []  # the attempt was handed on: that worker has lost it
        notice: list[Line] = []
        if log.delivery > self.delivery:
            if self.lines:
                at_ms = next((line.at_ms for line in log.lines if isinstance(line, LogLine)), now_ms)
                notice.append(LogLine(at_ms, "lfr", f"handed out again: delivery {log.delivery}"))
            self.delivery, self.received = log.delivery, 0
        lines = log.lines
        if log.first is not None:
            ahead = log.first - 1 - self.received
            if ahead < 0:
                lines = skip_lines(lines, -ahead)
            elif ahead:
                lines = [ahead, *lines]
        self.received += count_lines(lines)
        return [*notice, *lines]

    def excess(self, limit: int) -> list[tuple[int, int]]:
        """Return the chunks that are to go so that the others have at most `limit` bytes: not the first ones
        that have half of them together, and not the last."""
        total, head, dropped = sum(size for _, size in self.chunks), 0, []
        for number, size in self.chunks[:-1]:
            head += size
            if total <= limit:
                break
            if head > limit // 2:
                dropped.append((number, size))
                total -= size
        return dropped


@dataclass(slots=True)
class LogChanges:
    """The changes of one transaction in the log of a workflow, after what Redis has of it."""

    workflow: str
    total: int = 0
    next: int = 1
    oldest: int = 1
    attempts: dict[AttemptKey, LoggedAttempt] = field(default_factory=dict)
    _new: dict[int, tuple[AttemptKey, str]] = field(default_factory=dict)  # chunks, with their attempts
    _deleted: set[int] = field(default_factory=set)

    def append(self, log: TaskLog, limits: LogLimits, now_ms: int) -> None:
        """Add lines of an attempt, and leave out what its limit does not allow."""
        limit = min(limits.attempt, limits.workflow // 2)
        if limit <= 0:
            return
        attempt = self.attempts.setdefault((log.index, log.attempt), LoggedAttempt())
        lines = attempt.new_lines(log, now_ms)
        is_new = any(attempt.evidence.get(name) != value for name, value in log.evidence.items())
        if log.delivery == attempt.delivery:
            attempt.evidence.update(log.evidence)
        if not lines and not is_new:
            return
        overhead = _OVERHEAD + len(encode_json(log.evidence))
        for piece in _pieces(lines, limit // _PIECES):
            text = encode_json([log.index, log.attempt, attempt.lines + 1, piece])
            attempt.lines += count_lines(piece)
            self._new[self.next] = (log.index, log.attempt), text
            attempt.chunks.append((self.next, len(text) + overhead))
            self.total += len(text) + overhead
            self.next, overhead = self.next + 1, _OVERHEAD
        self._drop((log.index, log.attempt), attempt.excess(limit))

    def _drop(self, key: AttemptKey, dropped: Sequence[tuple[int, int]]) -> None:
        """Drop chunks of an attempt, in one pass over those that it has."""
        if not dropped:
            return
        sizes = dict(dropped)
        attempt = self.attempts[key]
        attempt.chunks = [chunk for chunk in attempt.chunks if chunk[0] not in sizes]
        self.total -= sum(sizes.values())
        self._deleted |= {number for number in sizes if self._new.pop(number, None) is None}

    def drop_oldest(self, connection: Connection, limit: int) -> None:
        """Drop the oldest chunks until all have at most `limit` bytes, up to 10,000 of them: an archive may
        have brought more than one transaction can drop. The next one goes on. (HMGET)"""
        for _ in range(_MOST_PAGES):
            if self.total <= limit or self.oldest >= self.next:
                return
            numbers = range(self.oldest, min(self.oldest + _PAGE, self.next))
            stored = _read_chunks(connection, self.workflow, numbers)
            owners = {number: (chunk[0], chunk[1]) for number, chunk in stored.items() if chunk is not None}
            owners |= {number: self._new[number][0] for number in numbers if number in self._new}
            self._load(connection, set(owners.values()) - self.attempts.keys())
            stored_sizes = {
                key: dict(self.attempts[key].chunks) for key in owners.values() if key in self.attempts
            }
            dropped: dict[AttemptKey, list[tuple[int, int]]] = {}
            excess = self.total - limit
            for number in numbers:
                if excess <= 0:
                    break
                self.oldest = number + 1
                size = stored_sizes.get(owners[number], {}).get(number) if number in owners else None
                if size is not None:
                    dropped.setdefault(owners[number], []).append((number, size))
                    excess -= size
            for key, chunks in dropped.items():
                self._drop(key, chunks)

    def _load(self, connection: Connection, attempts: Iterable[AttemptKey]) -> None:
        self.attempts |= read_attempts(connection, self.workflow, attempts)

    def commands(self) -> list[Command]:
        """Return the commands that write the changes. (HSET, HDEL)"""
        if not self._new and not self._deleted:
            return []
        key = keys.task_log(self.workflow)
        remaining = {name: attempt for name, attempt in self.attempts.items() if attempt.chunks}
        fields: dict[str, str | int] = {"total": self.total, "next": self.next, "oldest": self.oldest}
        fields |= {str(number): text for number, (_, text) in self._new.items()}
        fields |= {_attempt_field(name): attempt.encode() for name, attempt in remaining.items()}
        commands: list[Command] = [("HSET", key, *flatten_pairs(fields.items()))]
        obsolete = [*map(str, self._deleted), *map(_attempt_field, self.attempts.keys() - remaining.keys())]
        return [*commands, ("HDEL", key, *obsolete)] if obsolete else commands


def _pieces(lines: Sequence[Line], size: int) -> Iterator[list[Line]]:
    """Yield the lines in lists of about so many bytes; one empty list if there are none."""
    piece: list[Line] = []
    piece_bytes = 0
    for line in lines:
        piece.append(line)
        piece_bytes += 20 if isinstance(line, int) else 40 + len(line.text)
        if piece_bytes >= size:
            yield piece
            piece, piece_bytes = [], 0
    if piece or not lines:
        yield piece


def _attempt_field(key: AttemptKey) -> str:
    return f"{key[0]}.{key[1]}"


def watch_logs(
    connection: Connection, route_cache: RouteCache, attempts: Mapping[str, Iterable[AttemptKey]]
) -> tuple[Routes, dict[str, tuple[tuple[str, int] | None, LogChanges]]]:
    """Watch workflows and their logs, and load what is needed to append lines of these attempts, by workflow:
    its run and its start (milliseconds since the epoch; None: there is no such workflow), and the changes to
    which lines can be appended. Return the routes, too. (WATCH, HMGET)"""
    attempt_keys = {id: sorted(set(each)) for id, each in attempts.items()}
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", keys.CLAIMS_VERSION, *attempt_keys, *map(keys.task_log, attempt_keys))
    route_reads = route_cache.add_reads(pipeline)
    replies = {
        id: (
            pipeline.add("HMGET", id, "run", "started"),
            pipeline.add(
                *("HMGET", keys.task_log(id), "total", "next", "oldest"), *map(_attempt_field, names)
            ),
        )
        for id, names in attempt_keys.items()
    }
    pipeline.send()
    loaded: dict[str, tuple[tuple[str, int] | None, LogChanges]] = {}
    for id, (record, log) in replies.items():
        run, started = record.value_or_none or (None, None)
        total, next, oldest, *stored = log.value
        stored_attempts = {
            key: LoggedAttempt.parse(encoded)
            for key, encoded in zip(attempt_keys[id], stored, strict=True)
            if encoded is not None
        }
        changes = LogChanges(id, int(total or 0), int(next or 1), int(oldest or 1), stored_attempts)
        loaded[id] = None if started is None else ((run or b"").decode(), int(started)), changes
    return route_cache.parse(connection, route_reads), loaded


def read_attempts(
    connection: Connection, workflow: str, attempts: Iterable[AttemptKey]
) -> dict[AttemptKey, LoggedAttempt]:
    """Return what is stored for these attempts, without those that have nothing. (HMGET)"""
    names = sorted(attempts)
    if not names:
        return {}
    stored = connection.call("HMGET", keys.task_log(workflow), *map(_attempt_field, names))
    return {
        name: LoggedAttempt.parse(encoded)
        for name, encoded in zip(names, stored, strict=True)
        if encoded is not None
    }


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Lines of an attempt that have come together; `first` is the number of the first line."""

    number: int
    index: int
    attempt: int
    first: int
    lines: Sequence[Line]


def read_log(connection: Connection, workflow: str, after: int) -> Iterator[LogChunk]:
    """Yield the chunks with numbers above `after`, in the order in which they came. (HMGET)"""
    reply = connection.call("HMGET", keys.task_log(workflow), "next", "oldest")
    next, oldest = (int(value or 1) for value in reply)
    for first in range(max(after + 1, oldest), next, _PAGE):
        chunks = _read_chunks(connection, workflow, range(first, min(first + _PAGE, next)))
        for number, values in chunks.items():
            if values is not None:
                index, attempt, first_line, lines = values
                yield LogChunk(number, index, attempt, first_line, list(map(_decode_line, lines)))


def _read_chunks(connection: Connection, workflow: str, numbers: Sequence[int]) -> dict[int, Any]:
    stored = connection.call("HMGET", keys.task_log(workflow), *numbers)
    return {
        number: None if text is None else decode_json(text)
        for number, text in zip(numbers, stored, strict=True)
    }


def _decode_line(line: Json) -> Line:
    return line if isinstance(line, int) else LogLine(*line)


def export_log(connection: Connection, workflow: str, steps: range) -> list[dict[str, Any]]:
    """Return the log of a workflow with these steps for an archive: for each attempt its index, attempt,
    delivery, lines (as in a task-log event), and evidence. (HMGET)

    A worker may have sent lines of a step that does not exist, or numbered them as it likes; an archive with
    that could not be restored.
    """
    lines: dict[AttemptKey, list[Json]] = {}
    next_numbers: dict[AttemptKey, int] = {}
    for chunk in read_log(connection, workflow, 0):
        key = chunk.index, chunk.attempt
        if chunk.index not in steps or not 1 <= chunk.attempt <= MAX_ATTEMPT:
            continue
        omitted = min(chunk.first - next_numbers.get(key, 1), MAX_COUNT)
        lines.setdefault(key, []).extend([omitted, *chunk.lines] if omitted > 0 else chunk.lines)
        next_numbers[key] = chunk.first + count_lines(chunk.lines)
    logged = read_attempts(connection, workflow, lines)
    return [
        {
            **{"index": key[0], "attempt": key[1], "delivery": logged[key].delivery, "lines": lines[key]},
            "evidence": logged[key].evidence,
        }
        for key in lines
        if key in logged
    ]


def restored_log_commands(workflow: str, log: Iterable[Mapping[str, Any]]) -> list[Command]:
    """Return the commands that write the log of an archive, whose lines were parsed, for a new workflow. They
    leave out what no limit allows; those of the settings hold from the next line on. (HSET)"""
    changes = LogChanges(workflow)
    for entry in log:
        restored = TaskLog(workflow, run="", **entry)
        changes.append(restored, _GREATEST_LIMITS, now_ms=0)
    return changes.commands()
