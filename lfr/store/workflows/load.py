"""Loads the workflows that a batch of events concerns, and advances them by the results in it.

The workflows are watched from the first command on. So everything that is loaded here counts only if the
commit on the same connection succeeds: it is refused if another client has changed one of them since.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from lfr.engine.advance import advance
from lfr.engine.pauses import Hold, hold_starts
from lfr.engine.transition import LoadRequest, Progress, StepProgress, StepResult, Transition
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.queues.pauses import load_holds
from lfr.store.queues.routes import RouteCache, RouteReads, Routes
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.redis.pipeline import Pipeline, ReplyHandle
from lfr.store.workflows.flow_cache import PREFETCH_LIMIT, FlowCache, likely_steps
from lfr.store.workflows.large_values import LargeValues, load_names
from lfr.store.workflows.record import ADVANCE_FIELDS, RECORD_FIELDS, STATES, Record, parse_record
from lfr.values.json import Json, JsonTexts, decode_json
from lfr.values.work import LookBudget


@dataclass(slots=True)
class LoadedWorkflow:
    """A watched workflow: its record as stored, which stays so, and the loaded part of its progress and
    outputs (by index), which `apply` changes. `texts` are those of outputs, loaded or new; `large_values` are
    those beside the streams; `budget` is for the next transition; `hold` is what may hold back its steps."""

    record: Record
    flow: Flow
    progress: Progress
    outputs: dict[int, Json] = field(default_factory=dict)
    texts: JsonTexts = field(default_factory=JsonTexts)
    budget: LookBudget = field(default_factory=LookBudget)
    hold: Hold | None = None
    large_values: LargeValues = field(init=False)

    def __post_init__(self) -> None:
        self.large_values = LargeValues(self.record.id, has_record=self.record.has_large)

    def apply(self, transition: Transition) -> None:
        """Change progress and outputs as `transition` says; mark its starts that are held back. Nothing is
        written yet."""
        if self.hold is not None:
            hold_starts(transition, self.hold)
        self.progress.apply(transition)
        self.outputs.update(transition.outputs)

    def add_outputs(self, indices: Iterable[int], values: Sequence[Reply]) -> None:
        """Add values of `W:outputs`, by step index; a step without an output has `{}`."""
        indices = list(indices)
        add_outputs(self.outputs, indices, values)
        for index, value in zip(indices, values, strict=True):
            if value:
                self.texts.add(self.outputs[index], value)


@dataclass(slots=True)
class WorkflowReads:
    """The replies from which `load` makes workflows: of the routes, of the records by workflow, of the
    progress of these steps by workflow."""

    routes: RouteReads
    records: dict[str, ReplyHandle]
    steps: Mapping[str, Sequence[int]]
    step_replies: dict[str, ReplyHandle]


def add_workflow_reads(
    pipeline: Pipeline,
    route_cache: RouteCache,
    ids: Iterable[str],
    steps: Mapping[str, Sequence[int]],
) -> WorkflowReads:
    """Add the commands that read the routes, these workflows, and the progress of these steps to a pipeline,
    whose first command has watched the workflows and CLAIMS_VERSION. (TIME, MGET, XINFO, HMGET)"""
    return WorkflowReads(
        route_cache.add_reads(pipeline),
        {id: pipeline.add("HMGET", id, *ADVANCE_FIELDS) for id in ids},
        steps,
        {id: pipeline.add(*_steps_command(id, indices)) for id, indices in steps.items()},
    )


def load(
    connection: Connection,
    flows: FlowCache,
    route_cache: RouteCache,
    indices_by_id: Mapping[str, Iterable[int]],
    add_reads: Callable[[Pipeline], None] = lambda pipeline: None,
    pointing: Collection[str] = (),
    reads: WorkflowReads | None = None,
) -> tuple[Routes, dict[str, LoadedWorkflow]]:
    """Watch and load workflows, with the progress that results of these steps are likely to need. `pointing`
    are those to which results with large outputs belong. `reads` are replies to reads of all of them, which
    are watched already.

    `add_reads` adds commands that are sent with the first round trip, behind WATCH. Return the routes, and
    the workflows by id, without those that, or whose flow, do not exist. (WATCH, TIME, MGET, XINFO, HMGET;
    one round trip if their flows and the claims are cached, none with `reads`, else more)
    """
    if reads is None or not connection.is_watching:
        prefetched: dict[str, list[int]] = {}  # steps to load in the first round trip
        for id, indices in indices_by_id.items():
            flow = flows.flow_of(id)
            if flow is not None and (steps := flows.likely_steps(flow, list(indices))):
                prefetched[id] = steps
        pipeline = Pipeline(connection)
        pipeline.add("WATCH", keys.CLAIMS_VERSION, *indices_by_id)
        reads = add_workflow_reads(pipeline, route_cache, indices_by_id, prefetched)
        add_reads(pipeline)
        pipeline.send()
    routes = route_cache.parse(connection, reads.routes)
    records = [
        record
        for id in indices_by_id
        if (record := parse_record(id, reads.records[id].value_or_none)) is not None
    ]
    flow_by_reference = flows.fetch(connection, (record.reference for record in records))
    loaded: dict[str, LoadedWorkflow] = {}
    requests: list[tuple[LoadedWorkflow, LoadRequest]] = []
    for record in records:
        flow = flow_by_reference.get(record.reference)
        if flow is None:
            continue
        workflow = loaded[record.id] = LoadedWorkflow(record, flow, record.progress())
        if flows.reference_of(record.id) == record.reference and record.id in reads.steps:
            add_steps(workflow.progress, reads.steps[record.id], reads.step_replies[record.id].value)
        else:
            requests.append((workflow, LoadRequest(likely_steps(flow, indices_by_id[record.id]))))
        flows.remember(record.id, record.reference)
    if routes.pauses:
        for id, hold in load_holds(connection, routes.pauses, loaded).items():
            loaded[id].hold = hold
    _load_requested(connection, requests)
    large = [each for id, each in loaded.items() if each.record.has_large or id in pointing]
    if large:
        names_of_each = load_names(connection, [each.record.id for each in large])
        for workflow, names in zip(large, names_of_each, strict=True):
            workflow.large_values.stored = names
    return routes, loaded


def advance_workflows(
    connection: Connection,
    loaded: Mapping[str, LoadedWorkflow],
    results_by_id: Mapping[str, Iterable[StepResult]],
    shared: LookBudget | None = None,
) -> dict[str, list[Transition]]:
    """Advance each workflow by its results, in order; return the transitions by id. Load what the engine
    needs. Changes `loaded`, which has all these workflows, and writes nothing. Ignores stale results.

    Each result has a budget of MAX_LOOKS for its transition, however often that is decided anew. `shared`
    counts the looks of all of them. Raises TooMuchWork if it is used up while results remain.
    """
    transitions: dict[str, list[Transition]] = {id: [] for id in results_by_id}
    queues = {id: deque(results) for id, results in results_by_id.items()}
    while queues:
        requests: list[tuple[LoadedWorkflow, LoadRequest]] = []
        for id, results in list(queues.items()):
            request = _advance(loaded[id], results, transitions[id], shared)
            if request is None:
                del queues[id]
            else:
                requests.append((loaded[id], request))
        _load_requested(connection, requests)
    return transitions


def _advance(
    workflow: LoadedWorkflow,
    results: deque[StepResult],
    transitions: list[Transition],
    shared: LookBudget | None,
) -> LoadRequest | None:
    """Advance a workflow until no result is left, or something must be loaded for the next one."""
    while results:
        budget = workflow.budget
        remaining = budget.remaining
        outcome = advance(workflow.flow, workflow.progress, workflow.outputs, results[0], budget)
        if shared is not None and budget.remaining < remaining:
            shared.spend(remaining - budget.remaining)
        if isinstance(outcome, LoadRequest):
            limit = max(PREFETCH_LIMIT, 2 * len(workflow.progress.steps))
            ahead = likely_steps(workflow.flow, outcome.steps, limit) - workflow.progress.steps.keys()
            return LoadRequest(ahead, outcome.outputs)
        result = results.popleft()
        if budget.remaining < budget.limit:
            workflow.budget = LookBudget(shared=budget.shared)
        if isinstance(outcome, Transition):
            outcome.entry_id = result.entry_id
            workflow.apply(outcome)
            transitions.append(outcome)
    return None


def _load_requested(connection: Connection, requests: Sequence[tuple[LoadedWorkflow, LoadRequest]]) -> None:
    """Load what the engine has requested, in one round trip; nothing without requests. (HMGET)"""
    if not requests:
        return
    commands: list[Command] = []
    receivers: list[Callable[[list[Reply]], None]] = []
    for workflow, request in requests:
        if steps := sorted(request.steps):
            commands.append(_steps_command(workflow.record.id, steps))
            receivers.append(partial(add_steps, workflow.progress, steps))
        if outputs := sorted(request.outputs):
            commands.append(("HMGET", keys.outputs(workflow.record.id), *outputs))
            receivers.append(partial(workflow.add_outputs, outputs))
    for receive, reply in zip(receivers, connection.execute(commands), strict=True):
        receive(reply)


def load_whole(
    connection: Connection, flows: FlowCache, route_cache: RouteCache, id: str
) -> tuple[Routes, LoadedWorkflow | None]:
    """Watch and load one workflow with its whole progress and all outputs. (HGETALL)

    Return the routes, and the workflow, or None if there is none.
    """
    routes, loaded = load(connection, flows, route_cache, {id: ()})
    workflow = loaded.get(id)
    if workflow is not None:
        steps, outputs = connection.execute([("HGETALL", keys.steps(id)), ("HGETALL", keys.outputs(id))])
        workflow.progress.is_whole = True
        add_steps(workflow.progress, map(int, steps[::2]), steps[1::2])
        workflow.add_outputs(map(int, outputs[::2]), outputs[1::2])
    return routes, workflow


def watch_state(connection: Connection, id: str) -> WorkflowState | None:
    """Watch a workflow; return its state, or None if there is no such workflow. (WATCH, HGET)"""
    _, state = connection.execute([("WATCH", id), ("HGET", id, "state")])
    return None if state is None else STATES[state]


def watch_run(connection: Connection, id: str) -> tuple[WorkflowState, str] | None:
    """Watch a workflow; return its state and its run, or None if there is no such workflow. (WATCH, HMGET)"""
    _, (state, run) = connection.execute([("WATCH", id), ("HMGET", id, "state", "run")])
    return None if state is None else (STATES[state], run.decode() if run else "")


def watch_new(
    connection: Connection, route_cache: RouteCache, ids: Sequence[str], digest: str
) -> tuple[Routes, list[Record | None], bool]:
    """Watch what new workflows of one flow depend on: their records, the flow, the claims. (WATCH, TIME,
    MGET, XINFO, HMGET, EXISTS)

    Return the routes, the record for each id, or None where the id is free, and whether the flow is stored.
    """
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", keys.CLAIMS_VERSION, *ids, keys.flow(digest))
    reads = route_cache.add_reads(pipeline)
    records = [pipeline.add("HMGET", id, *RECORD_FIELDS) for id in ids]
    is_stored = pipeline.add("EXISTS", keys.flow(digest))
    pipeline.send()
    routes = route_cache.parse(connection, reads)
    parsed = [parse_record(id, record.value_or_none) for id, record in zip(ids, records, strict=True)]
    return routes, parsed, bool(is_stored.value)


def load_out_of_band_outputs(
    connection: Connection, steps: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], bytes]:
    """Return the out-of-band outputs of these steps, as JSON, by workflow and index, without steps that have
    none. (GET)"""
    if not steps:
        return {}
    commands = [("GET", keys.out_of_band_output(*step)) for step in steps]
    replies = connection.execute(commands, keep_errors=True)
    return {step: reply for step, reply in zip(steps, replies, strict=True) if isinstance(reply, bytes)}


def _steps_command(id: str, indices: Iterable[int]) -> Command:
    return ("HMGET", keys.steps(id), *indices)


def add_steps(progress: Progress, indices: Iterable[int], values: Iterable[Reply]) -> None:
    """Add values of `W:steps` to `progress`, by step index; None stands for an untouched step."""
    for index, value in zip(indices, values, strict=True):
        progress.steps[index] = StepProgress(*map(int, value.split())) if value else StepProgress()


def add_outputs(outputs: dict[int, Json], indices: Iterable[int], values: Iterable[Reply]) -> None:
    """Add values of `W:outputs` to `outputs`, by step index; a step without an output has `{}`."""
    for index, value in zip(indices, values, strict=True):
        outputs[index] = decode_json(value) if value else {}
