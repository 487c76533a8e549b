"""Random flow texts with every kind of step have the same result in this process and by a lifecycle.

The seed of each text is its number, so the number in a failure reproduces it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.engine.local import LocalFailure
from lfr.local import run_local
from lfr.operations.archive.archive import archive_workflow
from lfr.operations.archive.parse import parse_archive
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.start import start_workflow
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import open_store
from lfr.values.json import Json
from tests.integration.conftest import Stepper, append

TEXTS = 150
MAX_PASSES = 2000

INPUTS: list[Json] = [{}, {"yes": 1}, [], [1, [2, 3], {"yes": 1}], [{"n": 1}, {}, {"n": 3}]]

GUARDS = ("$.yes", "$[*]", "$[?(@.n > 1)]", "$[0]", "$..yes")

Trace = list[tuple[int, str, str]]
"""Index, name and input (as JSON) of each task that was started, sorted."""


def random_text(random: Random) -> str:
    """Return a flow text with a declared subflow and an alias of two levels."""
    return (
        "@task inner { echo -> * list }\n@task alias = next (- k: 1 -)\n@task next = emit (- n: 2 -);\n"
        + random_scope(random, depth=0)
    )


def random_scope(random: Random, depth: int) -> str:
    """Return statements; the first of them may lead to the others by a label."""
    statements = [random_statement(random, depth) for _ in range(random.randint(1, 3))]
    if random.randrange(3) == 0:
        statements[0] += " -> :x"
        statements.append(":x -> " + random_statement(random, depth, is_fed=True))
    return ";\n".join(statements)


def random_statement(random: Random, depth: int, *, is_fed: bool = False) -> str:
    steps = [random_step(random, depth) for _ in range(random.randint(1, 3))]
    if not is_fed and random.randrange(3) == 0:
        steps.insert(0, random.choice(["<>", '<{"yes": 0}>', "<[]>", '<[1, [2], {"n": 4}]>']))
    return " -> ".join(steps)


def random_step(random: Random, depth: int) -> str:
    prefix = random.choice(["", "", "* ", "> "])
    guard = f"? `{random.choice(GUARDS)}` " if random.randrange(4) == 0 else ""
    if depth < 3 and random.randrange(4) == 0:
        return f"{prefix}{guard}{{ {random_scope(random, depth + 1)} }}"
    names = ("echo", "none", "list", "inner", "alias", 'emit({"yes": 1})', "emit([1, 2])")
    return prefix + guard + "|".join(random.choices(names, k=random.choice((1, 1, 1, 2))))


def do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
    """Return the output of a task."""
    return {"none": None, "list": [input, index], "emit": parameters}.get(base, input)


def run_here(text: str, input: Json) -> tuple[str, Json, Trace, list[int]]:
    """Run a text in this process; return state, output, trace, and the steps skipped outside of items."""
    trace: Trace = []
    skipped: list[int] = []
    try:
        output = run_local(
            text,
            do,
            input,
            lambda *task: trace.append((task[0], task[1], json.dumps(task[2], sort_keys=True))),
            skipped=lambda index, *_: skipped.append(index),
        )
    except LocalFailure:
        return "FAILED", None, [], []
    return "FINISHED", output, sorted(trace), skipped


class Worker:
    """Answers tasks, those of one pass in random order, and records their inputs by workflow."""

    def __init__(self, client: redis.Redis, random: Random) -> None:
        self.client = client
        self.random = random
        self.last = "-"
        self.traces: defaultdict[str, Trace] = defaultdict(list)

    def answer_all(self) -> None:
        """Answer the tasks that have been started since the last call."""
        entries: Any = self.client.xrange("workflows:run", self.last)
        tasks = []
        for id, fields in entries:
            self.last = f"({id}"
            task = {name: json.loads(value) for name, value in fields.items()}
            if task["kind"] == "start-task" and task["base"] != "lfr:each":
                tasks.append(task)
        self.random.shuffle(tasks)
        for task in tasks:
            self._answer(task)

    def _answer(self, task: dict[str, Any]) -> None:
        trace = self.traces[task["workflow"].partition("/")[0]]
        trace.append((task["index"], task["name"], json.dumps(task["input"], sort_keys=True)))
        output = do(task["name"], task["base"], task["index"], task["input"], task["parameters"])
        answer = {key: task[key] for key in ("workflow", "name", "index", "attempt")}
        append(self.client, kind="end-task", status="SUCCESS", output=output, **answer)


@pytest.mark.parametrize("limit", [1, 3])
def test_a_lifecycle_does_what_a_local_run_does(
    settings: Settings, client: redis.Redis, stepper: Callable[[Lifecycle], Stepper], limit: int
) -> None:
    store = open_store(replace(settings, iterate_limit=limit))
    lifecycle = stepper(Lifecycle(store))
    worker = Worker(client, Random(limit))
    ended = Counter[str]()
    for number in range(TEXTS):
        random = Random(number)
        text, input = random_text(random), random.choice(INPUTS)
        state, output, trace, skipped = run_here(text, input)
        ended[state] += 1
        id = start_workflow(store, text, input).id
        for _ in range(MAX_PASSES):
            lifecycle.step()
            worker.answer_all()
            if number % 3 == 0:
                parse_archive(archive_workflow(store, id))  # every state that a run reaches is accepted
            if client.hget(id, "state") != "RUNNING":
                break
        workflow = inspect_workflow(store, id)
        context = (number, text, input, workflow["reason"])
        assert workflow["state"] == state, context
        if state == "FINISHED":
            assert workflow["output"] == output, context
            assert sorted(worker.traces[id]) == trace, context
            skipped_steps = {step["index"] for step in workflow["steps"] if step["state"] == "SKIPPED"}
            assert skipped_steps <= set(skipped), context
    assert set(ended) == {"FINISHED", "FAILED"}
