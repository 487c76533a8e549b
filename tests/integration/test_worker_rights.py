"""A worker in another language with the rights that docs/workers.md gives it: it works, and has no others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store
from tests.integration.conftest import Stepper
from tests.support.pages import PAGES

RUN, GROUP = "workflows:run", "plain"


@pytest.fixture
def worker(client: redis.Redis, redis_url: str) -> Iterator[redis.Redis]:
    """A client with the rights of the page."""
    [line] = re.findall(r"^    (ACL SETUSER .*)$", PAGES["docs/workers.md"], re.MULTILINE)
    words = line.replace("PASSWORD", "of-the-worker").split()
    client.execute_command(*words)
    try:
        options: dict[str, Any] = {
            "username": words[2],
            "password": "of-the-worker",
            "decode_responses": True,
        }
        with redis.Redis.from_url(redis_url, protocol=2, **options) as worker:
            yield worker
    finally:
        client.acl_deluser(words[2])


def fields_of(kind: str, **fields: Any) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in {"kind": kind, **fields}.items()}


def test_it_does_its_tasks(
    store: Store, worker: redis.Redis, stepper: Callable[[Lifecycle], Stepper]
) -> None:
    lifecycle = stepper(Lifecycle(store))
    worker.xgroup_create(RUN, GROUP, "0", mkstream=True)
    id = start_workflow(store, "A", {"n": 1}).id
    lifecycle.step()
    assert worker.xautoclaim(RUN, GROUP, "me", 1000) and worker.xpending_range(RUN, GROUP, "-", "+", 9) == []
    [[_, entries]] = worker.xreadgroup(GROUP, "me", {RUN: ">"})
    for entry, fields in entries:
        event = {name: json.loads(value) for name, value in fields.items()}
        with worker.pipeline() as transaction:
            if event["kind"] == "start-task":
                worker.xclaim(RUN, GROUP, "me", 0, [entry], justid=True)
                answer = {name: event[name] for name in ("workflow", "name", "index", "attempt", "run")}
                transaction.xadd(RUN, fields_of("end-task", **answer, output=event["input"]))
                transaction.xadd(RUN, fields_of("receipt", **{"for": entry, "action": "processed"}))
            transaction.xack(RUN, GROUP, entry)
            transaction.execute()
    lifecycle.step()
    assert inspect_workflow(store, id)["state"] == "FINISHED"


@pytest.mark.parametrize(
    "words",
    [
        "FLUSHALL",
        "CONFIG GET requirepass",
        "ACL LIST",
        "EVAL return(1) 0",
        "SCAN 0",
        "KEYS *",
        "MONITOR",
        "SHUTDOWN NOSAVE",
        "HGETALL workflow:x",
        "GET workflow:x:output:1",
        "SET workflow:x:output:1 {}",
        "HSET workflows:tokens a b",
        "XADD workflows:ends * kind 1",
        "XADD workflows:tasks:others * kind 1",
        "XREAD STREAMS workflows:dead 0",
        "XRANGE workflows:run - +",
        "XTRIM workflows:run MAXLEN 0",
        "XDEL workflows:run 1-1",
        "DEL workflows:run",
        "RENAME workflows:run a",
        "XGROUP DESTROY workflows:run lifecycle",
        "XGROUP SETID workflows:run lifecycle $",
        "XGROUP DELCONSUMER workflows:run lifecycle a",
        "PUBLISH a b",
        "CLIENT KILL TYPE normal",
        "SUBSCRIBE a",
    ],
)
def test_it_has_no_other_rights(worker: redis.Redis, words: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        worker.execute_command(*words.split())
