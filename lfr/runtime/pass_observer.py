"""What observes the passes of consumers: heartbeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lfr.store.redis.connection import Command, Connection

if TYPE_CHECKING:
    from lfr.runtime.consumer import Consumer


class PassObserver(Protocol):
    """Observes whether consumers are alive. Called in the consumer's thread."""

    def heartbeat_commands(self) -> list[Command]:
        """Return the commands that tell other processes that this one is alive, and what it claims."""

    def pass_completed(self, consumer: Consumer, connection: Connection) -> None:
        """Note a completed pass. May use the connection, and raises as that does."""

    def disconnected(self, consumer: Consumer, reason: str) -> None:
        """Note that Redis could not be reached or did not answer in time. The consumer tries again."""

    def has_left(self, consumer: Consumer) -> None:
        """Note that a consumer has left its group for good: nobody waits for its passes any more."""
