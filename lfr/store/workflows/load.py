"""What a batch needs of the workflows that it concerns: watched, then read, in one round trip.

Everything read here counts only if `commit` succeeds on the same link: the workflows are watched
from the first command on, so a commit is refused if anybody else has moved one of them since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lfr.engine import LoadRequest, Progress, StepProgress, Transition
from lfr.engine.advance import LOOK_AHEAD, touched
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.clock import TIME, parse_time_ms
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.workflows.flows import FlowCache
from lfr.store.workflows.record import Record, parse_record, record_command
from lfr.values.json import Json, decode_json


@dataclass(slots=True)
class LoadedWorkflow:
    """A workflow under watch: its record, and as much of its progress and outputs as was asked for."""

    record: Record
    flow: Flow
    progress: Progress
    outputs: dict[int, Json] = field(default_factory=dict)

    def take(self, transition: Transition) -> None:
        """Move on to where `transition` leads; nothing is written yet."""
        self.progress.apply(transition)
        self.outputs.update(transition.outputs)


def load(
    connection: Connection, flows: FlowCache, concerned: Mapping[str, Iterable[int]]
) -> tuple[int, dict[str, LoadedWorkflow]]:
    """Watch and read the workflows that steps have ended of: id -> the indices of those steps.

    Returns the time of Redis in milliseconds since the epoch, and what was found, by id. (WATCH, TIME,
    HMGET; one round trip for workflows of which the flow is known, else three)
    """
    guesses = {id: flows.flow_of(id) for id in concerned}
    commands: list[Command] = [TIME]
    if concerned:
        commands.insert(0, ("WATCH", *concerned))
    commands += [record_command(id, to_advance=True) for id in concerned]
    first = {id: _first(flow, concerned[id]) for id, flow in guesses.items() if flow is not None}
    commands += [_read_steps(id, indices) for id, indices in first.items()]
    replies = iter(connection.execute(commands, keep_errors=True))
    if concerned:
        next(replies)
    now_ms = parse_time_ms(next(replies))
    records = {id: parse_record(id, next(replies)) for id in concerned}
    known = [found for found in records.values() if found is not None]
    texts = flows.fetch(connection, (found.digest for found in known))

    loaded: dict[str, LoadedWorkflow] = {}
    for found in known:
        if found.digest in texts:
            loaded[found.id] = LoadedWorkflow(found, texts[found.digest], found.progress())
    for id, indices in first.items():
        reply = next(replies)
        if id in loaded and flows.digest_of(id) == loaded[id].record.digest:
            _take_steps(loaded[id].progress, indices, reply)
    late = {
        workflow.record.id: (
            workflow,
            LoadRequest(frozenset(_first(workflow.flow, concerned[id])), frozenset()),
        )
        for id, workflow in loaded.items()
        if not workflow.progress.steps
    }
    for workflow in loaded.values():
        flows.remember(workflow.record.id, workflow.record.digest)
    load_more(connection, late.values())
    return now_ms, loaded


def load_more(connection: Connection, needs: Iterable[tuple[LoadedWorkflow, LoadRequest]]) -> None:
    """Read what `advance` has found to be missing, all of it in one round trip. (HMGET)"""
    asked: list[tuple[LoadedWorkflow, list[int], list[int]]] = []
    commands: list[Command] = []
    for workflow, needed in needs:
        steps, outputs = sorted(needed.steps), sorted(needed.outputs)
        asked.append((workflow, steps, outputs))
        if steps:
            commands.append(_read_steps(workflow.record.id, steps))
        if outputs:
            commands.append(_read_outputs(workflow.record.id, outputs))
    if not commands:
        return
    replies = iter(connection.execute(commands))
    for workflow, steps, outputs in asked:
        if steps:
            _take_steps(workflow.progress, steps, next(replies))
        if outputs:
            _take_outputs(workflow.outputs, outputs, next(replies))


def load_out_of_band_outputs(
    connection: Connection, steps: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], bytes]:
    """The outputs that workers for littleflow_redis have written beside the stream, by (id, index). (GET)"""
    if not steps:
        return {}
    replies = connection.execute([("GET", keys.handed_over(*step)) for step in steps], keep_errors=True)
    return {step: reply for step, reply in zip(steps, replies, strict=True) if isinstance(reply, bytes)}


def load_whole(connection: Connection, flows: FlowCache, id: str) -> tuple[int, LoadedWorkflow | None]:
    """Watch and read one workflow with its whole progress and all outputs. (HGETALL)

    Returns the time of Redis in milliseconds since the epoch, and the workflow if there is one.
    """
    now_ms, loaded = load(connection, flows, {id: ()})
    workflow = loaded.get(id)
    if workflow is not None:
        steps, outputs = connection.execute([("HGETALL", keys.steps(id)), ("HGETALL", keys.outputs(id))])
        workflow.progress.is_whole = True
        _take_steps(workflow.progress, map(int, steps[::2]), steps[1::2])
        _take_outputs(workflow.outputs, map(int, outputs[::2]), outputs[1::2])
    return now_ms, workflow


def watch_state(connection: Connection, id: str) -> WorkflowState | None:
    """Watch a workflow; its state, or None if there is no such workflow. (WATCH, HGET)"""
    state = connection.execute([("WATCH", id), ("HGET", id, "state")])[1]
    return None if state is None else WorkflowState(state.decode())


def _first(flow: Flow, ended: Iterable[int]) -> list[int]:
    """The steps that the end of these is likely to touch."""
    within = [index for index in ended if index < len(flow.steps)]
    return sorted(frozenset().union(*(touched(flow, index, LOOK_AHEAD) for index in within)))


def _read_steps(workflow: str, indices: Iterable[int]) -> Command:
    # Redis refuses HMGET without a field; -1 is never a step.
    return ("HMGET", keys.steps(workflow), *(indices or (-1,)))


def _read_outputs(workflow: str, indices: Iterable[int]) -> Command:
    return ("HMGET", keys.outputs(workflow), *indices)


def _take_steps(progress: Progress, indices: Iterable[int], values: Iterable[Reply]) -> None:
    for index, value in zip(indices, values, strict=False):
        progress.steps[index] = StepProgress(*map(int, value.split())) if value else StepProgress()


def _take_outputs(outputs: dict[int, Json], indices: Iterable[int], values: Iterable[Reply]) -> None:
    for index, value in zip(indices, values, strict=True):
        outputs[index] = decode_json(value) if value else {}


def load_flow(connection: Connection, flows: FlowCache, id: str) -> Flow | None:
    """The flow that a workflow runs, or None if there is no such workflow."""
    found = parse_record(id, connection.execute([record_command(id)], keep_errors=True)[0])
    return None if found is None else flows.fetch(connection, [found.digest]).get(found.digest)


def load_outputs(connection: Connection, id: str) -> dict[int, Json]:
    """All outputs of a workflow by step index; its input at -1. (HGETALL)"""
    reply = connection.execute([("HGETALL", keys.outputs(id))])[0]
    outputs: dict[int, Json] = {}
    _take_outputs(outputs, map(int, reply[::2]), reply[1::2])
    return outputs


def load_some_outputs(connection: Connection, id: str, indices: Sequence[int]) -> dict[int, Json]:
    """The outputs of these steps of a workflow, by index; none of a step that has none. (HMGET)"""
    values = connection.execute([_read_outputs(id, indices)])[0]
    return {
        index: decode_json(value) for index, value in zip(indices, values, strict=True) if value is not None
    }


def load_step(connection: Connection, record: Record, index: int) -> Progress:
    """The progress of a workflow, as far as it is about one step. (HMGET)"""
    progress = record.progress()
    _take_steps(progress, [index], connection.execute([_read_steps(record.id, [index])])[0])
    return progress
