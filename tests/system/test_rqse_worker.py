"""A worker that is written on rqse alone works with our lifecycle, unchanged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lfr import Client
from lfr.host.valkey import ValkeyServer
from tests.support.processes import role

WORKER = Path(__file__).parents[2] / "examples" / "workers" / "on_rqse.py"


def test_a_worker_on_rqse(server: ValkeyServer, redis_url: str) -> None:
    lfr = Client(redis_url)
    worker = subprocess.Popen([sys.executable, str(WORKER), str(server.address.port)])
    try:
        with role("lifecycle", url=redis_url), role("receipts", url=redis_url):
            id = lfr.run("text:upper -> text:reverse -> text:upper", {"text": "abc"})
            found = lfr.wait(id, timeout=60)
    finally:
        worker.terminate()
        worker.wait()
    assert (found["state"], found["output"]) == ("FINISHED", {"text": "CBA"})
    assert [step["output"] for step in found["steps"][1:3]] == [{"text": "ABC"}, {"text": "CBA"}]
