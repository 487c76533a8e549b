"""What the events of a pass are to the wait role: waits that begin, waits that are cancelled, events that may
end waits, and what concerns it not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from lfr import events
from lfr.runtime.complete import Completion, parse_tasks
from lfr.store.stream.entries import Entry
from lfr.store.waits.deliver_event import Arrival
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.tasks.parameters import BadParameter
from lfr.tasks.wait_spec import LatchStep, Wait, asked_wait
from lfr.values.checks import is_unicode


@dataclass(slots=True)
class WaitNews:
    """The events of one pass, sorted; each kind in the order of the stream.

    delays       waits that only the clock ends; `event_waits`: those that an event ends
    latch_steps  steps that acquire, release or count down
    failures     answers to `wait:` tasks that ask for what cannot be
    cancels      attempts that are over, by the event's id
    arrivals     events that may end waits
    foreign      the ids of all others
    """

    delays: list[Wait] = field(default_factory=list)
    event_waits: list[Wait] = field(default_factory=list)
    latch_steps: list[LatchStep] = field(default_factory=list)
    failures: list[Completion] = field(default_factory=list)
    cancels: dict[str, events.CancelTask] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def sort_news(batch: Sequence[Entry]) -> WaitNews:
    """Sort the events of a pass."""
    news = WaitNews()
    tasks, others = parse_tasks(batch)
    for id, task in tasks:
        if task.base.startswith(WAIT_PREFIX):
            _place_task(news, id, task)
        else:
            news.foreign.append(id)
    entries = {entry.id: entry for entry in batch}
    for id in others:
        if not _place_event(news, entries[id]):
            news.foreign.append(id)
    return news


def _place_task(news: WaitNews, id: str, task: events.StartTask) -> None:
    try:
        asked = asked_wait(id, task)
    except BadParameter as error:
        news.failures.append(Completion(id, events.end_task_values(task, failure=str(error))))
        return
    if isinstance(asked, LatchStep):
        news.latch_steps.append(asked)
    elif asked.event is not None:
        news.event_waits.append(asked)
    else:
        news.delays.append(asked)


def _place_event(news: WaitNews, entry: Entry) -> bool:
    """Whether an event that starts no task may concern us. What cannot be read is buried by the lifecycle."""
    kind = events.peek_kind(entry.fields)
    with suppress(events.Malformed):
        if kind == events.CANCEL_TASK:
            values = events.decode(entry.fields)
            base = values.get(b"base")
            if not isinstance(base, str) or base.startswith(WAIT_PREFIX):
                news.cancels[entry.id] = events.parse_cancel_task(values)
                return True
        elif kind is not None and kind not in events.OWN_KINDS and is_unicode(kind):
            news.arrivals.append(Arrival(entry.id, kind, events.decode_event(entry.fields)))
            return True
    return False
