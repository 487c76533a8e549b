"""Prune: what matches, what stays, archives before deletions, interruptions."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr import Client
from lfr.cli.command_table import COMMANDS
from lfr.cli.commands.prune import HANDLER
from lfr.cli.ui.parser import UsageError, make_parser
from lfr.errors import BadInput, CannotWrite, Refused
from lfr.host.archive_folder import write_archive
from lfr.operations import list_workflows as list_module
from lfr.operations import prune as prune_module
from lfr.operations import select_workflows as select_module
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.delete_ended import Deletion
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import fail_task, restart_workflow, skip_task, terminate_workflow
from lfr.operations.list_workflows import list_largest, make_filter
from lfr.operations.prune import PruneStep, plan_prune, prune
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store
from tests.support.commands import run_command
from tests.support.screens import terminal, written

DAY_MS = 24 * 3600 * 1000


def make_older(client: redis.Redis, id: str, days: float) -> None:
    """Let a workflow have started and ended so many days earlier."""
    earlier = round(days * DAY_MS)
    state, started = client.hmget(id, "state", "started")
    client.hset(id, "started", int(started or 0) - earlier)
    if ended := client.hget(id, "ended"):
        client.hset(id, "ended", int(ended) - earlier)
    for index in ("workflows:all", f"workflows:state:{state}"):
        client.zincrby(index, -earlier, id)


def finished(store: Store, client: redis.Redis, name: str, days: float, flow: str = "@flow f A") -> str:
    id = start_workflow(store, flow, {"x": "y" * 100}, name).id
    skip_task(store, id, 1)
    make_older(client, id, days)
    return id


def listed_ids(store: Store) -> list[str]:
    return [workflow["id"] for workflow in Client(store.settings.redis_url).list()]


def deleted_ids(steps: list[PruneStep]) -> list[str]:
    return [step.id for step in steps if step.is_deleted]


def test_only_what_matches_is_deleted(store: Store, client: redis.Redis) -> None:
    old = finished(store, client, "old", 40)
    older = finished(store, client, "older", 50)
    young = finished(store, client, "young", 20)
    other = finished(store, client, "other", 40, "@flow g A")
    runs = start_workflow(store, "@flow f A", {}, "runs").id
    make_older(client, runs, 40)
    failed = start_workflow(store, "@flow f A; B", {}, "failed").id
    fail_task(store, failed, 1, "no")
    make_older(client, failed, 40)
    late = start_workflow(store, "@flow f A", {}, "late").id  # began long ago, ended now
    make_older(client, late, 40)
    skip_task(store, late, 1)
    ended = start_workflow(store, "@flow f A", {}, "ended").id
    terminate_workflow(store, ended)
    make_older(client, ended, 40)

    plan = plan_prune(store, "30d", flow="f")
    assert plan.ids == (older, old)
    assert plan.counts == {"FINISHED": 2} and not plan.is_estimate
    assert plan.bytes is not None and 400 < plan.bytes < 20_000
    assert sorted(listed_ids(store)) == sorted([old, older, young, other, runs, failed, late, ended])
    assert deleted_ids(list(prune(store, plan))) == [older, old]
    assert not client.keys("workflow:old*")
    # A failed workflow of which a task runs stays, and is pruned once that has ended.
    plan = plan_prune(store, "30d", ["FAILED", "TERMINATED", "FINISHED"])
    assert plan.counts == {"FAILED": 0, "TERMINATED": 1, "FINISHED": 1}
    assert sorted(deleted_ids(list(prune(store, plan)))) == sorted([ended, other])
    assert sorted(listed_ids(store)) == sorted([young, runs, failed, late])
    fail_task(store, failed, 2, "no")
    make_older(client, failed, 40)
    assert plan_prune(store, "30d", ["FAILED"]).ids == (failed,)


def test_pages_of_workflows_that_started_together(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select_module, "_MIN_CHUNK", 2)
    monkeypatch.setattr(select_module, "_MAX_CHUNK", 2)
    monkeypatch.setattr(prune_module, "_MAX_MEASURED", 3)
    ids = [finished(store, client, f"w{n}", 40) for n in range(7)]
    for id in ids:
        client.zadd("workflows:state:FINISHED", {id: 5})
    plan = plan_prune(store, "30d")
    assert sorted(plan.ids) == sorted(ids)
    assert plan.is_estimate and plan.bytes is not None and plan.bytes > 7 * 200
    assert len(deleted_ids(list(prune(store, plan)))) == 7
    assert (plan_prune(store, "30d").ids, plan_prune(store, "30d").bytes) == ((), 0)


def test_many_are_deleted_in_one_transaction(store: Store, client: redis.Redis) -> None:
    ids = [finished(store, client, f"w{n}", 40) for n in range(60)]
    parent = start_workflow(store, "@flow f * A", [1], "parent").id  # it may have more than keys of its own
    terminate_workflow(store, parent)
    make_older(client, parent, 40)
    before = client.info("commandstats")["cmdstat_exec"]["calls"]
    steps = list(prune(store, plan_prune(store, "30d", ["FINISHED", "TERMINATED"])))
    assert sorted(deleted_ids(steps)) == sorted([*ids, parent])
    assert client.info("commandstats")["cmdstat_exec"]["calls"] - before == 4  # 25, 25, 10, and the parent
    assert listed_ids(store) == [] and not client.keys("workflow:*")


def test_it_can_be_interrupted_and_repeated(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune_module, "MAX_TOGETHER", 2)
    ids = [finished(store, client, f"w{n}", 40 - n) for n in range(4)]
    plan = plan_prune(store, 30 * 24 * 3600)
    assert deleted_ids(list(islice(prune(store, plan), 2))) == ids[:2]
    again = plan_prune(store, "30d")
    assert again.ids == tuple(ids[2:])
    # Two at once: what the other one has deleted is no problem.
    assert deleted_ids(list(prune(store, again))) == ids[2:]
    assert list(prune(store, plan)) == [PruneStep(id, is_deleted=False) for id in ids]


def test_a_workflow_that_has_changed_since_the_plan_stays(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A", {}, "w").id
    terminate_workflow(store, id)
    make_older(client, id, 40)
    plan = plan_prune(store, "30d", ["TERMINATED"])
    restart_workflow(store, id)
    assert list(prune(store, plan)) == [PruneStep(id, is_deleted=False)]
    assert inspect_workflow(store, id)["state"] == "RUNNING"


def test_a_workflow_that_has_changed_since_its_archive_stays(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A", {}, "w").id
    terminate_workflow(store, id)
    make_older(client, id, 40)
    plan = plan_prune(store, "0s", ["TERMINATED"])

    ended_by_ms = plan.filter.ended_by_ms
    assert ended_by_ms is not None

    def write_and_interfere(document: dict[str, Any]) -> None:
        assert document["record"]["state"] == "TERMINATED"
        restart_workflow(store, id)
        terminate_workflow(store, id)
        client.hset(id, "ended", ended_by_ms - 1)  # it still matches the filter

    assert list(prune(store, plan, write_and_interfere)) == [PruneStep(id, is_deleted=False)]
    assert inspect_workflow(store, id)["state"] == "TERMINATED"


def test_archives_are_written_before(store: Store, client: redis.Redis, tmp_path: Path) -> None:
    ids = [finished(store, client, f"w{n}", 40) for n in range(3)]
    folder = tmp_path / "a" / "b"

    def write(document: dict[str, Any]) -> None:
        assert client.exists(document["id"])
        write_archive(folder, document)

    assert deleted_ids(list(prune(store, plan_prune(store, "30d"), write))) == ids
    assert sorted(file.name for file in folder.iterdir()) == ["w0.json", "w1.json", "w2.json"]
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert restore_workflow(store, json.loads((folder / "w1.json").read_text())) == ids[1]


def test_nothing_is_deleted_whose_archive_cannot_be_written(
    store: Store, client: redis.Redis, tmp_path: Path
) -> None:
    id = finished(store, client, "w", 40)
    (tmp_path / "file").write_text("")
    lfr = Client(store.settings.redis_url)
    with pytest.raises(CannotWrite, match="cannot archive in"):
        lfr.prune("30d", archive=tmp_path / "file")
    assert client.exists(id)


def test_no_other_archive_is_replaced(store: Store, client: redis.Redis, tmp_path: Path) -> None:
    document = archive_workflow(store, finished(store, client, "w", 40))
    assert write_archive(tmp_path, document).name == "w.json"
    assert write_archive(tmp_path, document).name == "w.json"
    assert write_archive(tmp_path, {**document, "id": "workflow:other/../w"}).name == "other-..-w.json"
    later = {**document, "history": []}
    assert write_archive(tmp_path, later).name == "w.2.json"
    assert json.loads((tmp_path / "w.json").read_text()) == document
    assert json.loads((tmp_path / "w.2.json").read_text()) == later


def test_a_workflow_that_is_half_lost_stays_with_its_reason(
    store: Store, client: redis.Redis, tmp_path: Path
) -> None:
    id = finished(store, client, "w", 40)
    wrong = finished(store, client, "y", 40)
    client.delete(f"{wrong}:outputs")
    client.set(f"{wrong}:outputs", "of another program")
    (digest,) = client.hmget(id, "flow")
    reply = Client(store.settings.redis_url).prune("30d", dry_run=True)
    assert (reply["workflows"], reply["deleted"]) == (2, 0)
    problems = {step.id: step.problem for step in prune(store, plan_prune(store, "30d")) if step.problem}
    assert list(problems) == [wrong] and f"{wrong}:outputs" in problems[wrong]
    client.delete(f"flow:{digest}")
    reply = Client(store.settings.redis_url).prune("30d", archive=tmp_path)
    assert list(reply["problems"]) == [wrong] and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("older", "states", "message"),
    [
        ("a month", ["FINISHED"], "no age"),
        ("30d", ["RUNNING"], "RUNNING are not pruned"),
        ("30d", ["DONE"], "no state DONE"),
        ("30d", [], "needs a state"),
    ],
)
def test_what_cannot_be_pruned(store: Store, older: str, states: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        plan_prune(store, older, states)


def prune_command(store: Store, answer: bytes, *options: str) -> tuple[int | None, str, str]:
    """Run `lfr prune` at a terminal. Return its exit code, and what stdout and stderr show."""
    return run_command(store, "prune", "--older", "30d", *options, answer=answer)


def test_the_command_asks(store: Store, client: redis.Redis, tmp_path: Path) -> None:
    id = finished(store, client, "old", 40)
    for answer in (b"no\n", b"\n", b""):
        code, out, err = prune_command(store, answer)
        assert (code, out) == (None, "")
        assert "1 FINISHED: " in err and err.endswith("delete them? Type yes:\nnothing has been changed\n")
    assert client.exists(id)
    code, out, err = prune_command(store, b"yes\n", "--archive", str(tmp_path))
    assert (code, out) == (None, "1 of 1 workflows are deleted\n")
    assert f"archive them in {tmp_path} and delete them? " in err
    assert not client.exists(id) and (tmp_path / "old.json").exists()
    assert prune_command(store, b"")[2] == "no workflow matches\n"
    with pytest.raises(UsageError, match="needs --yes"):
        prune_command(store, b"yes\n", "--json")


def test_an_interrupted_command_says_how_far_it_is(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [finished(store, client, f"w{n}", 40 - n) for n in range(3)]
    original = prune_module.delete_ended_workflows

    def interrupt(*arguments: Any) -> Deletion:
        if ids[1] in arguments[3]:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(prune_module, "MAX_TOGETHER", 1)
    monkeypatch.setattr(prune_module, "delete_ended_workflows", interrupt)
    screen = terminal()
    parser = make_parser(COMMANDS["prune"], HANDLER)
    arguments = parser.parse_args(
        ["--older", "30d", "--url", store.settings.redis_url, "--yes"], Namespace(command="prune")
    )
    with pytest.raises(KeyboardInterrupt):
        HANDLER.run(arguments, screen)
    assert written(screen.out) == "1 of 3 workflows are deleted\n"
    assert sorted(listed_ids(store)) == ids[1:]


def test_the_largest_come_first(store: Store, client: redis.Redis) -> None:
    small, large, middle = [
        start_workflow(store, "A", "x" * size, f"w{size}").id for size in (20_000, 2_000_000, 200_000)
    ]
    for age, id in enumerate((middle, large, small)):
        make_older(client, id, age + 1)
    largest = list_largest(store, limit=2)
    assert [workflow["id"] for workflow in largest] == [large, middle]
    sizes = [Client(store.settings.redis_url).inspect(id)["bytes"] for id in (large, middle)]
    assert [workflow["bytes"] for workflow in largest] == sizes
    assert 2_000_000 < sizes[0] < 8_000_000
    matches = list_largest(store, make_filter(store, text="w2000000"))
    assert [workflow["id"] for workflow in matches] == [large]


def test_only_the_newest_are_measured(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_module, "MAX_MEASURED", 3)
    monkeypatch.setattr(list_module, "_MEASURED_AT_ONCE", 2)
    ids = [start_workflow(store, "A", "x" * 10_000 * (5 - n), f"w{n}").id for n in range(5)]
    assert [workflow["id"] for workflow in list_largest(store)] == ids[2:]


def test_sizes_are_shown(store: Store) -> None:
    id = start_workflow(store, "A", "x" * 3_000_000, "w").id
    for words in (["list", "--sort", "size"], ["inspect", id]):
        assert re.search(r"\b[2-8]\.\d MiB", run_command(store, *words)[1])


def test_a_server_that_does_not_say_sizes(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "A", {}, "w").id
    client.execute_command("ACL", "SETUSER", "default", "-memory")
    try:
        with pytest.raises(Refused, match="permit MEMORY USAGE"):
            list_largest(store)
        assert inspect_workflow(store, id, size=True)["bytes"] is None
    finally:
        client.execute_command("ACL", "SETUSER", "default", "+@all")
