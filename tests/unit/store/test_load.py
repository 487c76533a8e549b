"""The flows that a process caches, and how workflows are loaded and advanced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lfr.engine.transition import Progress, StepProgress, StepResult
from lfr.flow import Flow, Step, StepKind
from lfr.states import WorkflowState
from lfr.store.redis.connection import Command, Reply
from lfr.store.workflows.flow_cache import FlowCache, likely_steps
from lfr.store.workflows.load import LoadedWorkflow, advance_workflows
from lfr.store.workflows.record import Record
from tests.support.flows import chain, graph


class FlowServer:
    """Stores flows of these lengths by their digests; records which are requested."""

    def __init__(self, *lengths: int) -> None:
        flows = [chain(*(f"t{n}" for n in range(length))) for length in lengths]
        self.digests = [flow.digest for flow in flows]
        self._texts = {f"flow:{flow.digest}": flow.canonical_json.encode() for flow in flows}
        self.requested: list[int] = []

    def execute(self, commands: list[Command]) -> list[bytes]:
        self.requested += [self.digests.index(str(key).removeprefix("flow:")) for _, key in commands]
        return [self._texts[str(key)] for _, key in commands]


def requested(cache: FlowCache, server: Any, *numbers: int) -> list[int]:
    """Fetch these flows one after the other; return those that were requested from the server."""
    server.requested.clear()
    for number in numbers:
        assert cache.fetch(server, [server.digests[number]])
    return list(server.requested)


def test_a_number_of_flows_is_cached() -> None:
    server, cache = FlowServer(1, 2, 3), FlowCache(flows=2)
    assert requested(cache, server, 0, 1, 0, 1) == [0, 1]
    assert requested(cache, server, 2, 1, 2, 0) == [2, 0]


def test_a_number_of_steps_is_cached_and_one_flow_in_any_case() -> None:
    server, cache = FlowServer(50, 60, 200), FlowCache(steps=150)
    assert requested(cache, server, 0, 1, 0, 1) == [0, 1]
    assert requested(cache, server, 2, 2, 0, 0) == [2, 0]
    assert requested(cache, server, 1, 0, 1) == [1]


class StepServer:
    """Stores the progress of steps, and an output `{}` of each; counts round trips and steps."""

    def __init__(self, steps: dict[int, str]) -> None:
        self._steps = steps
        self.round_trips = 0
        self.loaded_steps: list[int] = []

    def execute(self, commands: Sequence[Command]) -> list[Reply]:
        self.round_trips += bool(commands)
        return [self._reply(str(key), [int(index) for index in indices]) for _, key, *indices in commands]

    def _reply(self, key: str, indices: list[int]) -> list[bytes | None]:
        if key.endswith(":outputs"):
            return [b"{}" for _ in indices]
        self.loaded_steps += indices
        return [self._steps.get(index, "").encode() or None for index in indices]


def row_of_joins(length: int) -> Flow:
    """Steps of which each follows the one before and step 2, and whose guards are all false."""
    steps = [Step(1, StepKind.TASK, name="A"), Step(2, StepKind.TASK, name="B")]
    joins = range(3, 3 + length)
    steps += [Step(index, StepKind.TASK, name="C", guard="$.never") for index in joins]
    return graph(steps, [(1, 3), *((index, index + 1) for index in joins[:-1]), *((2, i) for i in joins)])


def test_a_long_row_of_steps_that_pass_is_loaded_in_few_round_trips() -> None:
    flow = row_of_joins(1000)
    steps = {index: "1 0 0" for index in range(3, 1003)}  # step 2 has ended
    server: Any = StepServer({**steps, 1: "0 1 1"})
    record = Record("workflow:x", flow.digest, WorkflowState.RUNNING, 1, 1, 2, 0, 0, "", 0, None, 0, "")
    workflow = LoadedWorkflow(record, flow, record.progress())
    transitions = advance_workflows(server, {"workflow:x": workflow}, {"workflow:x": [StepResult(1)]})
    assert [transition.state for transition in transitions["workflow:x"]] == [WorkflowState.FINISHED]
    assert server.round_trips < 15
    assert len(server.loaded_steps) == len(set(server.loaded_steps)) == 1002


def test_a_result_loads_only_the_steps_around_it() -> None:
    flow = chain(*(f"t{n}" for n in range(1000)))
    server: Any = StepServer({500: "0 1 1"})
    record = Record("workflow:x", flow.digest, WorkflowState.RUNNING, 1, 1, 500, 0, 0, "", 0, None, 0, "")
    workflow = LoadedWorkflow(record, flow, Progress(active=1))
    (transition,) = advance_workflows(server, {"workflow:x": workflow}, {"workflow:x": [StepResult(500)]})[
        "workflow:x"
    ]
    assert [start.index for start in transition.starts] == [501]
    assert set(server.loaded_steps) == {500, 501}
    assert workflow.progress.steps[501] == StepProgress(active=1, attempt=1)


def test_a_cache_finds_the_same_likely_steps_again() -> None:
    flow, cache = row_of_joins(20), FlowCache()
    for indices in ([1], [2], [1, 2], [1], [2], []):
        assert cache.likely_steps(flow, indices) == sorted(likely_steps(flow, indices))
    assert cache.likely_steps(flow.part(1), [1]) == [1]
