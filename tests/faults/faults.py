"""The faults, by kind. Each function does one; it returns when the fault is over."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final

import redis

from tests.faults.bulk import Bulk
from tests.faults.installation import Slot
from tests.faults.journal import EVERYBODY, Journal
from tests.faults.load import Load
from tests.faults.operators import Operators
from tests.faults.pauses import Pauses
from tests.faults.places import place_of, root
from tests.faults.proxy import Cut
from tests.faults.retries import persist

TIMEOUT_SECONDS: Final = 3.0
"""What `redis.timeout` is in a run: longer pauses make processes connect again."""

FREEZE_SECONDS: Final = (0.5, 5.0)
"""How long processes are frozen: shorter and longer than the leases, 1.5 and 3 seconds."""


class Faults:
    """All kinds of faults that happen to an installation under a load. At most one hits Redis at a time."""

    def __init__(
        self, load: Load, operators: Operators, pauses: Pauses, bulk: Bulk, journal: Journal, random: Random
    ) -> None:
        self._load = load
        self._installation = load.installation
        self._operators = operators
        self._journal = journal
        self._random = random
        self._redis_lock = threading.Lock()
        self._control = self._installation.server.client()
        self.kinds: dict[str, Callable[[], None]] = {
            "kill": self.kill,
            "freeze": self.freeze,
            "stop": self.stop,
            "server killed": self.kill_server,
            "memory full": self.fill_memory,
            "connections killed": self.kill_connections,
            "server paused": self.pause_server,
            "slow disk": self.slow_disk,
            "file rewritten": self.rewrite_file,
            "request cut": lambda: self.cut(Cut.REQUEST),
            "reply cut": lambda: self.cut(Cut.REPLY),
            "delay": self.delay,
            "clock jump": self.jump_clock,
            "duplicate answer": self.duplicate_answer,
            "late answer": operators.answer_late,
            "wrong attempt": operators.answer_wrongly,
            "foreign event": self.append_foreign_event,
            "large event": self.append_large_event,
            "two operators": operators.intervene_together,
            "pause": pauses.pause,
            "bulk operation": bulk.act,
            "prune": bulk.prune,
            "schedule paused": load.schedules.pause,
            "flow changed": operators.change_flow,
        }

    def kill(self) -> None:
        """Kill a process with SIGKILL; start it again after a moment."""
        slot = self._random.choice(self._installation.slots)
        with slot.lock, self._journal.hitting("kill", slot.name):
            slot.kill()
            time.sleep(self._random.uniform(0, 2))
            slot.start()

    def freeze(self) -> None:
        """Freeze a process, perhaps for longer than its lease; then let it go on."""
        slot = self._random.choice(self._installation.slots)
        with slot.lock, self._journal.hitting("freeze", slot.name):
            slot.send(signal.SIGSTOP)
            time.sleep(self._random.uniform(*FREEZE_SECONDS))
            slot.send(signal.SIGCONT)

    def stop(self) -> None:
        """Stop a process with SIGTERM, which is no excuse to do a task twice; start it again."""
        slot = self._random.choice(self._installation.slots)
        if slot.name.startswith("far"):  # it knows no better than to die
            return
        with slot.lock:
            slot.stop()
            slot.start()
        self._journal.count("stop", slot.name)

    def kill_server(self) -> None:
        """Kill Redis; start it again with its append-only file."""
        with self._redis_lock, self._journal.hitting("server killed", EVERYBODY):
            self._installation.server.kill()
            time.sleep(self._random.uniform(0, 1))
            self._installation.server.start()

    def fill_memory(self) -> None:
        """Let Redis refuse all writes that need memory, for a while."""
        with self._redis_lock, self._journal.hitting("memory full", EVERYBODY):
            self._call("CONFIG", "SET", "maxmemory", 1)
            time.sleep(self._random.uniform(0.3, 2))
            self._call("CONFIG", "SET", "maxmemory", 0)

    def kill_connections(self) -> None:
        """Let Redis close all connections, or some."""
        with self._redis_lock, self._journal.hitting("connections killed", EVERYBODY):
            if self._random.randrange(2):
                self._call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                return
            clients = persist(lambda: self._control.client_list())
            for client in self._random.sample(clients, (len(clients) + 1) // 2):
                self._call("CLIENT", "KILL", "ID", client["id"], "SKIPME", "yes")

    def pause_server(self) -> None:
        """Let Redis answer nobody, or no writes, for a while; perhaps for longer than the time-out."""
        seconds = self._random.uniform(0.2, TIMEOUT_SECONDS + 1)
        with self._redis_lock, self._journal.hitting("server paused", EVERYBODY):
            self._call("CLIENT", "PAUSE", int(1000 * seconds), self._random.choice(("ALL", "WRITE")))
            time.sleep(seconds)

    def slow_disk(self) -> None:
        """Let Redis stand still in a command, as when its disk is slow."""
        with self._redis_lock, self._journal.hitting("slow disk", EVERYBODY):
            self._call("DEBUG", "SLEEP", round(self._random.uniform(0.3, TIMEOUT_SECONDS + 1), 2))

    def rewrite_file(self) -> None:
        """Let Redis rewrite its append-only file."""
        with self._redis_lock, suppress(redis.ResponseError):  # it does so already
            self._call("BGREWRITEAOF")
        self._journal.count("file rewritten")

    def cut(self, cut: Cut) -> None:
        """Cut a request or a reply of a process in the middle."""
        slot = self._random.choice(self._installation.slots)
        kind = "request cut" if cut is Cut.REQUEST else "reply cut"
        before = slot.gate.cut_count
        with self._journal.hitting(kind, slot.name):
            self._installation.proxy.cut(slot.gate, cut)
            deadline = time.monotonic() + 5
            while slot.gate.cut_count == before and time.monotonic() < deadline:
                time.sleep(0.05)

    def delay(self) -> None:
        """Delay all that a process sends and gets; perhaps for longer than the time-out."""
        slot = self._random.choice(self._installation.slots)
        seconds = self._random.choice((0.02, 0.1, 0.5, TIMEOUT_SECONDS + 0.5))
        with self._journal.hitting("delay", slot.name):
            self._installation.proxy.delay(slot.gate, seconds, 2)
            time.sleep(2 + seconds)

    def jump_clock(self) -> None:
        """Append an event with an id from the future: the clock of its producer was ahead, or that of Redis
        has gone back since. All later ids of this stream are ahead of the clock."""
        stream = self._random.choice(("workflows:run", "workflows:ends"))
        last = persist(lambda: self._control.xinfo_stream(stream))["last-generated-id"]
        ms = max(int(last.partition("-")[0]), int(1000 * time.time()))
        id = f"{ms + self._random.randint(1000, 10_000)}-0"
        try:
            if self._append({"kind": "noise"}, id=id, stream=stream) and stream == "workflows:run":
                self._append({"kind": "receipt", "for": id, "action": "processed"})
        except redis.ResponseError:
            return  # somebody has appended a later one
        self._journal.count("clock jump", f"{stream} {id}")

    def duplicate_answer(self) -> None:
        """Answer a task that a worker executes or has executed, once more and rightly."""
        with self._installation.executions.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 20_000))
            lines = file.read().splitlines()[1:]
        if not lines:
            return
        line = json.loads(self._random.choice(lines))
        plan = self._load.plans.get(root(line["workflow"]))
        if plan is None or plan.turns or plan.expectation.has_failed or plan.id in self._load.earlier:
            return
        execution = plan.expectation.executions.get(place_of(line))
        if execution is None:
            return
        self._operators.append_end(
            line["workflow"], line["task"], line["index"], line["attempt"], execution.output
        )
        self._journal.count("duplicate answer", f"{line['workflow']} {line['index']}")

    def append_foreign_event(self) -> None:
        """Append an event that nobody can understand, or one for a workflow or step that there is not."""
        end = {"kind": "end-task", "workflow": "workflow:none", "name": "a", "index": 1}
        plan = self._random.choice(list(self._load.plans.values()))
        iterated = [step for step in _iterated_steps(plan) if step]
        choices = [
            end,
            end | {"index": "x"},
            {"kind": "end-task"},
            end | {"workflow": plan.id, "index": 9999},
        ]
        if iterated:
            choices.append(end | {"workflow": plan.id, "index": self._random.choice(iterated)})
        mark = f"mark-{len(self._journal.dead_letters)}"
        self._journal.dead_letters.add(mark)
        self._append(self._random.choice(choices) | {"mark": mark})
        self._journal.count("foreign event", mark)

    def append_large_event(self) -> None:
        """Append an event of some megabytes that nobody waits for."""
        size = self._random.choice((1_000_000, 4_000_000))
        id = self._append({"kind": "noise", "data": "x" * size})
        self._append({"kind": "receipt", "for": id, "action": "processed"})
        self._journal.count("large event")

    def _append(self, event: dict[str, Any], *, id: str = "*", stream: str = "workflows:run") -> str:
        fields = {name: json.dumps(value) for name, value in event.items()}
        return str(persist(lambda: self._control.xadd(stream, fields, id=id)))

    def _call(self, *words: object) -> Any:
        return persist(lambda: self._control.execute_command(*words))

    def heal(self) -> None:
        """Let all processes run, and Redis work."""
        self._call("CONFIG", "SET", "maxmemory", 0)
        self._call("CLIENT", "UNPAUSE")
        for slot in self._installation.slots:
            self._heal_slot(slot)

    def _heal_slot(self, slot: Slot) -> None:
        with slot.lock:
            slot.gate.cut = None
            slot.gate.delay_until = 0.0
            slot.send(signal.SIGCONT)
            slot.start()


def _iterated_steps(plan: Any) -> set[int]:
    return {path[0][0] for path, _ in plan.expectation.executions if path}
