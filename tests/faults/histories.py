"""Histories of workflows as Redis, or an archive, has them; nothing of lfr reads them here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import redis


class Entry(NamedTuple):
    """A transition: its time in milliseconds since the epoch, its facts as words, the name of who has
    caused it by hand or an empty text."""

    at_ms: int
    words: tuple[str, ...]
    actor: str


def parse_element(element: str) -> Entry:
    """Return the entry that an element of `W:facts` holds."""
    facts, *actor = element.partition("\n")[0].split("\t")
    at_ms, *words = facts.split()
    return Entry(int(at_ms), tuple(words), actor[0] if actor else "")


def read_histories(client: redis.Redis, ids: Iterable[str]) -> dict[str, list[Entry]]:
    """Return the histories of workflows or items, by id; an empty one of what there is not."""
    histories: dict[str, list[Entry]] = {}
    all_ids = list(ids)
    for first in range(0, len(all_ids), 500):
        part = all_ids[first : first + 500]
        with client.pipeline(transaction=False) as pipeline:
            for id in part:
                pipeline.lrange(f"{id}:facts", 0, -1)
            for id, elements in zip(part, pipeline.execute(), strict=True):
                histories[id] = list(map(parse_element, elements))
    return histories


def archived_history(document: dict[str, Any]) -> list[Entry]:
    """Return the history that an archive holds."""
    return [
        Entry(each["at"], tuple(each["facts"].split()), each.get("actor", "")) for each in document["history"]
    ]


def words_of(history: Iterable[Entry]) -> list[str]:
    """Return the facts of a history, in order."""
    return [word for entry in history for word in entry.words]
