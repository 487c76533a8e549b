"""Calls by the built file: kill -9 of lifecycles in the middle of calls, and what people see of a child."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import redis

from lfr import Client
from tests.support.processes import lfr, role
from tests.support.waiting import eventually


def inspect(url: str, id: str) -> Any:
    """Return the output of `lfr inspect --json`."""
    return json.loads(lfr("inspect", id, "--json", url=url).stdout)


def test_lifecycles_are_killed_in_the_middle_of_calls(redis_url: str) -> None:
    client, lfr_client = redis.Redis.from_url(redis_url, protocol=2), Client(redis_url)
    quick = {"LFR_LEASE": "1", "LFR_TASKS_LEASE": "2"}
    lfr_client.apply_flows("@flow inner a -> b")
    lfr_client.apply_flows("@flow outer c -> flow:inner -> d")
    uses = client.hgetall("flows:refs")
    calls = 300
    with (
        role("simulate", "--wait-period", "0.02", url=redis_url, more=quick),
        role("lifecycle", url=redis_url, more=quick),
    ):
        id = lfr_client.run("* { flow:outer -> flow:inner }", list(range(calls)))
        for _ in range(4):
            with role("lifecycle", url=redis_url, more=quick) as victim:
                length = client.llen(f"{id}:facts") + 5
                eventually(lambda length=length: client.llen(f"{id}:facts") >= length)
                victim.kill()
        eventually(
            lambda: client.hget(id, "state") == b"FINISHED",
            progress=lambda: client.llen(f"{id}:facts"),
        )
    assert lfr_client.inspect(id)["output"] == list(range(calls))
    assert client.xlen("workflows:dead") == 0
    assert list(client.scan_iter(match=f"{id}/*")) == []
    lfr_client.delete(id)
    assert client.hgetall("flows:refs") == uses
    client.close()


def test_a_child_is_seen_from_its_parent_and_the_parent_from_the_child(
    redis_url: str, tmp_path: Path
) -> None:
    flows = {"pay": "@flow pay card", "order": "@flow order\nflow:pay -> send"}
    for name, text in flows.items():
        (tmp_path / f"{name}.flow").write_text(text)
    order, pay = str(tmp_path / "order.flow"), str(tmp_path / "pay.flow")
    refused = lfr("apply", order, url=redis_url)
    assert refused.returncode == 65
    assert "pay is neither stored nor one of these texts" in refused.stderr
    warned = lfr("check", order, "--live", url=redis_url)
    assert "no flow is stored under the name pay" in warned.stdout
    assert lfr("apply", order, pay, url=redis_url).returncode == 0
    with role("lifecycle", url=redis_url):
        assert lfr("run", "--flow", "order", "--workflow-id", "o", url=redis_url).returncode == 0
        child = "workflow:o/1.0"
        eventually(lambda: inspect(redis_url, "o")["steps"][1]["call"]["id"] == child)
        assert f"  RUNNING  {child}  pay, version 1\n" in lfr("inspect", "o", url=redis_url).stdout
        step = lfr("inspect", "o", "1", url=redis_url).stdout
        assert f"calls       {child} (pay, version 1) RUNNING" in step
        assert "parent   workflow:o" in lfr("inspect", child, url=redis_url).stdout
        assert child not in lfr("list", url=redis_url).stdout
        end = lfr("end", child, "card", "1", "--status", "FAILURE", "--reason", "no money", url=redis_url)
        assert end.returncode == 0
        eventually(lambda: inspect(redis_url, "o")["state"] == "FAILED")
    reason = f"{child} of the flow pay failed: step 1, card: no money"
    assert inspect(redis_url, "o")["reason"] == reason
