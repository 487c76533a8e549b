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
from lfr.lifecycle import retention
from lfr.operations.archive.archive import restore_workflow
from lfr.operations.intervene import fail_task, restart_workflow, skip_task, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Store, open_store
from tests.integration.conftest import Stepper
from tests.integration.test_prune import finished, make_older
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

MONTH = 30 * 24 * 3600.0


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(retention, "_RESCAN_SECONDS", 0.0)


def ids(client: redis.Redis) -> set[str]:
    return {id.removeprefix("workflow:") for id in client.zrange("workflows:all", 0, -1)}


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
    original = retention.prune_workflow

    def fail_once(*arguments: Any) -> Any:
        if "defect" in arguments[3]:
            raise ValueError("a defect")
        return original(*arguments)

    monkeypatch.setattr(retention, "prune_workflow", fail_once)
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
