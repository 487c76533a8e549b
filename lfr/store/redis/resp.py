"""Writes and reads RESP2, the protocol of Redis, in bulk.

redis-py's own reader and writer, in pure Python, take two thirds of the time of a busy lifecycle; these take
a quarter of that. A whole write is composed as one text, and received bytes are cut into lines by one
`split`. So a list of strings, such as the fields of an event, costs a few operations, not a few for each.

The reader depends on private names of redis-py. If these are missing, redis-py's own reader is used.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import math
import select
from collections.abc import Callable, Sequence
from typing import Any

import redis.connection

_READ_SIZE = 1 << 17

_BULK, _ARRAY, _INTEGER, _ERROR = b"$*:-"

_QUEUED = b"+QUEUED"

_SHORT = 1024

_HEADS = [b"$%d" % size for size in range(_SHORT)]
_SIZES = [f"${size}" for size in range(_SHORT)]
"""The line before a string of each size below _SHORT: as bytes for reading, as text for writing."""


def pack(commands: Sequence[Sequence[str | bytes | int | float]]) -> bytes:
    """Return all commands in RESP2, one after the other; texts as UTF-8, numbers as their decimal text."""
    lines: list[str] = []
    for command in commands:
        lines.append(f"*{len(command)}")
        for argument in command:
            if type(argument) is str:
                text = argument
            elif type(argument) is bytes:
                return _pack_beyond_ascii(commands)
            else:
                text = str(argument)
            size = len(text)
            lines += _SIZES[size] if size < _SHORT else f"${size}", text
    lines.append("")
    joined = "\r\n".join(lines)
    return joined.encode() if joined.isascii() else _pack_beyond_ascii(commands)


def _pack_beyond_ascii(commands: Sequence[Sequence[str | bytes | int | float]]) -> bytes:
    """Encode commands of which some are longer in bytes than in characters.

    Half of a surrogate pair is written as its escape: JSON can hold it and UTF-8 cannot, and a text from
    outside, such as the reason of a failure, must not make the write fail. Bytes are written unchanged, so
    that names that are not UTF-8, such as those of foreign groups, go back to Redis as they came.
    """
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for argument in command:
            encoded = argument if type(argument) is bytes else str(argument).encode(errors="backslashreplace")
            parts.append(b"$%d\r\n%b\r\n" % (len(encoded), encoded))
    return b"".join(parts)


_parse_error: Callable[[str], Exception] | None = getattr(
    getattr(redis.connection, "DefaultParser", None), "parse_error", None
)
"""Makes the exception for an error reply. None: this redis-py has it elsewhere."""


def find_parser_class() -> type[Parser] | None:
    """Return the parser class for redis-py's connections, or None if this redis-py cannot use ours."""
    connection_class: Any = redis.connection.Connection
    connection = connection_class()  # does not connect
    is_usable = hasattr(connection, "_sock") and hasattr(connection, "_parser") and _parse_error is not None
    return Parser if is_usable else None


class LongReply(Exception):
    """More bytes have arrived than the caller takes. What is left of the reply is still to come."""


def read_replies(connection: Any, count: int, most_bytes: int | None = None) -> list[Any]:
    """Return the next `count` replies from a connection of redis-py. Errors stand among them as
    redis.ResponseError. Raises as `Parser.read_response` does, and LongReply once more than `most_bytes` have
    arrived: then the connection is of no more use."""
    parser = getattr(connection, "_parser", None)
    if isinstance(parser, Parser):
        return parser.read_replies(count, most_bytes)
    replies: list[Any] = []
    while len(replies) < count:
        try:
            replies.append(connection.read_response())
        except redis.ResponseError as error:
            replies.append(error)
    return replies


class Parser:
    """Reads replies, for redis-py's `Connection(parser_class=...)`. Returns strings as bytes.

    received_bytes  how many bytes it has received from the server so far
    """

    def __init__(self, socket_read_size: int) -> None:
        self._sock: Any = None
        self._buffer = memoryview(bytearray(_READ_SIZE))
        self._lines: list[bytes] = []  # the received lines
        self._next = 0  # the index of the first unused line
        self._tail = b""  # the bytes received after the last line end
        self.received_bytes = 0
        self._stop_at = math.inf  # how many bytes it may have received

    def on_connect(self, connection: Any) -> None:
        """Take the socket of a connection, as redis-py's own parsers do, and drop all received bytes."""
        self._sock = connection._sock
        self._clear()

    def on_disconnect(self) -> None:
        """Drop the socket and all received bytes."""
        self._sock = None
        self._clear()

    def can_read(self, timeout: float = 0) -> bool:
        """Return whether there is something to read: received bytes, or within `timeout` seconds new ones or
        the end of the connection. False without a connection."""
        if self._sock is None:
            return False
        if self._next < len(self._lines) or self._tail:
            return True
        if getattr(self._sock, "pending", int)():  # TLS: the TLS layer has bytes that were not read yet
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def read_replies(self, count: int, most_bytes: int | None = None) -> list[Any]:
        """Return the next `count` replies, each as `read_response` returns it. Raises LongReply once more
        than `most_bytes` have arrived."""
        self._stop_at = math.inf if most_bytes is None else self.received_bytes + most_bytes
        replies: list[Any] = []
        while len(replies) < count:
            if not self._skip_queued(replies, count):
                replies.append(self.read_response())
        return replies

    def _skip_queued(self, replies: list[Any], count: int) -> bool:
        """Add the +QUEUED with which a transaction answers to each of its commands to `replies`, which are to
        be `count`, without a call for each. Return whether there were some."""
        lines, start = self._lines, self._next
        if start == len(lines) or lines[start] != _QUEUED:
            return False
        following = lines[start : start + count - len(replies)]
        number = following.count(_QUEUED)
        if following[:number].count(_QUEUED) != number:  # some stand behind other lines: a string may say so
            number = 1
        self._next += number
        replies += [b"QUEUED"] * number
        return True

    def read_response(self, disable_decoding: bool = False, timeout: Any = None) -> Any:
        """Return the next reply: bytes, int, None, a list of replies, or an instance of redis.ResponseError.

        Raises redis.ConnectionError if the server closes the connection, TimeoutError after the socket's
        time-out. Ignores both arguments, which redis-py passes.
        """
        open_arrays: list[tuple[int, list[Any]]] = []
        while True:
            if self._next == len(self._lines):
                self._fill(3)
            line = self._lines[self._next]
            self._next += 1
            kind = line[0]
            value: Any
            if kind == _BULK:
                value = self._string(int(line[1:]))
            elif kind == _INTEGER:
                value = int(line[1:])
            elif kind == _ARRAY:
                size = int(line[1:])
                value = None if size < 0 else self._strings(size)
                if value is None and size > 0:
                    value = self._scalars(size)
                if value is None and size > 0:
                    open_arrays.append((size, []))
                    continue
            else:
                value = _simple(kind, line)
            while open_arrays:
                size, members = open_arrays[-1]
                members.append(value)
                if type(value) is list and len(members) < size:
                    members += self._entries(size - len(members))
                if len(members) < size:
                    break
                value = members
                open_arrays.pop()
            else:
                return value

    def _strings(self, size: int) -> list[bytes] | None:
        """Read an array of `size` short strings; None if it has other members or has not arrived in whole."""
        start, end = self._next, self._next + 2 * size
        values = self._lines[start + 1 : end : 2]
        try:
            if len(values) == size and self._lines[start:end:2] == [_HEADS[len(value)] for value in values]:
                self._next = end
                return values
        except IndexError:  # one of the strings is not short
            pass
        return None

    def _scalars(self, size: int) -> list[Any] | None:
        """Read an array of `size` integers, short strings and nils; None as `_strings`."""
        lines, at = self._lines, self._next
        values: list[Any] = []
        try:
            while len(values) < size:
                line = lines[at]
                if line[0] == _INTEGER:
                    values.append(int(line[1:]))
                    at += 1
                elif line == b"$-1":
                    values.append(None)
                    at += 1
                elif line == _HEADS[len(lines[at + 1])]:
                    values.append(lines[at + 1])
                    at += 2
                else:
                    return None
        except IndexError:  # the lines end here, or a string is not short
            return None
        self._next = at
        return values

    def _entries(self, size: int) -> list[Any]:
        """Read up to `size` stream entries, each a string and a list of strings. Stop at anything else, and
        at an entry that has not arrived in whole."""
        lines, at = self._lines, self._next
        entries: list[Any] = []
        try:
            while len(entries) < size and lines[at] == b"*2":
                id, head = lines[at + 2], lines[at + 3]
                if head[0] != _ARRAY or head == b"*-1" or lines[at + 1] != _HEADS[len(id)]:
                    break
                end = at + 4 + 2 * int(head[1:])
                values = lines[at + 5 : end : 2]
                if lines[at + 4 : end : 2] != [_HEADS[len(value)] for value in values] or end > len(lines):
                    break
                entries.append([id, values])
                at = end
        except IndexError:  # the lines end here, or a string is not short
            pass
        self._next = at
        return entries

    def _string(self, size: int) -> bytes | None:
        if size < 0:
            return None
        if self._next == len(self._lines):
            self._fill(size + 2)
        value = self._lines[self._next]
        self._next += 1
        if len(value) == size:
            return value
        parts, length = [value], len(value)  # the string contains line ends
        while length < size:
            if self._next == len(self._lines):
                self._fill(size - length)  # the rest, without one line end in it and the one behind it
            parts.append(self._lines[self._next])
            self._next += 1
            length += 2 + len(parts[-1])
        return b"\r\n".join(parts)

    def _fill(self, size: int) -> None:
        """Receive at least `size` bytes and a whole line. Cuts them into lines once, not at each `recv`."""
        pieces, length = [self._tail], len(self._tail)
        while True:
            read = self._sock.recv_into(self._buffer)
            if not read:
                raise redis.ConnectionError("the server has closed the connection")
            pieces.append(bytes(self._buffer[:read]))
            length += read
            self.received_bytes += read
            if self.received_bytes > self._stop_at:
                raise LongReply
            if length >= size:
                lines = b"".join(pieces).split(b"\r\n")
                if len(lines) > 1:
                    break
        self._tail = lines.pop()
        self._lines, self._next = lines, 0

    def _clear(self) -> None:
        self._lines, self._next, self._tail = [], 0, b""
        self._stop_at = math.inf


def _simple(kind: int, line: bytes) -> Any:
    if kind == _ERROR and _parse_error is not None:
        return _parse_error(line[1:].decode(errors="replace"))
    return line[1:]
