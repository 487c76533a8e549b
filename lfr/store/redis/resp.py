"""RESP2, the protocol of Redis, written and read in bulk.

redis-py's own reader and writer, in pure Python, take two thirds of the time of a lifecycle under
load; these take a quarter of that. What makes the difference: a whole write is put together as one
text, and what comes in is cut into lines by one `split`, so that a list of strings, which is what an
event is, costs a few operations instead of a few for each string.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.connection import DefaultParser

_READ_SIZE = 1 << 17

_BULK, _ARRAY, _INTEGER, _ERROR = b"$*:-"


_SHORT = 1024

_HEADS = [b"$%d" % size for size in range(_SHORT)]
_SIZES = [f"${size}" for size in range(_SHORT)]
"""How a string of each size is announced, if it is short: as it is read, and as it is written."""


def pack(commands: Sequence[Sequence[str | bytes | int | float]]) -> bytes:
    """The commands as Redis reads them."""
    parts: list[str] = []
    add = parts.append
    for command in commands:
        add(f"*{len(command)}\r\n")
        for argument in command:
            if type(argument) is str:
                text = argument
            elif type(argument) is bytes:
                return _pack_beyond_ascii(commands)
            else:
                text = str(argument)
            size = len(text)
            add(f"{_SIZES[size] if size < _SHORT else f'${size}'}\r\n{text}\r\n")
    told = "".join(parts)
    return told.encode() if told.isascii() else _pack_beyond_ascii(commands)


def _pack_beyond_ascii(commands: Sequence[Sequence[str | bytes | int | float]]) -> bytes:
    """The same where bytes and characters are not the same number.

    Half of a surrogate pair, which JSON can hold and UTF-8 cannot, is written as its escape: a text from
    outside, such as the reason of a failure, must not stop who writes it. Bytes are written as they are: so a
    name that is no text, as others may have given to a group, can be told to Redis again.
    """
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for argument in command:
            encoded = argument if type(argument) is bytes else str(argument).encode(errors="backslashreplace")
            parts.append(b"$%d\r\n%b\r\n" % (len(encoded), encoded))
    return b"".join(parts)


_parse_error: Callable[[str], Exception] = DefaultParser.parse_error


class Parser:
    """Reads replies, for redis-py's `Connection(parser_class=...)`. Strings come as bytes."""

    def __init__(self, socket_read_size: int) -> None:
        self._sock: Any = None
        self._buffer = memoryview(bytearray(_READ_SIZE))
        self._lines: list[bytes] = []  # what has come in, cut at the line ends
        self._next = 0  # the first of these that has not been used
        self._tail = b""  # what has come in behind the last line end

    def on_connect(self, connection: Any) -> None:
        """The connection has a socket."""
        self._sock = connection._sock  # as redis-py's own parsers take it: there is no other way in
        self._forget()

    def on_disconnect(self) -> None:
        """The connection has none any more."""
        self._sock = None
        self._forget()

    def can_read(self, timeout: float = 0) -> bool:
        """Whether something has come in, a closed connection included, within `timeout` seconds."""
        if self._sock is None:
            return False
        if self._next < len(self._lines) or self._tail:
            return True
        if getattr(self._sock, "pending", int)():  # TLS: read from the socket, and not yet by us
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def read_replies(self, count: int) -> list[Any]:
        """The next replies, each as `read_response` gives it."""
        replies: list[Any] = []
        while len(replies) < count:
            # A transaction answers +QUEUED to each of its commands: a call for each would not be worth it.
            queued = self._lines[self._next : self._next + count - len(replies) - 1]
            if queued and queued.count(b"+QUEUED") == len(queued):
                self._next += len(queued)
                replies += [b"QUEUED"] * len(queued)
            else:
                replies.append(self.read_response())
        return replies

    def read_response(self, disable_decoding: bool = False, timeout: Any = None) -> Any:
        """The next reply: bytes, int, None, a list of replies, or an instance of redis.ResponseError.

        Raises redis.ConnectionError if the server hangs up, TimeoutError after the socket's time-out.
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
        """An array of `size` strings in one go, or None if it holds anything else or is not all here."""
        start, end = self._next, self._next + 2 * size
        values = self._lines[start + 1 : end : 2]
        try:
            if len(values) == size and self._lines[start:end:2] == [_HEADS[len(value)] for value in values]:
                self._next = end
                return values
        except IndexError:  # one of them is longer
            pass
        return None

    def _scalars(self, size: int) -> list[Any] | None:
        """An array of `size` integers, strings and nils in one go, or None like `_strings`."""
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
        except IndexError:  # the lines end here, or a string is longer than a short one
            return None
        self._next = at
        return values

    def _entries(self, size: int) -> list[Any]:
        """As many entries of a stream as come next, up to `size`: each a string and a list of strings.

        Stops at anything else, and at what is not all here.
        """
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
        except IndexError:  # the lines end here, or a string is longer than a short one
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
        parts, length = [value], len(value)  # the string has line ends in it
        while length < size:
            if self._next == len(self._lines):
                self._fill(size - length)  # the rest, but for a line end in it, and the one behind it
            parts.append(self._lines[self._next])
            self._next += 1
            length += 2 + len(parts[-1])
        return b"\r\n".join(parts)

    def _fill(self, size: int) -> None:
        """Read on until there are `size` bytes and a whole line: a long string is read in one go, and not
        cut into lines anew with each piece."""
        pieces, length = [self._tail], len(self._tail)
        while True:
            read = self._sock.recv_into(self._buffer)
            if not read:
                raise redis.ConnectionError("the server has closed the connection")
            pieces.append(bytes(self._buffer[:read]))
            length += read
            if length >= size:
                lines = b"".join(pieces).split(b"\r\n")
                if len(lines) > 1:
                    break
        self._tail = lines.pop()
        self._lines, self._next = lines, 0

    def _forget(self) -> None:
        self._lines, self._next, self._tail = [], 0, b""


def _simple(kind: int, line: bytes) -> Any:
    if kind == _ERROR:
        return _parse_error(line[1:].decode(errors="replace"))
    return line[1:]
