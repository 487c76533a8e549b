"""What leaves the installation besides results: notices of failures, and the lines that tasks write."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from random import Random
from threading import Lock
from typing import Any, Final

from tests.faults.histories import Entry, words_of
from tests.faults.journal import Journal

LOST_LINES_SECONDS: Final = 3.0
"""For how long lines may be lost if their worker is killed: docs/guarantees.md says about two."""

CONFIGURATION: Final = """
notify:
  rules:
    failures: {{when: failed, to: webhook:sink, quiet: 0}}
  webhooks: {{sink: "{url}/notices"}}
  allow: [127.0.0.0/8]
"""


class Sink:
    """Takes notices, and sometimes refuses one.

    taken  by workflow, the ids of its notices
    """

    def __init__(self) -> None:
        self._random = Random(1)
        self._lock = Lock()
        self.taken: dict[str, set[str]] = defaultdict(set)
        self.count = 0
        self.refused = 0

    def take(self, body: bytes) -> bool:
        """Take what was posted; return whether to say so."""
        notice = json.loads(body)
        with self._lock:
            self.count += 1
            self.taken[notice["workflow"]].add(notice["id"])
            is_accepted = self._random.randrange(10) > 0
            self.refused += not is_accepted
            return is_accepted

    def missing(self, histories: dict[str, list[Entry]]) -> list[str]:
        """Return the failures of which there is no notice."""
        return [text for kind, text in self.check(histories) if kind == "lost"]

    def check(
        self, histories: dict[str, list[Entry]], earlier: Container[str] = ()
    ) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the notices, each as the kind of finding and a sentence. Each failure of a
        workflow has one, with an id of its own, however often it was sent. Other workflows have had the
        `earlier` ids before: their failures are in no history."""
        for id, history in histories.items():
            failures, notices = words_of(history).count("failed"), len(self.taken.get(id, ()))
            if notices < failures or (notices > failures and id not in earlier):
                kind = "lost" if notices < failures else "invented"
                yield kind, f"{id} has failed {failures} times, and there are {notices} notices"
        yield from (
            ("invented", f"a notice of {id}, which there is not")
            for id in self.taken.keys() - histories.keys()
        )


def check_lines(
    id: str, lines: Iterable[dict[str, Any]], executions: Iterable[dict[str, Any]], journal: Journal
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the lines that the tasks of a workflow, not of its items, have written, each
    as the kind of finding and a sentence. `executions` are those that the workers have logged."""
    texts = [line for line in lines if "text" in line]  # the others say that lines were left out
    written = Counter((line["index"], line["attempt"], line["text"]) for line in texts)
    executed: dict[tuple[int, int, str], list[dict[str, Any]]] = defaultdict(list)
    for each in executions:
        if each["workflow"] == id and each.get("token"):
            executed[each["index"], each["attempt"], each["token"]].append(each)
    for (index, attempt, text), count in written.items():
        if text.startswith("token ") and (index, attempt, text) not in executed:
            yield "invented", f"{id}: step {index}, attempt {attempt} has not written {text!r}"
        elif text.startswith("token ") and count > 1:
            yield (
                "doubled",
                f"{id}: step {index} has written {text!r} once, and it stands there {count} times",
            )
    for (index, attempt, text), each in executed.items():
        at = each[-1]["at"]
        if not written[index, attempt, text] and not journal.excuses(
            {each[-1]["slot"]}, at, at + LOST_LINES_SECONDS
        ):
            yield (
                "lost",
                f"{id}: {text!r} of step {index}, attempt {attempt}, at {at:.3f} by {each[-1]['slot']}",
            )
