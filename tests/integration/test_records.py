"""The record of a workflow is small, and flow texts are stored once for all workflows that have them."""

from __future__ import annotations

import pytest
import redis

from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_workflow, read_flow_text
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    skip_task,
    terminate_workflow,
)
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store

SHORT = "A -> B"
LONG = f"{SHORT} # {'é' * 60}"
OTHER = f"{SHORT} # {'o' * 60}"
"""Three texts of the same flow."""

STATE_DETAILS = {"ended", "failed_step", "brief", "reason"}


def text_keys(client: redis.Redis) -> list[str]:
    return sorted(client.scan_iter(match="flow:text:*"))


def text_counts(client: redis.Redis) -> list[str]:
    counts = client.hgetall("flows:refs")
    return sorted(counts[name] for name in counts if name.startswith("text:"))


def test_a_flow_text_is_stored_once_and_deleted_with_its_last_workflow(
    store: Store, client: redis.Redis
) -> None:
    texts = {start_workflow(store, text).id: text for text in (LONG, LONG, OTHER, SHORT)}
    assert len(text_keys(client)) == 2
    assert text_counts(client) == ["1", "2"]
    for id, text in texts.items():
        assert read_flow_text(store, id) == text
    for number, id in enumerate(texts):
        terminate_workflow(store, id)
        delete_workflow(store, id)
        assert len(text_keys(client)) == len(text_counts(client)) == (2, 1, 0, 0)[number]
        for other in list(texts)[number + 1 :]:
            assert read_flow_text(store, other) == texts[other]
    assert not client.exists("flows:refs")
    assert list(client.scan_iter(match="flow:*")) == []


@pytest.mark.parametrize("text", [SHORT, LONG])
def test_an_archive_has_the_flow_text(store: Store, client: redis.Redis, text: str) -> None:
    id = start_workflow(store, text).id
    terminate_workflow(store, id)
    document = archive_workflow(store, id)
    assert document["record"]["source"] == text
    copies = [restore_workflow(store, document)]
    delete_workflow(store, id)
    copies.append(restore_workflow(store, document))
    assert [read_flow_text(store, copy) for copy in copies] == [text, text]
    assert text_counts(client) == (["2"] if text == LONG else [])
    for copy in copies:
        delete_workflow(store, copy)
    assert list(client.scan_iter(match="flow*")) == []


def test_a_text_in_the_archive_of_an_item_is_not_stored(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "* A", [1]).id
    terminate_workflow(store, id)
    document = archive_workflow(store, id)
    snapshot = {key: value for key, value in document.items() if key not in ("format", "version", "id")}
    document["items"] = {
        "1": {
            **{"total": 1, "begun": 1, "done": 0, "round": 1, "values": {}, "outputs": {}},
            "open": {"0": {**snapshot, "record": {**document["record"], "source": LONG}, "items": {}}},
        }
    }
    document["items"]["1"]["open"]["0"] |= {"steps": {}, "outputs": {}, "history": [], "latched": {}}
    copy = restore_workflow(store, document)
    assert client.hget(f"{copy}/1.0", "state") is not None
    assert {"source", "text"}.isdisjoint(client.hgetall(f"{copy}/1.0"))
    assert text_keys(client) == []
    assert read_flow_text(store, f"{copy}/1.0") == "* A"


def test_the_record_is_in_the_compact_form_of_redis(store: Store, client: redis.Redis) -> None:
    steps = 10
    id = start_workflow(store, " -> ".join(["some:task"] * steps)).id
    for index in range(1, steps + 1):
        skip_task(store, id, index)
    assert client.hget(id, "state") == "FINISHED"
    for key, most in ((id, 500), (f"{id}:outputs", 400), (f"{id}:facts", 700)):
        assert client.object("encoding", key) in ("listpack", "ziplist", "quicklist")
        assert client.memory_usage(key) <= most


def test_a_record_holds_no_detail_of_an_earlier_state(store: Store, client: redis.Redis) -> None:
    long_reason = "no " * 200
    id = start_workflow(store, "A; B").id
    assert STATE_DETAILS.isdisjoint(client.hgetall(id))
    for reason, fields in ((long_reason, STATE_DETAILS), ("no", {"ended", "failed_step", "brief"})):
        fail_task(store, id, 1, reason)
        assert STATE_DETAILS & client.hgetall(id).keys() == fields
        assert inspect_workflow(store, id)["reason"] == reason
        assert list_workflows(store)[0]["reason"] == reason[:300]
        restart_workflow(store, id)
        assert STATE_DETAILS.isdisjoint(client.hgetall(id))
        assert inspect_workflow(store, id)["reason"] is None
    fail_task(store, id, 1, long_reason)
    terminate_workflow(store, id)
    assert STATE_DETAILS & client.hgetall(id).keys() == {"ended"}
    assert inspect_workflow(store, id)["ended"] is not None


def test_a_record_of_an_earlier_version_is_read(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, LONG).id
    fail_task(store, id, 1, "new")
    digest = client.hget(id, "text")
    client.hdel(id, "text", "brief")
    old = {"version": 1, "name": "", "source": OTHER, "reason": "old " * 100, "brief": ("old " * 100)[:300]}
    client.hset(id, mapping=old)
    client.hdel("flows:refs", f"text:{digest}")
    client.delete(f"flow:text:{digest}")
    assert inspect_workflow(store, id)["reason"] == old["reason"]
    assert list_workflows(store)[0]["reason"] == old["brief"]
    assert read_flow_text(store, id) == OTHER
    restart_workflow(store, id)
    assert inspect_workflow(store, id)["reason"] is None
    terminate_workflow(store, id)
    assert archive_workflow(store, id)["record"]["source"] == OTHER
    delete_workflow(store, id)
    assert list(client.scan_iter(match="flow*")) == []
