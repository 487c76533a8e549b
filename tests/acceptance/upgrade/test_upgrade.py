"""Workflows that an earlier version began go on with the built file, whatever they were waiting for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr import Client
from lfr.host.valkey import ValkeyServer
from tests.acceptance.upgrade.record import FLOWS, LATER_FLOWS, ROLES, TASKS_FILE, id_of
from tests.conftest import emptied
from tests.support.processes import lfr, role
from tests.support.redis_contents import write_contents
from tests.support.waiting import eventually, eventually_equal

RECORDS = sorted(Path(__file__).parent.glob("begun_by_*.json"))
QUICK = {"LFR_LEASE": "1", "LFR_TASKS_LEASE": "1"}

TASKS = """
from lfr import task

@task("text:upper", "text:fail")
def upper(input):
    return {"text": input["text"].upper()}

@task("text:count")
def count(input):
    return {"count": len(input)}
"""

OUTPUTS: dict[str, Any] = {
    "acquire": {"text": "A"},
    "branches": {"text": "B"},
    "buffered": {"text": "C"},
    "countdown": {"text": "d"},
    "delay": {"text": "E"},
    "event": {"id": 7, "yes": True},
    "failed": {"text": "F"},
    "items": {"count": 3},
    "retry": {"text": "J"},
    "task": {"text": "K"},
    "timeout": {"text": "L"},
    "unread": {"text": "M"},
    "unread-items": {"count": 2},
}


@pytest.fixture(params=RECORDS, ids=lambda path: path.stem)
def url(request: pytest.FixtureRequest, each_server: ValkeyServer) -> Iterator[str]:
    """A Redis that holds what an earlier version has left there."""
    url = emptied(each_server)
    with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
        write_contents(client, json.loads(request.param.read_text()))
    yield url


def what_is_left(client: redis.Redis) -> list[tuple[str, str]]:
    """Return the kind and the workflow of each event on all streams, without those of users."""
    streams = ("workflows:dead", "workflows:ends", "workflows:receipts", "workflows:tasks:tasks-texts")
    entries = [fields for stream in ("workflows:run", *streams) for _, fields in client.xrange(stream)]
    return [
        (json.loads(fields["kind"]), json.loads(fields["workflow"]))
        for fields in entries
        if "workflow" in fields
    ]


def test_there_is_a_record_of_the_first_version() -> None:
    assert "begun_by_0.1.0" in [path.stem for path in RECORDS]


def test_every_workflow_goes_on_to_its_end(url: str, tmp_path: Path) -> None:
    client = Client(url)
    assert set(OUTPUTS) == {*FLOWS, *LATER_FLOWS}
    assert {row["id"] for row in client.list(limit=100)} == set(map(id_of, OUTPUTS))
    histories = {name: history_of(client, name) for name in OUTPUTS}
    tasks = tmp_path / TASKS_FILE
    tasks.write_text(TASKS)
    with ExitStack() as stack:
        for name in ROLES:
            stack.enter_context(role(name, url=url, more=QUICK))
        # Workers follow later: what a worker of the earlier version has ended, a lifecycle takes in first.
        eventually(lambda: client.inspect(id_of("task"))["steps"][1]["state"] == "DONE")
        stack.enter_context(role("tasks", str(tasks), url=url, more=QUICK))
        client.event("answer", {"id": 7, "output": {"yes": True}})
        client.event("all", {})
        assert client.wait(id_of("acquire"), 60)["state"] == "FINISHED"
        client.run("wait:release (- name: house -)")
        assert lfr("restart", id_of("failed"), url=url).returncode == 0
        outcomes = {name: client.wait(id_of(name), 60) for name in OUTPUTS}
        with redis.Redis.from_url(url, decode_responses=True, protocol=2) as server:
            # What the earlier version has begun is older than `events.retain`: so nothing stays on the bus.
            eventually_equal(lambda: what_is_left(server), [])
    states = {name: outcome["state"] for name, outcome in outcomes.items()}
    assert states == dict.fromkeys(OUTPUTS, "FINISHED")
    assert {name: outcome["output"] for name, outcome in outcomes.items()} == OUTPUTS
    for name, earlier in histories.items():
        whole = history_of(client, name)
        assert whole[: len(earlier)] == earlier
        assert [fact["event"] for fact in whole].count("finished") == 1
        assert whole[-1]["event"] == "finished"
        followed = [change for update in client.follow(id_of(name)) for change in update["changes"]]
        assert [{key: change[key] for key in change if key != "name"} for change in followed] == whole


def history_of(client: Client, name: str) -> list[dict[str, Any]]:
    """The history of one of the workflows, with at least one fact."""
    history = client.inspect(id_of(name), history=True)["history"]
    assert history
    return list(history)
