"""Failed workflows in groups: what is one cause, what a group selects, and how much is looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from lfr.cli.commands.failures import draw_trend
from lfr.errors import BadInput
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.bulk import count_whole_bulk, plan_bulk, run_bulk
from lfr.operations.failures import group as grouping
from lfr.operations.failures.group import ALL, TREND_PARTS, group_failures
from lfr.operations.intervene import delete_workflow, fail_task, restart_workflow, skip_task
from lfr.operations.list_workflows import list_workflows, make_filter
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store
from tests.support.commands import run_command

HOUR_MS = 3_600_000


def fail(store: Store, flow: str, id: str, reason: str, *, index: int = 1) -> str:
    """Start a workflow of which the step `index` fails, after those before it have ended."""
    workflow = start_workflow(store, f"@flow {flow}; check -> pay", {}, id).id
    for before in range(1, index):
        skip_task(store, workflow, before)
    fail_task(store, workflow, index, reason)
    return workflow


def groups(store: Store, since: str = "1d", **options: Any) -> list[tuple[str, str, str, int]]:
    described = group_failures(store, since, **options)["groups"]
    return sorted((each["flow"], each["step"], each["reason"], each["count"]) for each in described)


@pytest.fixture
def failures(store: Store) -> list[str]:
    """Seven workflows that failed for four causes, and one that was restarted since."""
    ids = [fail(store, "order", f"a-{n}", f"order {n}: HTTP 503 after {n} s") for n in range(3)]
    ids += [fail(store, "order", f"b-{n}", f"order {n}: HTTP 404 after {n} s") for n in range(2)]
    ids.append(fail(store, "order", "c", "order 1: HTTP 503 after 1 s", index=2))
    ids.append(fail(store, "invoice", "d", "order 1: HTTP 503 after 1 s"))
    restart_workflow(store, fail(store, "order", "again", "order 7: HTTP 503 after 7 s"))
    return ids


def test_failures_agree_in_flow_step_and_reason(store: Store, failures: list[str]) -> None:
    assert groups(store) == [
        ("invoice", "check", "order <n>: HTTP 503 after <n> s", 1),
        ("order", "check", "order <n>: HTTP 404 after <n> s", 2),
        ("order", "check", "order <n>: HTTP 503 after <n> s", 3),
        ("order", "pay", "order <n>: HTTP 503 after <n> s", 1),
    ]
    assert sum(count for *_, count in groups(store, flow="order")) == 6
    described = group_failures(store)
    assert (described["failed"], described["earlier"], described["left_out"]) == (7, 0, 0)
    assert (described["examined"], described["is_complete"]) == (7, True)
    latest = described["groups"][0]
    assert (latest["latest"], latest["index"]) == ("workflow:d", 1)
    assert latest["example"] == "order 1: HTTP 503 after 1 s"


@pytest.mark.parametrize("since", ["1d", ALL])
def test_a_group_selects_exactly_its_members(store: Store, failures: list[str], since: str) -> None:
    selected: list[str] = []
    for group in group_failures(store, since)["groups"]:
        ids = [each["id"] for each in list_workflows(store, make_filter(store, where=group["where"]))]
        assert len(ids) == group["count"] and group["latest"] in ids
        count = count_whole_bulk(store, plan_bulk(store, "restart", group["where"]))
        assert sorted(count.first_ids) == sorted(ids)
        selected += ids
    assert sorted(selected) == sorted(failures)


def test_a_group_is_restarted_and_nothing_else(store: Store, failures: list[str]) -> None:
    where = next(each["where"] for each in group_failures(store)["groups"] if each["count"] == 3)
    steps = [*run_bulk(store, plan_bulk(store, "restart", where))]
    assert sorted(step.id for step in steps) == [f"workflow:a-{n}" for n in range(3)]
    assert all(step.is_changed for step in steps)
    assert [count for *_, count in groups(store)] == [1, 2, 1]
    fail_task(store, "a-0", 1, "order 0: HTTP 503 after 60 s")  # it is of the same group again
    latest = group_failures(store)["groups"][0]
    assert (latest["latest"], latest["where"].split()[0]) == ("workflow:a-0", where.split()[0])


def test_the_period_and_its_parts(store: Store, client: redis.Redis, failures: list[str]) -> None:
    now_ms = int(client.time()[0]) * 1000
    for id, hours in zip(failures[:3], (2.5, 30, 47), strict=True):
        client.hset(id, "ended", now_ms - round(hours * HOUR_MS))
    group = next(each for each in group_failures(store, "2d")["groups"] if each["count"] == 3)
    assert len(group["trend"]) == TREND_PARTS
    assert [part for part, count in enumerate(group["trend"]) if count] == [0, 8, 22]
    day = group_failures(store, "1d")
    assert (day["failed"], day["earlier"], day["part_seconds"]) == (5, 2, 3600)
    assert group_failures(store, "2000-01-01T00:00Z")["failed"] == 7
    with pytest.raises(BadInput, match="since is"):
        group_failures(store, "yesterday")


def test_what_is_left_out_is_counted(
    store: Store, failures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "MAX_GROUPS", 2)
    described = group_failures(store)
    assert len(described["groups"]) == 2
    counted = sum(each["count"] for each in described["groups"])
    assert described["failed"] == 7 == counted + described["left_out"]
    monkeypatch.setattr(grouping, "_SLICE", 4)
    described = group_failures(store, max_examined=1)
    assert (described["examined"], described["is_complete"], described["failed"]) == (4, False, 4)


def test_the_failed_step_is_that_of_the_archive_and_of_no_other_state(
    store: Store, client: redis.Redis
) -> None:
    id = fail(store, "order", "w", "no", index=2)
    document = json.loads(json.dumps(archive_workflow(store, id)))
    delete_workflow(store, id)
    copy = restore_workflow(store, document)
    assert client.hget(copy, "failed_step") == "2 pay"
    skip_task(store, copy, 2)
    assert not client.hexists(copy, "failed_step")
    assert group_failures(store)["groups"] == []


def test_a_failure_of_an_earlier_version_has_no_step(store: Store, client: redis.Redis) -> None:
    client.hdel(fail(store, "order", "w", "no"), "failed_step")
    assert groups(store) == [("order", "", "no", 1)]


def test_the_command_shows_a_row_for_each_group(store: Store, failures: list[str]) -> None:
    _, out, err = run_command(store, "failures")
    heading, *lines = out.splitlines()
    assert heading.split() == ["failure", "count", "flow", "step", "first", "last", "trend"]
    assert lines[1] == "    order <n>: HTTP 503 after <n> s" and len(lines) == 8
    assert lines[0].split()[1] == "1" and lines[0].endswith("█")
    assert err.splitlines()[0].startswith("7 failed since ")
    assert f"lfr restart --where 'failure={lines[0].split()[0]} " in err
    assert json.loads(run_command(store, "failures", "--json", "--flow", "order")[1])["failed"] == 6
    _, out, err = run_command(store, "failures", "--flow", "nothing")
    assert out == "" and err.startswith("no workflow has failed since ")


def test_bars_are_as_high_as_their_counts() -> None:
    assert draw_trend([0, 1, 4, 8, 0]) == "·▁▄█·"
    assert draw_trend([0, 1, 1000]) == "·▁█"
    assert draw_trend([]) == ""
