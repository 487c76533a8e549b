"""Retention: lifecycles prune what the settings let go, and nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.lifecycle import retention
from lfr.operations import delete_ended as delete_module
from lfr.operations.archive.archive import restore_workflow
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    skip_task,
    terminate_workflow,
)
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.record import Record
from tests.integration.conftest import Stepper
from tests.integration.test_prune import finished, make_older
from tests.support.s3 import ACCESS_KEY, REGION, SECRET_KEY, s3_server
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

MONTH = 30 * 24 * 3600.0


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(retention, "_RESCAN_SECONDS", 0.0)


def ids(client: redis.Redis) -> set[str]:
    return {id.removeprefix("workflow:") for id in client.zrange("workflows:all", 0, -1)}


def own_keys(client: redis.Redis) -> set[str]:
    """Return the keys of workflows and flows, and of their indexes."""
    prefixes = ("workflow:", "flow:", "flows:", "waits:", "workflows:flow:", "workflows:label:")
    return {key for key in client.scan_iter() if key.startswith(prefixes)}


def lifecycle_with(settings: Settings, stepper: Make, **values: Any) -> Stepper:
    return stepper(Lifecycle(open_store(replace(settings, **values))))


def step_until(lifecycle: Stepper, is_reached: Callable[[], bool]) -> None:
    def step() -> bool:
        lifecycle.step()
        return is_reached()

    eventually(step)


def test_each_state_has_its_age(
    store: Store, settings: Settings, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_PAGE", 2)
    for n in range(5):
        finished(store, client, f"old{n}", 40)
    finished(store, client, "young", 20)
    for name, days in (("failed", 50), ("failed-late", 40)):
        id = start_workflow(store, "A", {}, name).id
        fail_task(store, id, 1, "no")
        make_older(client, id, days)
    terminated = start_workflow(store, "A", {}, "terminated").id
    terminate_workflow(store, terminated)
    make_older(client, terminated, 4000)
    runs = start_workflow(store, "A", {}, "runs").id
    make_older(client, runs, 4000)
    lifecycle = lifecycle_with(
        settings, stepper, retention_finished_seconds=MONTH, retention_failed_seconds=1.5 * MONTH
    )
    step_until(lifecycle, lambda: ids(client) == {"young", "failed-late", "terminated", "runs"})
    make_older(client, "workflow:young", 20)  # later it is old enough
    step_until(lifecycle, lambda: ids(client) == {"failed-late", "terminated", "runs"})
    restart_workflow(store, "failed-late")
    skip_task(store, runs, 1)
    for _ in range(10):
        lifecycle.step()
    assert ids(client) == {"failed-late", "terminated", "runs"}


def test_by_default_nothing_is_pruned(store: Store, client: redis.Redis, stepper: Make) -> None:
    finished(store, client, "old", 4000)
    role = Lifecycle(store)
    assert role._housekeeper._retention is None
    lifecycle = stepper(role)
    for _ in range(5):
        lifecycle.step()
    assert ids(client) == {"old"}


def test_a_slice_begins_no_further_workflow_once_its_time_is_over(
    store: Store, client: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_SHARE", 0.0)
    monkeypatch.setattr(retention, "MAX_TOGETHER", 1)
    for n in range(3):
        finished(store, client, f"old{n}", 40)
    store = open_store(replace(settings, retention_finished_seconds=MONTH))
    slices = retention.Retention(store, retention.retention_rules(store.settings))
    counts = []
    with store.connect() as connection:
        for _ in range(4):
            slices.run(connection)
            counts.append(len(ids(client)))
    assert counts == [3, 2, 1, 0]


@pytest.mark.parametrize("many_users", [0, 1000])
def test_many_are_deleted_together_with_all_that_is_theirs(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, many_users: int
) -> None:
    monkeypatch.setattr(delete_module, "_MANY_USERS", many_users)
    text = "@flow g (- labels: {tenant: 7} -)\n" + " -> ".join(["long:name"] * 20)
    start_workflow(store, "@flow f A", {}, "stays")
    before = own_keys(client)
    references = client.hgetall("flows:refs")
    for name in ("f1", "f2", "f3"):
        terminate_workflow(store, start_workflow(store, "@flow f A", {}, name).id)
    for name in ("g1", "g2"):
        terminate_workflow(store, start_workflow(store, text, {"x": "y" * 1000}, name).id)
    start_workflow(store, "* A", [], "parent")
    terminate_workflow(store, start_workflow(store, "@flow f A", {}, "other").id)
    running = start_workflow(store, "@flow f A", {}, "runs").id
    ids = [f"workflow:{name}" for name in ("f1", "f2", "f3", "g1", "g2", "parent", "other", "runs", "nobody")]
    with store.connect() as connection:
        deletion = delete_module.delete_ended_workflows(
            store, connection, FlowCache(), dict.fromkeys(ids, lambda record: record.id != "workflow:other")
        )
        assert not connection.is_watching
    assert deletion.deleted == ids[:5]
    assert sorted(deletion.unchanged) == ["workflow:nobody", "workflow:other"]
    assert sorted(deletion.remaining) == ["workflow:parent", running]
    for id in ("workflow:parent", "workflow:other"):
        delete_workflow(store, id)
    terminate_workflow(store, running)
    delete_workflow(store, running)
    assert own_keys(client) <= before
    assert client.hgetall("flows:refs") == references


def test_a_change_in_between_deletes_nothing(store: Store, client: redis.Redis) -> None:
    ids = [finished(store, client, f"w{n}", 40) for n in range(3)]

    def interfere(record: Record) -> bool:
        client.hset(ids[1], "ended", 5)
        return True

    with store.connect() as connection:
        deletion = delete_module.delete_ended_workflows(
            store, connection, FlowCache(), dict.fromkeys(ids, interfere)
        )
    assert (deletion.deleted, deletion.remaining) == ([], ids)
    assert all(map(client.exists, ids))


def test_a_deletion_takes_few_commands(store: Store, client: redis.Redis) -> None:
    number = 20
    ids = [finished(store, client, f"w{n}", 40) for n in range(number)]
    client.config_resetstat()
    with store.connect() as connection:
        deletion = delete_module.delete_ended_workflows(
            store, connection, FlowCache(), dict.fromkeys(ids, lambda _: True)
        )
    calls = {name: each["calls"] for name, each in client.info("commandstats").items()}
    assert deletion.deleted == ids
    assert sum(calls.values()) <= 3 * number + 20, calls


def test_archives_go_to_s3_first(
    store: Store,
    settings: Settings,
    client: redis.Redis,
    stepper: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ids_ = [finished(store, client, f"old{n}", 40) for n in range(3)]
    with s3_server() as s3:
        values: dict[str, Any] = {
            "retention_finished_seconds": MONTH,
            "retention_archive": "s3://archives/lfr/old",
            "archive_buckets": ("archives/lfr",),
            "s3_endpoint": s3.url,
            "s3_region": REGION,
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
        }
        s3.failures[:] = [(403, "AccessDenied")]
        lifecycle = lifecycle_with(settings, stepper, **values)
        with caplog.at_level(logging.WARNING):
            step_until(lifecycle, lambda: "retention deletes nothing" in caplog.text)
        assert len(ids(client)) == 3 and not s3.objects
        step_until(lifecycle, lambda: not ids(client))
        assert len(s3.objects) == 3
        documents = [json.loads(content) for content in s3.objects.values()]
        assert [restore_workflow(store, each) for each in documents] == ids_
        for wrong in ({"archive_buckets": ()}, {"s3_secret_key": ""}, {"retention_archive": "s3://"}):
            with pytest.raises(BadSettings):
                Lifecycle(open_store(replace(settings, **{**values, **wrong})))


def test_what_cannot_be_archived_stays(
    store: Store,
    settings: Settings,
    client: redis.Redis,
    stepper: Make,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    id = finished(store, client, "old", 40)
    folder = tmp_path / "archives"
    folder.write_text("in the way")
    lifecycle = lifecycle_with(
        settings, stepper, retention_finished_seconds=MONTH, retention_archive=str(folder)
    )
    with caplog.at_level(logging.WARNING):
        step_until(lifecycle, lambda: "retention deletes nothing" in caplog.text)
    assert ids(client) == {"old"}
    folder.unlink()
    step_until(lifecycle, lambda: not ids(client))
    assert restore_workflow(store, json.loads((folder / "old.json").read_text())) == id


def test_a_workflow_that_cannot_be_pruned_stops_no_other(
    store: Store,
    settings: Settings,
    client: redis.Redis,
    stepper: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    together, single = delete_module.unindex_together_commands, retention.delete_pruned

    def fail_together(records: list[Record]) -> Any:
        if any("defect" in record.id for record in records):
            raise ValueError("a defect")
        return together(records)

    def fail_single(*arguments: Any) -> Any:
        if "defect" in arguments[2]:
            raise ValueError("a defect")
        return single(*arguments)

    monkeypatch.setattr(delete_module, "unindex_together_commands", fail_together)
    monkeypatch.setattr(retention, "delete_pruned", fail_single)
    wrong = finished(store, client, "wrong", 60)
    client.delete(f"{wrong}:outputs")
    client.set(f"{wrong}:outputs", "of another program")
    finished(store, client, "defect", 50)
    finished(store, client, "old", 40)
    lifecycle = lifecycle_with(settings, stepper, retention_finished_seconds=MONTH)
    with caplog.at_level(logging.WARNING):
        step_until(lifecycle, lambda: ids(client) == {"wrong", "defect"})
        for _ in range(10):
            lifecycle.step()
    assert caplog.text.count("workflow:wrong stays: ") == 1
    assert "a defect in lfr keeps workflow:defect" in caplog.text
