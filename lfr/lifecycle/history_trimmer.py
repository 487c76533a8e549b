"""Removes the oldest entries of histories that are too long, in slices between the passes of a lifecycle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lfr.operations.inspect.history_state import HistoryState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.workflows.history import History, trim_history
from lfr.values.json import Json

_SLICE: Final = 1000
"""How many entries one slice removes, at most."""


class HistoryTrimmer:
    """Knows the workflows whose histories have more than `most` entries: whoever appends to one notes it.

    A slice removes more than is too much, so that this is seldom done.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._slice = min(_SLICE, most // 10)
        self._workflows: dict[str, None] = {}

    def note(self, commands: Sequence[Command], replies: Sequence[Reply]) -> None:
        """Note the histories that these commands have made too long. (RPUSH)"""
        for command, reply in zip(commands, replies, strict=True):
            if command[0] == "RPUSH" and reply > self._most:
                key = str(command[1])
                workflow = key.removesuffix(":facts")
                if key == keys.facts(workflow):
                    self._workflows[workflow] = None

    def run(self, connection: Connection) -> None:
        """Do a slice, if one of the noted histories is too long."""
        if not self._workflows:
            return
        workflow = next(iter(self._workflows))
        del self._workflows[workflow]
        if trim_history(connection, workflow, most=self._most, count=self._slice, add=_add):
            self._workflows[workflow] = None


def _add(history: History) -> Json:
    """Return what removed entries say, together with those that were removed before them."""
    return HistoryState.of(history).to_dict()
