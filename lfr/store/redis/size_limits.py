"""How large a value and a transaction may be: Redis closes the connection of a client that sends more.

That looks like a server that has gone away, so it would be tried again for ever. Hence large writes are
compared with the limits of the server before they are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

LEAST_LIMIT: Final = 2**20
"""The least number of bytes that Redis accepts for either limit: a smaller write is never too large."""

LIMIT_COMMANDS: Final = (
    ("CONFIG", "GET", "proto-max-bulk-len"),
    ("CONFIG", "GET", "client-query-buffer-limit"),
)
"""The commands that read the limits; the replies go to `parse_limits`."""


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """The limits of a server in bytes: of one argument of a command, and of what a client sends before it
    is executed, so of a transaction. The defaults are those of Redis."""

    value: int = 512 * 2**20
    query: int = 2**30

    def find_excess(self, commands: Sequence[Sequence[str | bytes | int | float]]) -> str:
        """Return why these commands, sent in one write, are too large, in words; empty if they are not."""
        total = 0
        for command in commands:
            sizes = [_size(argument) for argument in command]
            if max(sizes) > self.value:
                return _words("a value", max(sizes), self.value, "proto-max-bulk-len")
            total += sum(sizes)
            if command[0] != "MULTI" and commands[0][0] != "MULTI":
                total = 0  # executed before the next one is received
        if total > self.query:
            return _words("a transaction", total, self.query, "client-query-buffer-limit")
        return ""


def parse_limits(replies: Iterable[Any]) -> SizeLimits:
    """Return the limits of a server; the default for one that this user may not read."""
    value, query = replies
    defaults = SizeLimits()
    return SizeLimits(_value(value, defaults.value), _value(query, defaults.query))


def _value(reply: Any, default: int) -> int:
    if isinstance(reply, list) and len(reply) == 2 and bytes(reply[1]).isdigit():
        return int(reply[1])
    return default


def _size(argument: str | bytes | int | float) -> int:
    if isinstance(argument, str) and not argument.isascii():
        return len(argument.encode(errors="backslashreplace"))
    return len(argument) if isinstance(argument, str | bytes) else 20


def _words(what: str, size: int, limit: int, name: str) -> str:
    return f"{what} of {size:,} bytes is more than Redis takes: {limit:,} bytes ({name})"
