"""Waits and events that meet: which event ends which wait, in the making of a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from lfr import events
from lfr.store.redis.connection import Command
from lfr.store.stream.entries import append_command
from lfr.store.waits.event_buffer import KeptEvent, buffer_event_commands
from lfr.store.waits.registry import end_task_commands
from lfr.tasks.event_wait import Awaited
from lfr.tasks.matching import FieldSet
from lfr.tasks.wait_spec import Wait


@dataclass(slots=True)
class Meeting:
    """What changes in events and in waits.

    events    the events concerned by id, as they now are; `changed`: those that are to be written
    ended     the waits that end, each with its event as that came
    receipts  the events that get one
    """

    events: dict[str, KeptEvent]
    changed: set[str] = field(default_factory=set)
    ended: list[tuple[Wait, KeptEvent]] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)

    def keep(self, event: KeptEvent) -> None:
        """Keep an event, as it now is."""
        self.events[event.id] = event
        self.changed.add(event.id)

    def end(self, wait: Wait, event: KeptEvent) -> None:
        """Let an event end a wait."""
        self.ended.append((wait, event))
        gives_receipt = awaited(wait).is_receipted and not event.is_receipted
        if gives_receipt:
            self.receipts.append(event.id)
        self.keep(replace(event, is_taken=True, is_receipted=event.is_receipted or gives_receipt))

    def commands(
        self, stream: str, asked: Mapping[str, Iterable[FieldSet]], retain_ms: int, now_ms: int
    ) -> list[Command]:
        """The commands that write it. `asked`: the field sets that waits ask for, by kind."""
        commands = end_task_commands(
            stream,
            [
                events.end_task_values(wait.task, output=awaited(wait).output(event.values, wait.task.input))
                for wait, event in self.ended
            ],
            now_ms,
        )
        at = events.timestamp(now_ms / 1000)
        commands += [
            append_command(stream, events.RECEIPT, at, events.receipt_values(id)) for id in self.receipts
        ]
        for id in sorted(self.changed):
            event = self.events[id]
            commands += buffer_event_commands(event, asked.get(event.kind, ()), retain_ms, now_ms)
        return commands


def awaited(wait: Wait) -> Awaited:
    """What a wait for an event waits for."""
    assert wait.event is not None
    return wait.event
