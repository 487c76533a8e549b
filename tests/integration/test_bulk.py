"""Bulk actions: only what the filter selects is changed, each once, however often they are interrupted."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr import Client
from lfr.cli.command_table import COMMANDS
from lfr.cli.ui.parser import UsageError, load_handler, make_parser
from lfr.errors import BadInput
from lfr.language import FlowError
from lfr.operations import bulk
from lfr.operations.bulk import BulkStep, count_whole_bulk, plan_bulk, run_bulk, run_bulk_slice
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    skip_task,
    terminate_workflow,
)
from lfr.operations.pause import list_pauses, pause_workflow
from lfr.operations.start import start_workflow
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from tests.support.commands import run_command
from tests.support.screens import terminal, written

FLOW = "@flow order; A -> B"


def states(store: Store, client: redis.Redis) -> dict[str, str]:
    """Return the state of each workflow by its name."""
    ids = client.zrange("workflows:all", 0, -1)
    return {id.removeprefix("workflow:"): inspect_workflow(store, id)["state"] for id in ids}


def wait_for_the_next_millisecond(client: redis.Redis) -> None:
    seconds, us = client.time()
    while client.time()[0] * 1000 + client.time()[1] // 1000 <= seconds * 1000 + us // 1000:
        pass


@pytest.fixture
def workflows(store: Store) -> None:
    """Two of each: RUNNING, FAILED, TERMINATED, FINISHED; one of the two with a label."""
    for state in ("running", "failed", "terminated", "finished"):
        for n in (1, 2):
            labels = {"tenant": n}
            id = start_workflow(store, FLOW, {}, f"{state}-{n}", labels=labels).id
            if state == "failed":
                fail_task(store, id, 1, "Timeout")
            elif state == "terminated":
                terminate_workflow(store, id)
            elif state == "finished":
                skip_task(store, id, 1)
                skip_task(store, id, 2)


def run(store: Store, action: str, where: str, **options: Any) -> list[BulkStep]:
    return [*run_bulk(store, plan_bulk(store, action, where, **options))]


@pytest.mark.parametrize(
    ("action", "where", "changes"),
    [
        (
            "terminate",
            "label.tenant=1",
            {"running-1": "TERMINATED", "failed-1": "TERMINATED"},
        ),
        ("terminate", "flow=order state=RUNNING", {"running-1": "TERMINATED", "running-2": "TERMINATED"}),
        ("restart", "reason~timeout text~failed-2", {"failed-2": "RUNNING"}),
        ("restart", "label.tenant=2", {"failed-2": "RUNNING", "terminated-2": "RUNNING"}),
        ("delete", "label.tenant=2", {"failed-2": "", "terminated-2": "", "finished-2": ""}),
        ("delete", "state=RUNNING,FINISHED", {"finished-1": "", "finished-2": ""}),
    ],
)
@pytest.mark.usefixtures("workflows")
def test_what_the_filter_selects_is_changed_and_nothing_else(
    store: Store, client: redis.Redis, action: str, where: str, changes: dict[str, str]
) -> None:
    expected = {**states(store, client), **changes}
    plan = plan_bulk(store, action, where)
    assert count_whole_bulk(store, plan).states.total() == len(changes)
    steps = run(store, action, where)
    assert {step.id.removeprefix("workflow:") for step in steps} == changes.keys()
    assert all(step.is_changed and not step.problem for step in steps)
    assert states(store, client) == {name: state for name, state in expected.items() if state}


@pytest.mark.usefixtures("workflows")
def test_a_step_is_retried(store: Store) -> None:
    assert [step.is_changed for step in run(store, "retry", "state=FAILED", index=1)] == [True, True]
    assert inspect_workflow(store, "failed-1")["steps"][1]["attempt"] == 2
    (problem,) = {
        step.problem.partition(": ")[2] for step in run(store, "retry", "state=TERMINATED", index=2)
    }
    assert problem


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explode", "flow=a"), "there is no action explode"),
        (("retry", "flow=a"), "needs the index of a step"),
        (("restart", "state=RUNNING"), "where names no state in which restart is possible"),
    ],
)
def test_what_makes_no_sense_is_refused(store: Store, arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        plan_bulk(store, *arguments)
    with pytest.raises(FlowError):
        plan_bulk(store, "delete", "")
    for as_of in ("yesterday", "2999-01-01"):
        with pytest.raises(BadInput, match="no time before now"):
            plan_bulk(store, "delete", "flow=a", as_of=as_of)


def test_it_goes_on_after_an_interruption(
    store: Store, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_PAGE", 3)
    for n in range(10):
        start_workflow(store, FLOW, {}, f"w{n}")
    start_workflow(store, "@flow other; A", {}, "other")
    plan = plan_bulk(store, "terminate", "flow=order")
    assert len(list(islice(run_bulk(store, plan), 4))) == 4
    wait_for_the_next_millisecond(client)
    late = start_workflow(store, FLOW, {}, "late").id
    assert [step.is_changed for step in run_bulk(store, plan)] == [True] * 6
    expected = {**{f"w{n}": "TERMINATED" for n in range(10)}, "other": "RUNNING", "late": "RUNNING"}
    assert states(store, client) == expected
    assert list(run_bulk(store, plan)) == []
    assert inspect_workflow(store, late)["state"] == "RUNNING"


def test_a_slice_that_deletes_goes_on_behind_what_it_has_done(store: Store, client: redis.Redis) -> None:
    """Most go in one transaction; a parent, and one of which a task runs, have one of their own."""
    special = {3: "@flow order; A; * B", 7: "@flow order; A; B", 9: "@flow order; A; * B"}
    for n in range(30):
        start_workflow(store, special.get(n, FLOW), [] if n in (3, 9) else {}, f"w{n}")
        fail_task(store, f"w{n}", 1, "no")
        wait_for_the_next_millisecond(client)
    client.set("workflow:w5:outputs", "of another program")
    plan = plan_bulk(store, "delete", "flow=order")
    deleted, problems, after, slices = 0, {}, None, []
    while True:
        done = run_bulk_slice(store, plan, after, max_workflows=1, max_seconds=0)
        deleted += done.changed
        problems |= done.problems
        after = done.next
        slices.append(done.changed)
        if after is None:
            break
    assert slices == [22, 5, 1, 1, 0]  # each ends with one of the special ones
    assert (deleted, list(problems)) == (29, ["workflow:w5"])
    assert client.zrange("workflows:all", 0, -1) == ["workflow:w5"]


def test_what_was_restarted_and_fails_again_is_not_restarted_twice(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, FLOW).id
    fail_task(store, id, 1, "no")
    wait_for_the_next_millisecond(client)
    plan = plan_bulk(store, "restart", "state=FAILED")
    assert len(list(run_bulk(store, plan))) == 1
    fail_task(store, id, 1, "no")
    wait_for_the_next_millisecond(client)
    assert count_whole_bulk(store, plan).states == {} and list(run_bulk(store, plan)) == []
    assert count_whole_bulk(store, plan_bulk(store, "restart", "state=FAILED")).states == {
        WorkflowState.FAILED: 1
    }


def test_what_changes_between_selection_and_transaction_stays(store: Store) -> None:
    ids = [start_workflow(store, FLOW, {}, f"w{n}").id for n in range(3)]
    for id in ids:
        fail_task(store, id, 1, "no")
    steps = run_bulk(store, plan_bulk(store, "terminate", "state=FAILED"))
    assert next(steps).is_changed
    restart_workflow(store, ids[1])
    assert [(step.is_changed, step.problem) for step in steps] == [(False, ""), (True, "")]
    assert inspect_workflow(store, ids[1])["state"] == "RUNNING"


@pytest.mark.parametrize("action", ["terminate", "restart", "retry", "delete", "archive", "pause", "resume"])
def test_another_workflow_that_has_the_id_of_one_that_matched_stays(
    store: Store, client: redis.Redis, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_TOGETHER", 1)
    is_failed = action in ("restart", "retry", "delete", "archive")

    def start(name: str) -> None:
        start_workflow(store, FLOW, {}, name)
        if is_failed:
            fail_task(store, name, 1, "no")
        if action == "resume":
            pause_workflow(store, name)

    for name in ("w0", "w1"):
        start(name)
    wait_for_the_next_millisecond(client)
    plan = plan_bulk(store, action, "flow=order", index=1 if action == "retry" else None)
    archives: list[object] = []
    steps = run_bulk(store, plan, write_archive=archives.append)
    assert next(steps).is_changed
    wait_for_the_next_millisecond(client)
    terminate_workflow(store, "w1")
    delete_workflow(store, "w1")
    start("w1")
    before = (inspect_workflow(store, "w1"), list_pauses(store))
    assert [(step.id, step.is_changed, step.problem) for step in steps] == [("workflow:w1", False, "")]
    assert (inspect_workflow(store, "w1"), list_pauses(store)) == before
    assert len(archives) == (action == "archive")


def test_those_that_match_are_paused_and_resumed(store: Store) -> None:
    for n in range(3):
        start_workflow(store, FLOW, {}, f"w{n}", labels={"tenant": n % 2})
    pause_workflow(store, "w0")
    assert [step.id for step in run(store, "pause", "label.tenant=0")] == ["workflow:w2"]
    assert run(store, "pause", "label.tenant=0") == []
    assert count_whole_bulk(store, plan_bulk(store, "resume", "flow=order")).states == {
        WorkflowState.RUNNING: 2
    }
    steps = run(store, "resume", "flow=order")
    assert [(step.id, step.is_changed) for step in steps] == [("workflow:w0", True), ("workflow:w2", True)]
    assert list_pauses(store) == []
    code, out, _ = run_command(store, "pause", "--where", "label.tenant=1", "--yes")
    assert (code, out) == (None, "pause: done for 1 of 1 workflow\n")
    assert [pause["name"] for pause in list_pauses(store)] == ["workflow:w1"]
    for words in (("pause",), ("pause", "--all", "--where", "flow=a"), ("resume", "w1", "--yes")):
        with pytest.raises(UsageError):
            run_command(store, *words)


def test_a_failed_workflow_of_which_tasks_run_is_deleted(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, "a; b").id
    fail_task(store, id, 1, "no")
    assert [step.is_changed for step in run(store, "delete", "state=FAILED")] == [True]
    assert not client.exists(id)


def test_the_client_archives_and_deletes(store: Store, client: redis.Redis, tmp_path: Path) -> None:
    for n in range(3):
        terminate_workflow(store, start_workflow(store, FLOW, {}, f"w{n}").id)
    lfr = Client(store.settings.redis_url)
    dry = lfr.bulk("delete", "flow=order", dry_run=True)
    assert (dry["states"], dry["changed"]) == ({"TERMINATED": 3}, 0)
    for _ in range(2):  # an archive that is there is not written twice
        assert lfr.bulk("archive", "flow=order", archive=tmp_path, as_of=dry["as_of"])["changed"] == 3
        assert sorted(path.name for path in tmp_path.iterdir()) == ["w0.json", "w1.json", "w2.json"]
    assert lfr.bulk("delete", "flow=order")["changed"] == 3
    assert client.zcard("workflows:all") == 0
    with pytest.raises(BadInput, match="needs a folder"):
        lfr.bulk("archive", "flow=order")


@pytest.mark.usefixtures("workflows")
def test_a_command_asks(store: Store, client: redis.Redis, tmp_path: Path) -> None:
    terminate = ("terminate", "--where", "label.tenant=1")
    for answer in (b"no\n", b""):
        code, out, err = run_command(store, *terminate, answer=answer)
        assert (code, out) == (None, "")
        counts, *rest = err.splitlines()
        assert counts.startswith("1 RUNNING, 1 FAILED: ")
        assert set(counts.partition(": ")[2].split(", ")) == {"running-1", "failed-1"}
        assert rest == ["terminate 2 workflows? Type yes:", "nothing has been changed"]
    assert run_command(store, *terminate, "--dry-run")[2].endswith("nothing has been changed: --dry-run\n")
    code, out, err = run_command(store, *terminate, answer=b"yes\n")
    assert (code, out) == (None, "terminate: done for 2 of 2 workflows\n")
    assert "go on with --as-of 20" in err
    assert run_command(store, *terminate)[2] == "no workflow matches\n"
    code, out, err = run_command(store, "retry", "2", "--where", "state=FAILED", "--yes")
    assert (code, out) == (69, "retry: done for 0 of 1 workflow\n")
    assert "workflow:failed-2 stays: step 2 of workflow:failed-2" in err
    folder = tmp_path / "archives"
    run_command(store, "archive", "--where", "state=FINISHED", "--output", str(folder), "--yes")
    assert sorted(path.name for path in folder.iterdir()) == ["finished-1.json", "finished-2.json"]
    assert '"changed": 2' in run_command(store, "delete", "--where", "state=FINISHED", "--yes", "--json")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("terminate",), "terminate needs an ID, or --where"),
        (("terminate", "w", "--where", "flow=a"), "in place of an ID"),
        (("terminate", "w", "--yes"), "--yes goes with --where"),
        (("delete", "w", "--as-of", "1d"), "--as-of goes with --where"),
        (("restart", "--where", "flow=a", "--json"), "restart needs --yes or --dry-run"),
        (("retry", "--where", "flow=a"), "needs the INDEX"),
        (("retry", "x"), "retry needs ID and INDEX"),
        (("archive", "--where", "flow=a"), "needs --output DIR"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    store: Store, words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run_command(store, *words)


def test_an_interrupted_command_says_how_far_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        start_workflow(store, FLOW, {}, f"w{n}")
    original: Callable[..., bool] = bulk.change_state_if

    def interrupt(store: Store, id: str, *arguments: Any) -> bool:
        if id == "workflow:w1":
            raise KeyboardInterrupt
        return original(store, id, *arguments)

    monkeypatch.setattr(bulk, "change_state_if", interrupt)
    handler = load_handler(COMMANDS["terminate"])
    screen = terminal()
    parser = make_parser(COMMANDS["terminate"], handler)
    words = ["--where", "flow=order", "--yes", "--url", store.settings.redis_url]
    with pytest.raises(KeyboardInterrupt):
        handler.run(parser.parse_args(words, Namespace(command="terminate")), screen)
    assert written(screen.out) == "terminate: done for 1 of 3 workflows\n"
