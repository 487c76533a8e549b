"""Bulk operations and prunes at random. Each touches what its filter describes, and nothing else."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any, Final

from lfr import Client
from lfr.errors import LfrError
from tests.faults.generate import GROUPS, PRUNED
from tests.faults.histories import Entry
from tests.faults.installation import start_process
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.faults.retries import persist
from tests.support.processes import built_file, environment

_ACTIONS: Final = ("terminate", "pause", "restart")

PRUNE_AGE_SECONDS: Final = 8
"""How long a workflow has ended before it is pruned: longer than a client takes that has lost the answer to
its start, and starts it again."""


class Bulk:
    """Bulk operations.

    groups    by the actor of each: the group whose workflows it may change
    changed   how many it said that it has changed; not those whose answer was lost
    """

    def __init__(self, load: Load, journal: Journal, random: Random) -> None:
        self._load = load
        self._journal = journal
        self._random = random
        self._url = load.installation.server.url
        self.groups: dict[str, str] = {}
        self.changed: dict[str, int] = {}

    def act(self) -> None:
        """Terminate, pause or restart the workflows of a group."""
        group, action = self._random.choice(GROUPS), self._random.choice(_ACTIONS)
        where = f"label.group={group}"
        if action == "restart":
            where += " state=FAILED"
        self._run(action, group, where)
        if action == "pause":
            time.sleep(self._random.uniform(0.2, 2))
            self._run("resume", group, where)
        self._journal.count(f"bulk {action}", group)

    def _run(self, action: str, group: str, where: str) -> None:
        actor = f"bulk-{action}-{len(self.groups)}"
        self.groups[actor] = group
        client = Client(self._url, redis_timeout_seconds=10.0, actor=actor)
        tries = []

        def run() -> dict[str, Any]:
            tries.append(None)
            return client.bulk(action, where)

        with suppress(LfrError):
            report = persist(run)
            if len(tries) == 1:
                self.changed[actor] = report["changed"]

    def prune(self) -> None:
        """Archive and delete old workflows, by a command that is perhaps killed meanwhile."""
        folder = str(self._load.installation.archives)
        words = ["prune", "--older", f"{PRUNE_AGE_SECONDS}s", "--flow", PRUNED, "--archive", folder, "--yes"]
        log = (self._load.installation.folder / "prune.log").open("ab")
        with log:
            process = start_process(
                [sys.executable, str(built_file()), *words],
                env=environment(self._url),
                stdout=log,
                stderr=log,
            )
        if self._random.randrange(2):
            time.sleep(self._random.uniform(0.3, 2))
            process.send_signal(signal.SIGKILL)
        process.wait()
        self._journal.count("prune")

    def check(self, histories: dict[str, list[Entry]], groups: dict[str, str]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with what the bulk operations have done, each as the kind of finding and a
        sentence. `groups` are those of the workflows, by their ids."""
        counts = dict.fromkeys(self.groups, 0)
        for id, history in histories.items():
            for entry in history:
                if entry.actor not in self.groups:
                    continue
                counts[entry.actor] += 1
                if groups.get(id) != self.groups[entry.actor]:
                    yield "invented", f"{entry.actor} has changed {id}, which it does not describe"
        for actor, count in self.changed.items():
            if counts[actor] != count:
                yield "lost", f"{actor} says that it has changed {count} workflows; it has {counts[actor]}"
