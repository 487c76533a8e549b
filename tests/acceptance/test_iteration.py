"""Iterated steps by the built file: items that fail, a restart, kill -9 of the lifecycle among many items."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr import Client
from tests.support.processes import built_file, environment, lfr, role
from tests.support.waiting import STALL_SECONDS, eventually


@pytest.fixture
def flow(tmp_path: Path) -> str:
    path = tmp_path / "items.flow"
    path.write_text("@flow items\n* { resize -> check } -> publish")
    return str(path)


def inspect(url: str, id: str) -> Any:
    """Return the output of `lfr inspect --json`."""
    return json.loads(lfr("inspect", id, "--json", url=url).stdout)


def end(url: str, id: str, name: str, index: int, *more: str) -> None:
    """End a task once it runs, as its worker would."""
    eventually(lambda: lfr("inspect", id, url=url).returncode == 0)
    eventually(
        lambda: (
            [
                step["index"]
                for step in inspect(url, id)["steps"]
                if (step["name"], step["state"]) == (name, "RUNNING")
            ]
            == [index]
        )
    )
    assert lfr("end", id, name, str(index), *more, url=url).returncode == 0


def test_an_item_fails_and_a_restart_goes_on_with_it(redis_url: str, flow: str) -> None:
    with role("lifecycle", url=redis_url):
        words = ["run", flow, "--input", "[1, 2]", "--wait", "--json"]
        with subprocess.Popen(
            [sys.executable, str(built_file()), *words], env=environment(redis_url), stdout=subprocess.PIPE
        ) as run:
            id = eventually(lambda: [workflow["id"] for workflow in Client(redis_url).list()])[0]
            end(redis_url, f"{id}/1.0", "resize", 2)
            end(redis_url, f"{id}/1.0", "check", 3, "--output", '{"well": 1}')
            end(redis_url, f"{id}/1.1", "resize", 2, "--status", "FAILURE", "--reason", "no picture")
            assert run.wait(STALL_SECONDS) == 1
        output = lfr("inspect", id, url=redis_url).stdout
        assert "reason   item 1: no picture" in output
        assert f"FAILED  {id}/1.1" in output
        assert lfr("terminate", f"{id}/1.1", url=redis_url).stderr.endswith(f"(name {id})\n")

        assert lfr("restart", id, url=redis_url).stdout == f"{id} is RUNNING\n"
        end(redis_url, f"{id}/1.1", "resize", 2)
        end(redis_url, f"{id}/1.1", "check", 3, "--output", '{"well": 2}')
        end(redis_url, id, "publish", 5)
        eventually(lambda: inspect(redis_url, id)["state"] == "FINISHED")
        workflow = inspect(redis_url, id)
        assert workflow["steps"][5]["input"] == [{"well": 1}, {"well": 2}]


def wait_for_history(client: redis.Redis, id: str, length: int) -> None:
    """Wait until a workflow's history has so many entries."""
    eventually(lambda: client.llen(f"{id}:facts") >= length)


def test_kill_the_lifecycle_among_many_items(redis_url: str) -> None:
    client, lfr_client = redis.Redis.from_url(redis_url, protocol=2), Client(redis_url)
    quick = {"LFR_LEASE": "1", "LFR_TASKS_LEASE": "2"}
    items = 3000
    with (
        role("simulate", "--wait-period", "0.02", url=redis_url, more=quick),
        role("lifecycle", url=redis_url, more=quick),
    ):
        id = lfr_client.run("* { a -> * b }", [[number, number] for number in range(items)])
        for _ in range(4):
            with role("lifecycle", url=redis_url, more=quick) as victim:
                wait_for_history(client, id, client.llen(f"{id}:facts") + 5)
                victim.kill()
        eventually(
            lambda: client.hget(id, "state") == b"FINISHED",
            progress=lambda: client.llen(f"{id}:facts"),
        )
    output = lfr_client.inspect(id)["output"]
    assert output == [[number, number] for number in range(items)]
    assert client.xlen("workflows:dead") == 0
    assert list(client.scan_iter(match=f"{id}/*")) == []
    client.close()
