"""Operators who intervene in workflows at random: one alone, or two at the same time."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final
from urllib.parse import quote

from lfr import Client
from lfr.errors import LfrError
from lfr.item_ids import parse_item_id
from tests.faults.generate import STORED_FLOWS, Plan
from tests.faults.installation import API_TOKEN
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.faults.oracle import Execution, Place
from tests.faults.retries import persist

_STEP_ACTIONS: Final = ("retry", "retry", "retry", "skip", "end", "fail")
_ACTIONS: Final = ("terminate", "restart", "call", "step", "step", "step")

_COUNTING: Final = ("wait:acquire", "wait:release")
"""Tasks that nobody may skip or end by hand: their latch would keep its count."""


class ApiClient:
    """Does by the HTTP API what `Client` does. Answers of 404 and 409 raise LfrError; if the API cannot be
    reached, because its process is dead or frozen, nothing is done."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/workflows"

    def terminate(self, id: str) -> None:
        self._post(f"{quote(id, safe='')}/terminate")

    def restart(self, id: str) -> None:
        self._post(f"{quote(id, safe='')}/restart")

    def retry(self, id: str, index: int) -> None:
        self._post(f"{quote(id, safe='')}/steps/{index}/retry")

    def skip(self, id: str, index: int) -> None:
        self._post(f"{quote(id, safe='')}/steps/{index}/skip")

    def fail(self, id: str, index: int) -> None:
        self._post(f"{quote(id, safe='')}/steps/{index}/fail")

    def end(self, id: str, index: int, output: Any) -> None:
        self._post(f"{quote(id, safe='')}/steps/{index}/end", {"output": output})

    def _post(self, path: str, body: Any = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        headers |= {"Content-Type": "application/json"} if data else {}
        url = f"{self._base}/{path}"
        request = urllib.request.Request(url, data, headers, method="POST")
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in (404, 409, 503):
                    raise
                raise LfrError(error.read().decode()[:200]) from None
        except OSError:
            raise LfrError("the API cannot be reached") from None


class Operators:
    """Interventions in the workflows of a load that keep the result: a task that is skipped or ended by hand
    gets the output that the oracle expects."""

    def __init__(self, load: Load, journal: Journal, random: Random) -> None:
        self._load = load
        self._journal = journal
        self._random = random
        self._client = Client(load.installation.server.url, redis_timeout_seconds=10.0)
        self._api = ApiClient(load.installation.api_port)

    def intervene(self) -> None:
        """Do one thing to one workflow that runs."""
        plan = self._choose()
        if plan is not None:
            self._act(plan, self._choose_action(plan))

    def intervene_together(self) -> None:
        """Let two operators do something to the same workflow at the same time; often the same thing."""
        plan = self._choose()
        if plan is None:
            return
        first = self._choose_action(plan)
        second = first if self._random.randrange(2) else self._choose_action(plan)
        thread = threading.Thread(target=self._act, args=(plan, first))
        thread.start()
        self._act(plan, second)
        thread.join()
        self._journal.count("two operators", plan.id)

    def answer_late(self) -> None:
        """Retry a task, then answer for the attempt before, wrongly."""
        plan = self._choose()
        step = plan and self._choose_step(plan)
        if not plan or not step:
            return
        id, index, execution, attempt = step
        if execution.call.base in _COUNTING or not self._act(plan, lambda: self._client.retry(id, index)):
            return
        self.append_end(id, execution.call.name, index, attempt, {"late": True})
        self._journal.count("late answer", f"{id} {index} {attempt}")

    def answer_wrongly(self) -> None:
        """Answer for an attempt that there is not, or not yet."""
        plan = self._choose()
        step = plan and self._choose_step(plan)
        if step:
            id, index, execution, attempt = step
            wrong = self._random.choice((attempt + 1000, attempt - 1000))
            self.append_end(id, execution.call.name, index, wrong, {"wrong": True})
            self._journal.count("wrong attempt", f"{id} {index} {wrong}")

    def change_flow(self) -> None:
        """Store another version of a flow that others call; it does the same."""
        name = self._random.choice(list(STORED_FLOWS))
        unused = f"@task unused {{ many:pair -> one:v{self._random.randrange(1000)} }}"
        text = f"{STORED_FLOWS[name].text()};\n{unused}"
        with suppress(LfrError):
            persist(lambda: self._client.apply_flows([text]))
        self._journal.count("flow changed", name)

    def append_end(self, workflow: str, name: str, index: int, attempt: int, output: Any) -> None:
        """Append an end-task to one of both streams, as a worker does."""
        event = {"kind": "end-task", "apiVersion": "v1", "workflow": workflow, "name": name, "index": index}
        event |= {"attempt": attempt, "status": "SUCCESS", "output": output}
        # An end-task on the bus tells lfr that a foreign worker does this task; simulate leaves it alone.
        streams = ["workflows:ends"] if name.startswith("sim:") else ["workflows:run", "workflows:ends"]
        stream = self._random.choice(streams)
        fields = {key: json.dumps(value) for key, value in event.items()}
        persist(lambda: self._load.redis.xadd(stream, fields))

    def _choose(self) -> Plan | None:
        ids = persist(lambda: self._load.redis.zrange("workflows:state:RUNNING", 0, -1))
        plans = [self._load.plans[id] for id in ids if id in self._load.plans]
        plans = [plan for plan in plans if not plan.expectation.has_failed]
        return self._random.choice(plans) if plans else None

    def _choose_action(self, plan: Plan) -> Callable[[], object]:
        """Return what to do. Of a loop, tasks are retried only: its end is that its first task fails."""
        action = "step" if plan.turns else self._random.choice(_ACTIONS)
        client = self._random.choice((self._client, self._api))
        if action == "terminate":
            return lambda: client.terminate(plan.id)
        if action == "restart":
            return lambda: client.restart(plan.id)
        if action == "call" and (called := self._choose_call(plan)):
            return lambda: client.retry(plan.id, called)
        step = self._choose_step(plan)
        if step is None:
            return lambda: None
        id, index, execution, _ = step
        is_free = not plan.turns and execution.call.base not in _COUNTING
        match self._random.choice(_STEP_ACTIONS) if is_free else "retry":
            case "skip" if execution.output == execution.input:
                return lambda: client.skip(id, index)
            case "end" if execution.output is not None:
                return lambda: client.end(id, index, execution.output)
            case "fail" if id == plan.id:
                return lambda: client.fail(id, index)
            case _:
                return lambda: client.retry(id, index)

    def _choose_call(self, plan: Plan) -> int | None:
        """Return the index of a step whose stored flow runs; it is to begin anew."""
        with suppress(LfrError):
            steps = persist(lambda: self._client.inspect(plan.id))["steps"]
            calls = [step["index"] for step in steps if step["state"] == "RUNNING" and "call" in step]
            return self._random.choice(calls) if calls else None
        return None

    def _choose_step(self, plan: Plan) -> tuple[str, int, Execution, int] | None:
        """Return a task that runs: the workflow or item, the step, what is expected of it, its attempt."""
        id, path = plan.id, ()
        for _ in range(6):
            try:
                workflow = persist(lambda id=id: self._client.inspect(id))
            except LfrError:
                return None
            steps = [step for step in workflow["steps"] if step["state"] == "RUNNING"]
            if not steps:
                return None
            step = self._random.choice(steps)
            open_items = step.get("items", {}).get("open", [])
            if step.get("call", {}).get("id"):
                open_items = [step["call"]]
            if not open_items:
                place: Place = (path, step["index"])
                execution = plan.expectation.executions.get(place)
                return None if execution is None else (id, step["index"], execution, step["attempt"])
            id = self._random.choice(open_items)["id"]
            item = parse_item_id(id)
            assert item is not None
            path = (*path, (item.index, item.number))
        return None

    def _act(self, plan: Plan, action: Callable[[], object]) -> bool:
        """Return whether the action was possible. The events of stopped attempts are used up: send others."""
        try:
            persist(action)
        except LfrError as error:
            self._journal.act(f"refused: {type(error).__name__}", plan.id)
            return False
        self._journal.act("done", plan.id)
        self._load.send_events(plan, 0.2)
        return True
