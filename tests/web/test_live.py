"""Live streams: their messages, how they resume, when they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from lfr import events
from lfr.flow import Flow
from lfr.operations import follow, running_steps
from lfr.operations.complete_task import complete_task
from lfr.operations.list_workflows import follow_workflow_list
from lfr.store.redis.connection import Store
from lfr.store.workflows import flow_cache
from lfr.store.workflows.attempt_status import save_task_progress
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.http import Request
from lfr.web.server import MAX_STREAMS, StreamSlots
from lfr.web.sse import Message, stream_events
from tests.web.conftest import Caller, Reply, start, step


def messages(reply: Reply) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Name, data and id of each message; proofs of life are left out."""
    for block in reply.stream:
        lines = dict(line.split(": ", 1) for line in block.decode().splitlines() if line and line[0] != ":")
        if "event" in lines:
            yield lines["event"], json.loads(lines["data"]), lines.get("id", "")


def test_changes_of_a_workflow(call: Caller, store: Store) -> None:
    id = start(call, "a")
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    assert reply.headers["Content-Type"] == "text/event-stream"
    updates = messages(reply)
    name, first, id_line = next(updates)
    assert (name, first["state"], id_line) == ("change", "RUNNING", first["moment"])
    assert first["counts"] == {"total": 3, "running": 1, "done": 1, "skipped": 0, "failed": 0, "simulated": 0}
    assert [(each["index"], each["name"], each["event"]) for each in first["changes"]] == [
        (0, "", "started"),
        (0, "", "ended"),
        (1, "a", "started"),
    ]
    complete_task(store, id, "a", 1, status="FAILURE", reason="no")
    step(store)
    _, last, _ = next(updates)
    assert (last["state"], last["reason"], last["counts"]["failed"]) == ("FAILED", "no", 1)
    assert last["ended"] and last["changes"][0]["attempt"] == 1 and last["changes"][0]["reason"] == "no"
    assert next(updates) == ("end", {}, "")
    assert next(updates, None) is None
    reply.stream.close()
    assert call("GET", "/workflows/none/live").status == 404


def test_a_message_that_is_sent_keeps_no_values(store: Store) -> None:
    """48 slow readers of 100,000 changes each would hold 5 GB."""
    data = {"changes": ["x"]}
    response = stream_events(Request(store, {}, {}), iter([Message("change", data)]))  # type: ignore[arg-type]
    assert isinstance(response.content, Iterator)
    assert next(response.content) == b"retry: 2000\n\n"
    assert next(response.content) == b'event: change\ndata: {"changes":["x"]}\n\n'
    assert data == {}


def test_streams_share_the_flow_that_they_follow(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow of 200 characters may have a million steps: 48 streams with one each would take 48 GB."""
    loaded: list[Flow] = []

    class Counted(Flow):
        @classmethod
        def from_dict(cls, *arguments: Any, **more: Any) -> Flow:
            loaded.append(Flow.from_dict(*arguments, **more))
            return loaded[-1]

    id = start(call, "a")
    monkeypatch.setattr(flow_cache, "Flow", Counted)
    replies = [call("GET", f"/workflows/{id}/live", stream=True) for _ in range(5)]
    assert [next(messages(reply))[1]["counts"]["total"] for reply in replies] == [3] * 5
    for reply in replies:
        reply.stream.close()
    assert len(loaded) == 1


def test_a_stream_goes_on_behind_what_was_seen(call: Caller, store: Store) -> None:
    id = start(call, "a -> b")
    last_id = call("GET", f"/workflows/{id}?values=false").json["moment"]
    complete_task(store, id, "a", 1)
    step(store)
    for path, headers in (
        (f"/workflows/{id}/live?after={last_id}", {}),
        (f"/workflows/{id}/live", {"last_event_id": last_id}),
        (f"/workflows/{id}/live?after=0", {"last_event_id": last_id}),
    ):
        reply = call("GET", path, None, stream=True, **headers)
        _, first, _ = next(messages(reply))
        assert [(each["index"], each["event"]) for each in first["changes"]] == [(1, "ended"), (2, "started")]
        reply.stream.close()
    for old_or_unknown in ("1795831999924-0", "what?", "9" * 5000):
        reply = call("GET", f"/workflows/{id}/live", None, stream=True, last_event_id=old_or_unknown)
        assert len(next(messages(reply))[1]["changes"]) == 5
        reply.stream.close()


def test_progress_of_what_runs_is_told(call: Caller, store: Store) -> None:
    id = start(call, "a")
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    updates = messages(reply)
    assert next(updates)[1]["progress"] == {}
    with store.connect() as connection:
        run = connection.call("HGET", id, "run").decode()
        task = events.StartTask(id, "a", "a", 1, {}, {}, 1, run=run)
        save_task_progress(connection, task, 1_700_000_000_000, 0.5, "half")
    name, update, _ = next(updates)
    assert (name, update["changes"], update["progress"]["1"]["fraction"]) == ("change", [], 0.5)
    reply.stream.close()


def test_a_long_history_is_told_whole(call: Caller, client: redis.Redis) -> None:
    id = start(call, "a -> b")
    call("POST", f"/workflows/{id}/terminate")
    client.rpush(f"{id}:facts", *["1 restarted terminated"] * 2500)
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    updates = [update for name, update, _ in messages(reply) if name == "change"]
    assert sum(len(update["changes"]) for update in updates) == 5003 + 1
    assert updates[-1]["moment"] == call("GET", f"/workflows/{id}").json["moment"]
    reply.stream.close()


def test_no_message_has_many_changes_however_wide_the_flow_is(call: Caller, client: redis.Redis) -> None:
    """A transition of 111,000 steps in one message took 98 MB for each of 48 readers."""
    id = start(call, "\n".join(["a"] * 3000))
    assert all(len(element.split()) < 300 for element in client.lrange(f"{id}:facts", 0, -1))
    client.rpush(
        f"{id}:facts", "1 " + " ".join(f"-{index}" for index in range(1, 3001))
    )  # as earlier versions
    client.rpush(f"{id}:facts", "1 +1")
    told, moments = [], []
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    for name, data, moment in messages(reply):
        assert name == "change" and len(data["changes"]) < 800
        told += [(change["index"], change["event"]) for change in data["changes"]]
        moments.append(moment)
        if len(told) == 2 + 3000 + 3000 + 1:
            break
    reply.stream.close()
    assert told[2:] == [
        *((index, "started") for index in range(1, 3001)),
        *((index, "ended") for index in range(1, 3001)),
        (1, "started"),
    ]
    before = str(client.llen(f"{id}:facts") - 2)
    assert moments.count(before) > 3  # who resumes there gets the large entry again, and misses nothing


def test_a_message_names_few_tasks_without_workers(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow may have as many tasks as steps, and a stream would tell all of them with each change."""
    id = start(call, "\n".join(f"t{number}" for number in range(150)))
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    assert len(next(messages(reply))[1]["missing_workers"]) == 100
    reply.stream.close()
    monkeypatch.setattr(follow, "_MAX_CHECKED", 20)
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    assert len(next(messages(reply))[1]["missing_workers"]) == 20
    reply.stream.close()


def test_progress_is_told_of_steps_that_started_long_ago(
    call: Caller, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_steps, "MAX_ATTEMPTS", 5)
    id = start(call, "\n".join(["a"] * 20))
    with store.connect() as connection:
        run = connection.call("HGET", id, "run").decode()
        for index in (2, 19):
            task = events.StartTask(id, "a", "a", index, {}, {}, 1, run=run)
            save_task_progress(connection, task, 1_700_000_000_000, 0.5, "half")
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    assert sorted(next(messages(reply))[1]["progress"]) == ["19", "2"]
    reply.stream.close()


def test_a_workflow_that_is_deleted_meanwhile(call: Caller) -> None:
    id = start(call, "a")
    reply = call("GET", f"/workflows/{id}/live", stream=True)
    updates = messages(reply)
    next(updates)
    call("POST", f"/workflows/{id}/terminate")
    call("DELETE", f"/workflows/{id}")
    names = [(name, data.get("status")) for name, data, _ in updates]
    assert names == [("problem", 404)]
    reply.stream.close()


def test_changes_of_the_list(call: Caller) -> None:
    reply = call("GET", "/live", stream=True)
    updates = messages(reply)
    assert next(updates)[1]["changed"] == []
    id = start(call, "a")
    _, update, _ = next(updates)
    assert (update["counts"]["RUNNING"], [workflow["id"] for workflow in update["changed"]]) == (1, [id])
    call("POST", f"/workflows/{id}/terminate")
    _, update, _ = next(updates)
    assert [(each["id"], each["state"]) for each in update["changed"]] == [(id, "TERMINATED")]
    call("DELETE", f"/workflows/{id}")
    _, update, _ = next(updates)
    assert (update["changed"], update["gone"], update["counts"]["TERMINATED"]) == ([], [id], 0)
    reply.stream.close()


@pytest.mark.parametrize("query", ["state=RUNNING", "name=x", "text=FIT"])
def test_changes_among_those_that_are_chosen(call: Caller, query: str) -> None:
    reply = call("GET", f"/live?{query}", stream=True)
    updates = messages(reply)
    next(updates)
    other = start(call, "@flow y a", id="other")
    call("POST", f"/workflows/{other}/terminate")
    id = start(call, "@flow x\na", id="fits")
    changed_ids = [workflow["id"] for workflow in next(updates)[1]["changed"]]
    changed_ids += [] if changed_ids else [workflow["id"] for workflow in next(updates)[1]["changed"]]
    assert changed_ids == [id]
    call("POST", f"/workflows/{id}/terminate")
    _, update, _ = next(updates)
    if query == "state=RUNNING":
        assert (update["changed"], update["gone"]) == ([], [id])
    else:
        assert (update["changed"][0]["state"], update["gone"]) == ("TERMINATED", [])
    reply.stream.close()
    assert call("GET", "/live?state=GONE").status == 400


def test_a_list_in_which_nothing_happens_is_not_read(call: Caller, store: Store, client: redis.Redis) -> None:
    start(call, "a")
    updates = follow_workflow_list(store, interval_seconds=0)
    assert next(updates) is not None
    client.config_resetstat()
    assert next(updates) is None
    assert not {"cmdstat_hmget", "cmdstat_zrevrange"} & client.info("commandstats").keys()


def test_streams_are_limited(call: Caller) -> None:
    replies = [call("GET", "/live", stream=True) for _ in range(MAX_STREAMS)]
    assert call("GET", "/live").status == 503
    for reply in replies:
        reply.stream.close()
    for _ in range(MAX_STREAMS + 1):
        assert call("HEAD", "/live").status == 200
    call("GET", "/live", stream=True).stream.close()


def test_a_stream_ends_with_its_reader(call: Caller) -> None:
    reply = call("GET", "/live", stream=True)
    assert next(messages(reply))
    call.is_disconnected = True
    assert next(messages(reply), None) is None
    reply.stream.close()


def test_streams_end_when_the_server_stops(store: Store) -> None:
    streams = StreamSlots()
    call = Caller(make_app(store, AccessPolicy(is_open=True), max_body=1000, streams=streams))
    id = start(call, "a")
    replies = [call("GET", path, stream=True) for path in ("/live", f"/workflows/{id}/live")]
    updates = [messages(reply) for reply in replies]
    for each in updates:
        next(each)
    streams.close()
    assert [list(each) for each in updates] == [[], []]
    assert call("GET", "/live").status == 503
    for reply in replies:
        reply.stream.close()
