"""Starts a workflow from a flow text and an input. Idempotent by id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import uuid4

from lfr.engine.advance import begin
from lfr.engine.step_inputs import normalize_input
from lfr.errors import BadInput, Conflict, NoMemory
from lfr.flow import WORKFLOW_INPUT, Flow
from lfr.flow_inputs import complete_input
from lfr.labels import merge_labels, parse_labels
from lfr.language import compile_flow
from lfr.operations.lost_workflows import remains_in_the_way
from lfr.operations.workflow_ids import generate_run, generate_workflow_id, parse_new_workflow_id
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.workflows.commit import create_workflow_commands
from lfr.store.workflows.flow_texts import use_flow_commands
from lfr.store.workflows.load import watch_new
from lfr.store.workflows.queries import load_outputs_up_to
from lfr.store.workflows.remains import has_remains
from lfr.trace_context import parse_traceparent
from lfr.values.checks import abbreviate
from lfr.values.json import ABSENT, Json


@dataclass(frozen=True, slots=True)
class StartedWorkflow:
    """The result of `start_workflow`. `is_new` is False if an earlier call had started the workflow."""

    id: str
    is_new: bool


def start_workflow(
    store: Store,
    text: str,
    input: Json = ABSENT,
    workflow_id: str | None = None,
    *,
    base: str | None = None,
    source: str = "FLOW",
    flow: Flow | None = None,
    name: str = "",
    version: int | None = None,
    labels: Json = None,
    traceparent: str = "",
) -> StartedWorkflow:
    """Compile a flow text and start a workflow on `input`; ABSENT counts as `{}`, None is null. The
    input is checked, and completed by defaults, as the flow declares it (`complete_input`).

    `base` and `source` are those of `compile_flow`; `flow` is its result, if the caller has it. `name` is
    what a flow without a name is called, such as that of its file: it changes the record and a generated id,
    but not the flow, so that the same text under another name is the same workflow. `version` is that of a
    stored flow, for the record; `start_stored_flow` finds it. `labels`, an object, come on top of those of
    the flow (`lfr.labels`). Without a `workflow_id`, the id is generated. A call with the same `workflow_id`,
    flow and input as an earlier one starts nothing, and changes no labels. Returns as soon as the workflow is
    stored. While its flow or everything is paused, its steps are held. `traceparent` is of the caller, so
    that the workflow belongs to its trace; empty: it has one of its own (`lfr.trace_context`).

    Raises FlowError; BadInput for the id, the input, the labels, the base or the traceparent;
    Conflict if the id belongs to another workflow; NoMemory if Redis has too little left; and the errors of
    `Connection.execute`.
    """
    flow = flow or _compile(text, base, source)
    workflow_input = complete_input(flow.parameters, normalize_input(input))
    own_labels = merge_labels(flow.parameters, {} if labels is None else parse_labels(labels))
    id = (
        parse_new_workflow_id(workflow_id)
        if workflow_id is not None
        else generate_workflow_id(flow.name or name, uuid4())
    )
    if traceparent and parse_traceparent(traceparent) is None:
        raise BadInput(
            f"{abbreviate(traceparent)} is no traceparent",
            hint="it is as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
    start = WorkflowStart(
        *(store, id, flow, text, workflow_input, own_labels),
        name=name,
        version=version,
        traceparent=traceparent,
    )
    with store.connect() as connection:

        def attempt() -> tuple[list[Command] | None, StartedWorkflow]:
            commands = start.commands(connection, may_exist=workflow_id is not None)
            if commands is not None:
                return commands, StartedWorkflow(id, is_new=True)
            # What replicas confirm is what this connection has written, not what another one has.
            again: list[Command] = [("HSET", id, "flow", flow.reference)]
            is_confirming = store.confirmations is not None
            return again if is_confirming else None, StartedWorkflow(id, is_new=False)

        return retry_until_committed(connection, attempt)


class WorkflowStart:
    """The start of a workflow, which `commands` puts into a transaction. `input` is as the flow declares it,
    `labels` are all that it gets; the other arguments are as for `start_workflow`."""

    def __init__(
        self,
        store: Store,
        id: str,
        flow: Flow,
        text: str,
        input: Json,
        labels: Mapping[str, str],
        *,
        name: str = "",
        version: int | None = None,
        traceparent: str = "",
    ) -> None:
        self._id = id
        self._flow = flow
        self._text = text
        self._input = input
        self._labels = labels
        self._name = name
        self._version = version
        self._traceparent = str(parse_traceparent(traceparent) or "")
        self._first = begin(flow, input)
        self._first.actor = store.actor
        self._run = generate_run()
        self._memory_share = store.settings.limits_memory
        self._route_cache = RouteCache(store)

    def commands(self, connection: Connection, *, may_exist: bool) -> list[Command] | None:
        """Watch what the start depends on, and return its commands; None if the workflow exists, with the
        same flow and input. With a generated id it cannot: then `may_exist` is False.

        Raises Conflict if the id belongs to another workflow; then nothing is watched any more. Raises
        NoMemory if Redis uses more than `limits.memory`, and ReadAgain.
        """
        id, flow = self._id, self._flow
        routes, record, is_stored = watch_new(connection, self._route_cache, id, flow.digest)
        if record is not None:
            outputs, _ = load_outputs_up_to(connection, id, 0, [WORKFLOW_INPUT])
            if WORKFLOW_INPUT not in outputs:
                if connection.transact([]) is None:
                    raise ReadAgain  # the workflow has just been deleted
                raise remains_in_the_way(id)
            if record.reference == flow.digest and outputs[WORKFLOW_INPUT] == self._input:
                return None
            raise Conflict(f"{id} already exists, with another flow or input", hint="choose another id")
        if may_exist and has_remains(connection, id):
            if connection.transact([]) is None:
                raise ReadAgain  # another call has just started it
            raise remains_in_the_way(id)
        require_memory(connection, self._memory_share, "started")
        return [
            *use_flow_commands(flow, self._text, is_stored=is_stored),
            *create_workflow_commands(
                routes,
                id,
                flow,
                self._text,
                self._first,
                run=self._run,
                name=self._name,
                version=self._version,
                labels=self._labels,
                hold=routes.pauses.hold_of(id, [flow.name or self._name]),
                traceparent=self._traceparent,
            ),
        ]


def require_memory(connection: Connection, share: float, participle: str) -> None:
    """Raise NoMemory if Redis uses more than a share of its memory, so that no workflow is started, or what
    the participle says. (INFO)"""
    use = connection.load_memory_use()
    if use.exceeds(share):
        raise NoMemory(
            f"no workflow is {participle}: Redis uses {use}, and above {share:.0%} the rest is for the "
            "workflows that run",
            hint="lfr prune deletes old workflows; or raise limits.memory, or maxmemory of Redis",
        )


@lru_cache(maxsize=64)
def _compile(text: str, base: str | None, source: str) -> Flow:
    """Compile a flow text. Cached: programs start the same text many times, and flows are immutable."""
    return compile_flow(text, base, source=source)
