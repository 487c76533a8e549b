"""Starts are refused while Redis uses more than `limits.memory` of its memory; what runs goes on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import redis

from lfr.cli.command_table import COMMANDS
from lfr.cli.exit_codes import ExitCode, exit_code
from lfr.cli.ui.parser import load_handler, make_parser
from lfr.errors import NoMemory, NotFound
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.complete_task import complete_task
from lfr.operations.doctor.examine import examine
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.operations.status import load_status
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.store.redis.connection import Connection, Store
from lfr.store.redis.memory_use import MemoryUse
from tests.integration.conftest import Stepper
from tests.integration.test_schedules import BEGIN, HOUR, decide_until, outcomes, scheduled
from tests.support.screens import terminal

BALLAST = 20_000_000


@pytest.fixture
def full(store: Store, client: redis.Redis) -> Iterator[Callable[[], None]]:
    """Returns a function that lets the server use 95% of its memory."""

    def fill() -> None:
        client.setrange("ballast", BALLAST, "x")
        client.config_set("maxmemory", str(round(client.info("memory")["used_memory"] / 0.95)))
        store.pool.memory_use = MemoryUse()

    yield fill
    client.config_set("maxmemory", "0")


def test_starts_are_refused_and_what_runs_goes_on(
    store: Store,
    client: redis.Redis,
    full: Callable[[], None],
    stepper: Callable[[Consumer], Stepper],
) -> None:
    id = start_workflow(store, "A -> B", workflow_id="w").id
    scheduled(store, client, ", catch_up: 90m, overlap: allow")
    lifecycle = stepper(Lifecycle(store))
    full()
    with pytest.raises(NoMemory) as refusal:
        start_workflow(store, "A -> B", workflow_id="v")
    assert refusal.value.message.startswith("no workflow is started: Redis uses 2")
    assert "and above 90% the rest is for the workflows that run" in refusal.value.message
    assert exit_code(refusal.value) == ExitCode.SYSTEM
    with pytest.raises(NotFound):
        inspect_workflow(store, "v")
    assert not start_workflow(store, "A -> B", workflow_id="w").is_new
    decide_until(store, BEGIN + HOUR)
    assert outcomes(store) == []
    assert client.zscore("flows:schedules:due", "f") == BEGIN + HOUR + 10_000

    for index, task in ((1, "A"), (2, "B")):
        complete_task(store, id, task, index, output={})
        lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "FINISHED"

    client.delete("ballast")
    store.pool.memory_use = MemoryUse()
    assert start_workflow(store, "A -> B", workflow_id="v").is_new
    decide_until(store, BEGIN + HOUR + HOUR // 2)
    assert outcomes(store) == [("caught-up", 1)]
    client.setrange("ballast", BALLAST, "x")
    store.pool.memory_use = MemoryUse()
    decide_until(store, BEGIN + 2 * HOUR)
    assert outcomes(store) == [("caught-up", 1)]
    decide_until(store, BEGIN + 4 * HOUR)  # the third hour waits now
    assert outcomes(store) == [("caught-up", 1)]
    client.delete("ballast")
    store.pool.memory_use = MemoryUse()
    decide_until(store, BEGIN + 4 * HOUR)
    assert outcomes(store) == [("caught-up", 1), ("missed", 1), ("caught-up", 1), ("started", 1)]


def test_restores_are_refused_as_starts_are(store: Store, full: Callable[[], None]) -> None:
    id = start_workflow(store, "A", workflow_id="w").id
    archive = archive_workflow(store, id)
    full()
    with pytest.raises(NoMemory, match="no workflow is restored: Redis uses 2") as refusal:
        restore_workflow(store, archive, "v")
    assert exit_code(refusal.value) == ExitCode.SYSTEM
    with pytest.raises(NotFound):
        inspect_workflow(store, "v")


def test_items_and_calls_of_what_runs_start(
    store: Store, full: Callable[[], None], stepper: Callable[[Consumer], Stepper]
) -> None:
    apply_flows(store, [FlowSource("@flow child\nC")])
    id = start_workflow(store, "* A -> flow:child", [1, 2]).id
    full()
    lifecycle = stepper(Lifecycle(store))
    lifecycle.step()
    [step] = [step for step in inspect_workflow(store, id)["steps"] if step["state"] == "RUNNING"]
    for item in step["items"]["open"]:
        complete_task(store, item["id"], "A", 1, output={})
    for _ in range(3):
        lifecycle.step()
    assert inspect_workflow(store, f"{id}/2.0")["state"] == "RUNNING"


def test_status_and_doctor_say_it(store: Store, full: Callable[[], None]) -> None:
    full()
    words = "no workflow is started above 90% (limits.memory)"
    assert any(words in problem for problem in load_status(store)["problems"])
    assert any(words in finding.text for finding in examine(store))
    lenient = replace(store, settings=replace(store.settings, limits_memory=1.0))
    assert not any("limits.memory" in each for each in load_status(lenient)["problems"])
    assert start_workflow(lenient, "A").is_new


def test_the_command_says_it_in_one_line(store: Store, full: Callable[[], None], tmp_path: Path) -> None:
    full()
    file = tmp_path / "a.flow"
    file.write_text("A")
    handler = load_handler(COMMANDS["run"])
    parser = make_parser(COMMANDS["run"], handler)
    arguments = parser.parse_args([str(file), "--url", store.settings.redis_url], Namespace(command="run"))
    with pytest.raises(NoMemory, match=r"lfr prune deletes old workflows"):
        handler.run(arguments, terminal())


def test_the_server_is_asked_once_a_second_and_only_with_permission(
    store: Store, client: redis.Redis, full: Callable[[], None]
) -> None:
    full()
    sent: list[str] = []
    send = Connection.send

    def record(self: Connection, commands: list[tuple[str, ...]]) -> None:
        sent.extend(command[0] for command in commands if command[0] == "INFO")
        send(self, commands)

    with mock.patch.object(Connection, "send", record):
        for _ in range(3):
            with pytest.raises(NoMemory):
                start_workflow(store, "A")
    assert sent == ["INFO"]
    store.pool.memory_use = MemoryUse()
    client.execute_command("ACL", "SETUSER", "default", "-info")
    try:
        assert start_workflow(store, "A").is_new
    finally:
        client.execute_command("ACL", "SETUSER", "default", "+@all")
