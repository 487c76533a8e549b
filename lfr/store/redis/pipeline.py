"""Commands that are sent in one write, each with a handle for its reply.

    pipeline = Pipeline(connection)
    state = pipeline.add("HGET", workflow, "state")
    pipeline.send()
    state.value

So no reply is picked by its position.
"""

from __future__ import annotations

import redis

from lfr.store.redis.connection import Command, Connection, Reply


class ReplyHandle:
    """The reply to one command of a pipeline. To read it before `send` raises AttributeError."""

    _reply: Reply

    @property
    def value(self) -> Reply:
        """The reply. Raises redis.ResponseError if the command met an error."""
        if isinstance(self._reply, redis.ResponseError):
            raise self._reply
        return self._reply

    @property
    def value_or_none(self) -> Reply:
        """The reply, or None if the command met an error, such as WRONGTYPE."""
        return None if isinstance(self._reply, redis.ResponseError) else self._reply

    @property
    def value_or_error(self) -> Reply:
        """The reply, or the redis.ResponseError that the command met."""
        return self._reply


class Pipeline:
    """Collects commands for one connection. After `send` it is empty and can be filled again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._commands: list[Command] = []
        self._handles: list[ReplyHandle] = []

    def add(self, *command: str | bytes | int | float) -> ReplyHandle:
        """Add a command. The handle has the reply after `send`. A WATCH must be the first command."""
        self._commands.append(command)
        handle = ReplyHandle()
        self._handles.append(handle)
        return handle

    def send(self) -> None:
        """Send all commands in one write and give each handle its reply; without commands, do nothing.

        An error of a single command is raised by its handle. Raises Unreachable and Refused as
        `Connection.execute` does.
        """
        if not self._commands:
            return
        commands, self._commands = self._commands, []
        handles, self._handles = self._handles, []
        for handle, reply in zip(handles, self._connection.execute(commands, keep_errors=True), strict=True):
            handle._reply = reply
