"""Waits until replicas have what was written: `redis.replicas` of them.

WAIT looks at the writes of its own connection, so it goes over the connection that has written. What is
written stays written, whatever WAIT replies: it says only whether a failover could lose it.

https://redis.io/docs/latest/commands/wait/     https://redis.io/docs/latest/commands/waitaof/
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from lfr.config.settings import Settings

LOGGER = logging.getLogger(__name__)

DISK: Final = "disk"
"""The value of `redis.replicas_store` that asks for WAITAOF."""

_MAX_PART_OF_TIMEOUT: Final = 0.4
"""WAIT takes at most this part of `redis.timeout`, with a read that blocks in the same write."""

_SHORT_SECONDS: Final = 0.05
_LONG_EVERY_SECONDS: Final = 10.0
"""While replicas do not confirm, a role waits for them so long only, and this often as long as the settings
say: the workflows go on."""


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """What the settings ask of replicas.

    count            how many replicas are to confirm a write; 0: none is waited for
    timeout_seconds  how long to wait for them
    on_disk          whether they, and the primary, must have it on disk
    """

    count: int
    timeout_seconds: float
    on_disk: bool

    @classmethod
    def of(cls, settings: Settings) -> ReplicaSettings:
        """Return those of the settings."""
        longest = _MAX_PART_OF_TIMEOUT * settings.redis_timeout_seconds
        return cls(
            settings.redis_replicas,
            min(settings.redis_replicas_timeout_seconds, longest),
            settings.redis_replicas_store == DISK,
        )

    def command(self, seconds: float) -> tuple[str | int, ...]:
        """Return the command that waits for the replicas, at most this long. (WAIT, or WAITAOF)"""
        timeout_ms = max(1, round(1000 * seconds))
        return ("WAITAOF", 1, self.count, timeout_ms) if self.on_disk else ("WAIT", self.count, timeout_ms)

    def problem(self, reply: Any) -> str:
        """Return what the reply to `command` says is missing, as a sentence; empty: nothing is."""
        stored = "have it on disk" if self.on_disk else "have confirmed it"
        if isinstance(reply, redis.RedisError):
            return f"no replica is known to {stored}: {' '.join(str(reply).split())}"
        on_primary, confirmed = reply if self.on_disk else (1, reply)
        if confirmed < self.count:
            return f"{confirmed} of {self.count} replicas {stored} within {self.timeout_seconds:g} s"
        return "" if on_primary else "the primary does not have it on disk"


@dataclass(slots=True)
class Confirmations:
    """What was not confirmed of what one call has written. `problem` is a sentence; empty: nothing."""

    problem: str = field(default="", init=False)

    def add(self, problem: str) -> None:
        """Note what one connection says; the first problem stays."""
        self.problem = self.problem or problem


class RoleConfirmations:
    """Lets a role wait for replicas once in each pass, and logs when they cease to confirm, or do again.

    The workflows go on without them: only the operator can bring them back.
    """

    def __init__(self, settings: Settings) -> None:
        self._replicas = ReplicaSettings.of(settings)
        self._problem = ""
        self._wait_long_at = 0.0

    def commands(self) -> list[tuple[str | int, ...]]:
        """Return the command that waits for what this connection has written; none if nothing is asked."""
        if not self._replicas.count:
            return []
        seconds, now = self._replicas.timeout_seconds, time.monotonic()
        if self._problem and now < self._wait_long_at:
            seconds = min(seconds, _SHORT_SECONDS)
        elif self._problem:
            self._wait_long_at = now + _LONG_EVERY_SECONDS
        return [self._replicas.command(seconds)]

    def note(self, reply: Any) -> None:
        """Note the reply to that command."""
        before, self._problem = self._problem, self._replicas.problem(reply)
        if self._problem and not before:
            self._wait_long_at = time.monotonic() + _LONG_EVERY_SECONDS
            LOGGER.warning("%s: a failover could lose what is stored now (redis.replicas)", self._problem)
        elif before and not self._problem:
            LOGGER.info("%d replicas confirm again what is stored", self._replicas.count)
