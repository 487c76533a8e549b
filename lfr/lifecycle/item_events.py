"""The events of a pass that concern the children of one workflow."""

from __future__ import annotations

from dataclasses import dataclass, field

from lfr import events
from lfr.item_ids import ItemId
from lfr.store.stream.entries import Entry


@dataclass(slots=True)
class ItemEvents:
    """The events of a pass that concern the iterated steps and calls of one workflow, in the order of the
    stream.

    entries        the entries of these events
    starts         the latest start of each step, by index
    ended          children that have ended
    cancels        attempts of calls that are over
    is_terminated  whether the workflow was terminated
    """

    entries: list[Entry] = field(default_factory=list)
    starts: dict[int, events.StartTask] = field(default_factory=dict)
    ended: list[ItemId] = field(default_factory=list)
    cancels: list[events.CancelTask] = field(default_factory=list)
    is_terminated: bool = False

    def add_start(self, entry: Entry, start: events.StartTask) -> None:
        """Add the start of a step. A restart has no items: it does not replace the start that has them."""
        self.entries.append(entry)
        former = self.starts.get(start.index)
        if former is not None and former.run == start.run and former.attempt > start.attempt:
            return  # that one was pending at another lifecycle
        is_other = former is None or (former.attempt, former.run) != (start.attempt, start.run)
        if is_other or isinstance(start.input, list):
            self.starts[start.index] = start

    def add_end(self, entry: Entry, item: ItemId) -> None:
        """Add the end of a child."""
        self.entries.append(entry)
        self.ended.append(item)

    def add_cancel(self, entry: Entry, cancel: events.CancelTask) -> None:
        """Add that an attempt of a call is over."""
        self.entries.append(entry)
        self.cancels.append(cancel)

    def add_termination(self, entry: Entry) -> None:
        """Add the termination of the workflow."""
        self.entries.append(entry)
        self.is_terminated = True

    def current_starts(self, run: str) -> dict[int, events.StartTask]:
        """Return the starts of this run of the workflow."""
        return {index: start for index, start in self.starts.items() if start.run == run}

    def indices(self) -> list[int]:
        """Return the indices of the steps that start or whose children have ended, in ascending order."""
        return sorted({*self.starts, *(item.index for item in self.ended)})
