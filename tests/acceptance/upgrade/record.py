"""Workflows in the middle of everything that a workflow can wait for, begun by a built file of any version.

    python3 -m tests.acceptance.upgrade.record FILE VERSION    writes begun_by_VERSION.json beside this module

`test_upgrade.py` goes on with these records. It needs LFR_VALKEY_SERVER, which `build.py test` sets.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis

from tests.support.redis_contents import read_contents
from tests.support.servers import running

FLOWS: dict[str, tuple[str, Any]] = {
    "acquire": ("wait:acquire (- name: house -) -> text:upper", {"text": "a"}),
    "branches": ("{ text:upper wait:event (- event: all -) } -> > text:upper", {"text": "b"}),
    "buffered": ("text:upper -> wait:event (- event: early -)", {"text": "c"}),
    "countdown": ("wait:countdown (- name: house -)", {"text": "d"}),
    "delay": ("wait:delay (- duration: 300 -) -> text:upper", {"text": "e"}),
    "event": ("wait:event (- {event: answer, match: {id: '{input[id]}'}} -)", {"id": 7}),
    "failed": ("text:fail -> text:upper", {"text": "f"}),
    "items": ("* text:upper -> text:count", [{"text": "g"}, {"text": "h"}, {"text": "i"}]),
    "retry": ("text:fail (- lfr: {retry: {times: 1, delay: 300s}} -)", {"text": "j"}),
    "task": ("text:upper -> text:upper", {"text": "k"}),
    "timeout": ("text:upper (- lfr: {timeout: 9000d} -)", {"text": "l"}),
}
"""By name: a flow that stops where nobody does its `text:` tasks, and its input."""

LATER_FLOWS: dict[str, tuple[str, Any]] = {
    "unread": ("{ text:upper wait:delay (- duration: 0.5 -) } -> > text:upper", {"text": "m"}),
    "unread-items": ("* text:upper -> text:count", [{"text": "n"}, {"text": "o"}]),
}
"""Flows that are begun when no role runs any more."""

ROLES = ("lifecycle", "wait", "receipts")

STUCK_TASKS = """
import time
from lfr import task

@task("text:upper")
def upper(input):
    time.sleep(10_000)
"""
"""The tasks of a worker that is killed while it does two of them."""

TASKS_FILE = "texts.py"
"""The name of its file. That of its group follows from it."""


def id_of(name: str) -> str:
    """The id of one of these workflows."""
    return f"workflow:{name}-1"


def begin(file: Path, url: str) -> None:
    """Begin each workflow with the roles of a built file, and wait until nothing moves."""
    environment = {**os.environ, "LFR_REDIS_URL": url, "LOG_LEVEL": "WARNING"}

    def lfr(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, str(file), *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
        )

    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        client = stack.enter_context(redis.Redis.from_url(url, decode_responses=True, protocol=2))

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, str(file), *arguments], env=environment, stdout=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        def run(flows: dict[str, tuple[str, Any]]) -> None:
            for name, (text, input) in flows.items():
                path = Path(folder, f"{name}.flow")
                path.write_text(text)
                lfr("run", str(path), "--input", json.dumps(input), "--workflow-id", id_of(name))

        roles = [start(role) for role in ROLES]
        tasks = Path(folder, TASKS_FILE)
        tasks.write_text(STUCK_TASKS)
        worker = start("tasks", str(tasks), "--concurrency", "2")
        run(FLOWS)
        _wait_until_quiet(client)
        worker.kill()
        worker.wait()
        group = f"tasks-{tasks.stem}"
        held = [entry["message_id"] for entry in client.xpending_range("workflows:run", group, "-", "+", 10)]
        assert len(held) == 2
        client.xclaim("workflows:run", group, "worker-killed", 0, held, justid=True)
        lfr("fail", id_of("failed"), "1", "--reason", "tried")
        _append_end(client, "retry", "text:fail", status="FAILURE", reason="tried")
        lfr("event", "early", "--data", '{"n": 1}')
        _wait_until_quiet(client)
        for role in roles:
            role.terminate()
            role.wait()
        run(LATER_FLOWS)
        lfr("skip", f"{id_of('items')}/1.0", "1", "--output", '{"text": "by hand"}')
    with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
        _append_end(client, "task", "text:upper", status="SUCCESS", output={"text": "K"})
        # A lifecycle that has read these events and was killed.
        assert client.xreadgroup("lifecycle", "lifecycle-killed", {"workflows:run": ">"})


def _append_end(client: redis.Redis, name: str, task: str, **values: Any) -> None:
    """Append the end-task event of the first step of a workflow, as a worker does."""
    event = {"kind": "end-task", "apiVersion": "v1", "workflow": id_of(name), "name": task, "index": 1}
    event |= {"attempt": 1, **values}
    client.xadd("workflows:run", {field: json.dumps(value) for field, value in event.items()})


def _wait_until_quiet(client: redis.Redis, seconds: float = 3.0) -> None:
    """Return once the stream has grown by no entry for so long."""
    latest, since = None, time.monotonic()
    while time.monotonic() - since < seconds:
        id = client.xinfo_stream("workflows:run")["last-generated-id"]
        if id != latest:
            latest, since = id, time.monotonic()
        time.sleep(0.1)


def main(file: str, version: str) -> None:
    """Record what a file of this version leaves in Redis."""
    with tempfile.TemporaryDirectory() as folder, running("valkey", Path(folder)) as server:
        begin(Path(file), server.address.url)
        with redis.Redis.from_url(server.address.url, decode_responses=True, protocol=2) as client:
            contents = read_contents(client, without="workflows:process")
    lines = [f"{json.dumps(key)}: {json.dumps(contents[key])}" for key in sorted(contents)]
    path = Path(__file__).with_name(f"begun_by_{version}.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
