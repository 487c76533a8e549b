"""Retention: what the settings remove of workflows that ended long ago; the check that it is nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import redis

from tests.faults.retries import persist

_AGES: Final = {"FINISHED": 20, "FAILED": 60}
"""After how many seconds workflows are removed, by their state; those of other states stay."""

CONFIGURATION: Final = f"""
retention:
  finished: {_AGES["FINISHED"]}s
  failed: {_AGES["FAILED"]}s
  archive: "{{folder}}"
"""

_SAMPLE: Final = 50

_CLOCK_SECONDS: Final = 0.1
"""How much the time of a file may be behind the clock."""


class Sampler:
    """Looks now and then whether workflows that are gone are gone from all lists at once.

    violations  those that were not
    """

    def __init__(self, client: redis.Redis, random: Random) -> None:
        self._client = client
        self._random = random
        self.violations: list[str] = []

    def look(self, ids: Sequence[str]) -> None:
        """Look at some of these workflows."""
        chosen = self._random.sample(ids, min(len(ids), _SAMPLE))

        def read() -> list[Any]:
            with self._client.pipeline(transaction=True) as pipeline:
                for id in chosen:
                    pipeline.exists(id)
                    pipeline.zscore("workflows:all", id)
                    for state in ("RUNNING", "FINISHED", "FAILED", "TERMINATED"):
                        pipeline.zscore(f"workflows:state:{state}", id)
                return list(pipeline.execute())

        replies = persist(read)
        width = len(replies) // len(chosen) if chosen else 0
        for number, id in enumerate(chosen):
            exists, all_score, *scores = replies[number * width : (number + 1) * width]
            states = sum(score is not None for score in scores)
            if {exists, all_score is not None, states} not in ({0}, {1}):
                self.violations.append(f"{id} exists: {exists}, in the list: {all_score}, in {states} states")


def read_archives(*folders: Path) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Yield each archive of some folders with its file; None: it is not whole."""
    for file in (each for folder in folders for each in sorted(folder.glob("*.json"))):
        try:
            yield file, json.loads(file.read_text())
        except ValueError:
            yield file, None


def check_archive(file: Path, document: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an archive that retention has written, each as the kind of finding and a
    sentence."""
    if document is None:
        yield "lost", f"{file.name} is no whole archive"
        return
    state, ended_ms = document["record"]["state"], document["record"]["ended"]
    if state not in _AGES:
        yield "invented", f"{document['id']} was removed although it was {state}"
    elif (age := file.stat().st_mtime - ended_ms / 1000) < _AGES[state] - _CLOCK_SECONDS:
        yield "invented", f"{document['id']} was {state} and removed {age:.1f} s after its end"


def archived_lines(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines that an archive holds, as a client gives them."""
    return [
        {
            "index": log["index"],
            "attempt": log["attempt"],
            "text": line if isinstance(line, str) else line[-1],
        }
        for log in document.get("log", ())
        for line in log["lines"]
        if not isinstance(line, int)
    ]
