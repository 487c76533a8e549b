"""Kill -9 of each role in turn, while much is going on: all workflows finish, each transition once."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import redis

from lfr import Client
from tests.support.processes import role
from tests.support.waiting import eventually_equal

WORKFLOWS = 200
FLOW = (
    "@flow busy\n"
    + " -> ".join(f"t{n}" for n in range(6))
    + " -> { a b ?`$.never` c d } -> wait:delay (- duration: 0.5 -) -> { { e f } g } -> "
    + " -> ".join(f"u{n}" for n in range(7))
    + '; <[{"n": 1}, {"n": 2}, {"n": 3}]> -> * { v -> w }'
)
ROLES = (("lifecycle",), ("wait",), ("simulate", "--wait-period", "0.1"), ("receipts",))
TASKS = """
from lfr import task

@task("u0", "u2", "u4", "u6")
def pass_on(input):
    return input
"""
"""The tasks of one more role, which has a queue; simulate does the others."""

QUICK = {"LFR_LEASE": "1", "LFR_TASKS_LEASE": "2"}


class Restarted:
    """A role that is killed and started again."""

    def __init__(self, arguments: tuple[str, ...], url: str, stack: ExitStack) -> None:
        self._arguments, self._url, self._stack = arguments, url, stack
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return self._stack.enter_context(role(*self._arguments, url=self._url, more=QUICK))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        self.process = self._start()


def test_kill_each_role_in_turn(redis_url: str, tmp_path: Path) -> None:
    tasks = tmp_path / "own.py"
    tasks.write_text(TASKS)
    client = redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)
    lfr = Client(redis_url)
    with ExitStack() as stack:
        roles = [Restarted(arguments, redis_url, stack) for arguments in (*ROLES, ("tasks", str(tasks)))]
        ids = [lfr.run(FLOW, {"n": n}) for n in range(WORKFLOWS)]
        pause = threading.Event()

        def finished() -> int:
            return int(client.zcard("workflows:state:FINISHED"))

        kills = 0
        while finished() < WORKFLOWS and kills < 3 * len(roles):
            victim = roles[kills % len(roles)]
            victim.kill()
            pause.wait(1)
            victim.start()
            kills += 1
        eventually_equal(finished, WORKFLOWS)
        assert kills >= len(roles)
        assert client.xlen("workflows:dead") == 0
        streams = ("workflows:run", "workflows:ends", "workflows:tasks:tasks-own", "workflows:receipts")
        eventually_equal(lambda: [client.xlen(stream) for stream in streams], [0] * len(streams))
    for id in ids:
        workflow = lfr.inspect(id, history=True)
        ends = Counter(
            (fact["index"], fact["item"])
            for fact in workflow["history"]
            if fact["event"] in ("ended", "skipped") and fact["index"]
        )
        assert set(ends.values()) == {1}, workflow["history"]
        iterated = next(step for step in workflow["steps"] if "items" in step)
        assert iterated["output"] == [{"n": 1}, {"n": 2}, {"n": 3}]
        inside = workflow["steps"][iterated["index"] + 1 : iterated["index"] + 3]
        outside = [step for step in workflow["steps"] if step not in inside]
        assert [step["name"] for step in outside if step["state"] != "DONE"] == ["c"]
    assert client.keys("*:wait:*") + client.keys("*/*") == []
    client.close()
