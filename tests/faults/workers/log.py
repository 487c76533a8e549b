"""The log of a worker: each execution of a task is a line of JSON, which is on disk before the task answers.

`os.write` with O_APPEND: a line of a process that is killed is whole or not there.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

_FILE = os.open(os.environ["FAULTS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_SLOT = os.environ["FAULTS_SLOT"]


def log_execution(
    workflow: str, index: int, attempt: int | None, task: str, input_digest: str, token: str = ""
) -> None:
    """Note that this worker begins to execute an attempt; `token` is a line that the task has written."""
    line: dict[str, Any] = {"workflow": workflow, "index": index, "attempt": attempt, "task": task}
    line |= {"input": input_digest, "at": time.time(), "slot": _SLOT}
    line |= {"token": token} if token else {}
    os.write(_FILE, (json.dumps(line) + "\n").encode())
