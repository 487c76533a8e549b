"""What the built file says when no worker does a task: `lfr status`, `lfr inspect`, `lfr run --wait`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.processes import built_file, environment, lfr, role
from tests.support.waiting import STALL_SECONDS, eventually

TASKS = """
from lfr import task

@task("img:resize")
def resize(input):
    return {}
"""


def status(url: str) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(lfr("status", "--json", url=url).stdout)
    return reply


def test_a_worker_that_is_gone_is_a_problem(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "images.py").write_text(TASKS)
    (tmp_path / "resize.flow").write_text("img:resize")
    (tmp_path / "mistyped.flow").write_text("img:rezise")
    with role("lifecycle", url=redis_url):
        with role("tasks", str(tmp_path / "images.py"), url=redis_url):
            eventually(lambda: any(group.get("processes") for group in status(redis_url)["groups"]))
            assert lfr("run", str(tmp_path / "resize.flow"), "--wait", url=redis_url).returncode == 0
        id = lfr("run", str(tmp_path / "resize.flow"), url=redis_url).stdout.strip()
        reply = lfr("status", url=redis_url)
        assert reply.returncode == 69
        assert "the group tasks-images has no live worker: 1 task waits in its queue" in reply.stderr
        assert "no live worker: img:resize" in reply.stdout
        queue = lfr("events", "--queue", "tasks-images", url=redis_url)
        assert queue.returncode == 0 and id in queue.stdout
        assert lfr("events", "--queue", "nobody", url=redis_url).returncode == 66
        assert "step 1: no live worker does img:resize, since " in lfr("inspect", id, url=redis_url).stdout
        assert _read_first_warning(redis_url, tmp_path / "mistyped.flow") == (
            "lfr: no live worker does img:rezise (did you mean img:resize?)"
        )


def _read_first_warning(url: str, flow: Path) -> str:
    """Run a flow with --wait; return the first line on stderr that says that nobody does a task."""
    command = [sys.executable, str(built_file()), "run", str(flow), "--wait", "--timeout", str(STALL_SECONDS)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(url), text=True, **pipes) as process:
        assert process.stderr is not None
        try:
            return next((line.strip() for line in process.stderr if line.startswith("lfr: no ")), "")
        finally:
            process.kill()
