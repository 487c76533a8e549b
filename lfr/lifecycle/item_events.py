"""What the lifecycle hears of the iterated steps of one workflow in a pass."""

from __future__ import annotations

from dataclasses import dataclass, field

from lfr import events
from lfr.item_ids import ItemId
from lfr.store.stream.entries import Entry


@dataclass(slots=True)
class ItemNews:
    """What was heard, in the order of the stream.

    entries     the events that told it
    starts      by step, its latest start
    ended       items that have ended
    is_stopped  whether the workflow was terminated
    """

    entries: list[Entry] = field(default_factory=list)
    starts: dict[int, events.StartTask] = field(default_factory=dict)
    ended: list[ItemId] = field(default_factory=list)
    is_stopped: bool = False

    def add_start(self, entry: Entry, start: events.StartTask) -> None:
        """A step has started."""
        self.entries.append(entry)
        self.starts[start.index] = start

    def add_ended(self, entry: Entry, item: ItemId) -> None:
        """An item has ended."""
        self.entries.append(entry)
        self.ended.append(item)

    def add_stop(self, entry: Entry) -> None:
        """The workflow was terminated."""
        self.entries.append(entry)
        self.is_stopped = True

    def indices(self) -> list[int]:
        """The iterated steps that this is about."""
        return sorted({*self.starts, *(id.index for id in self.ended)})
