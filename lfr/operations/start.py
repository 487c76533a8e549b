"""Starts workflows from a flow text and their inputs. Idempotent by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypedDict, Unpack
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
from lfr.store.queues.routes import RouteCache, Routes
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.workflows.commit import create_workflow_commands
from lfr.store.workflows.flow_texts import use_flow_commands
from lfr.store.workflows.load import watch_new
from lfr.store.workflows.queries import load_outputs_up_to
from lfr.store.workflows.record import Record
from lfr.store.workflows.remains import find_remains
from lfr.trace_context import parse_traceparent
from lfr.values.checks import abbreviate
from lfr.values.json import ABSENT, Json, encode_json

_MAX_STARTS: Final = 100
_MAX_START_BYTES: Final = 2**20
"""How many workflows one transaction starts, and how many bytes of JSON their inputs have together, unless it
is only one: Redis serves nobody else meanwhile."""


@dataclass(frozen=True, slots=True)
class StartedWorkflow:
    """The result of a start. `is_new` is False if an earlier call had started the workflow."""

    id: str
    is_new: bool


class StartOptions(TypedDict, total=False):
    """How workflows are started, besides their flow text, input and id.

    base, source  those of `compile_flow`
    flow          its result, if the caller has it
    name          what a flow without a name is called, such as that of its file: it changes the record and a
                  generated id, but not the flow: the same text under another name is the same workflow
    version       that of a stored flow, for the record; `start_stored_flow` finds it
    labels        an object; they come on top of those of the flow (`lfr.labels`)
    traceparent   that of the caller, so that the workflow belongs to its trace; empty: it has one of its own
                  (`lfr.trace_context`)
    """

    base: str | None
    source: str
    flow: Flow | None
    name: str
    version: int | None
    labels: Json
    traceparent: str


def start_workflow(
    store: Store,
    text: str,
    input: Json = ABSENT,
    workflow_id: str | None = None,
    **options: Unpack[StartOptions],
) -> StartedWorkflow:
    """Compile a flow text and start a workflow on `input`; ABSENT counts as `{}`, None is null. The
    input is checked, and completed by defaults, as the flow declares it (`complete_input`).

    Without a `workflow_id`, the id is generated. A call with the same `workflow_id`, flow and input as an
    earlier one starts nothing, and changes no labels. Returns as soon as the workflow is stored. While its
    flow or everything is paused, its steps are held.

    Raises FlowError; BadInput for the id, the input, the labels, the base or the traceparent;
    Conflict if the id belongs to another workflow; NoMemory if Redis has too little left; and the errors of
    `Connection.execute`.
    """
    ids = None if workflow_id is None else [workflow_id]
    [started] = start_workflows(store, text, [input], ids, **options)
    return started


def start_workflows(
    store: Store,
    text: str,
    inputs: Sequence[Json],
    workflow_ids: Sequence[str] | None = None,
    **options: Unpack[StartOptions],
) -> list[StartedWorkflow]:
    """Start a workflow for each input, in this order, as `start_workflow` does, many in a transaction.

    All inputs and ids are checked before the first workflow is started. What Redis refuses later leaves the
    transactions before as they are: with `workflow_ids`, the same call starts what is missing. Raises as
    `start_workflow`; BadInput also if there are not as many ids as inputs, or one occurs twice.
    """
    starts = _make_starts(store, text, inputs, workflow_ids, options)
    route_cache = RouteCache(store)
    started: list[StartedWorkflow] = []
    with store.connect() as connection:
        for part in _parts(starts):

            def attempt(part: Sequence[WorkflowStart] = part) -> tuple[list[Command] | None, list[bool]]:
                parts = watch_starts(connection, route_cache, part, may_exist=workflow_ids is not None)
                commands = [command for each in parts for command in each or ()]
                if store.confirmations is not None:
                    # What replicas confirm is what this connection has written, not what another one has.
                    old = [start for start, each in zip(part, parts, strict=True) if each is None]
                    commands += [("HSET", start.id, "flow", start.flow.reference) for start in old]
                return commands or None, [each is not None for each in parts]

            are_new = retry_until_committed(connection, attempt)
            started += [StartedWorkflow(start.id, new) for start, new in zip(part, are_new, strict=True)]
    return started


def _make_starts(
    store: Store,
    text: str,
    inputs: Sequence[Json],
    workflow_ids: Sequence[str] | None,
    options: StartOptions,
) -> list[WorkflowStart]:
    """Return the starts of workflows, checked. Raises as `start_workflows`."""
    flow = options.get("flow") or _compile(text, options.get("base"), options.get("source", "FLOW"))
    checked_inputs = [complete_input(flow.parameters, normalize_input(input)) for input in inputs]
    labels = options.get("labels")
    own_labels = merge_labels(flow.parameters, {} if labels is None else parse_labels(labels))
    name, traceparent = options.get("name", ""), options.get("traceparent", "")
    ids = (
        [generate_workflow_id(flow.name or name, uuid4()) for _ in inputs]
        if workflow_ids is None
        else list(map(parse_new_workflow_id, workflow_ids))
    )
    if len(ids) != len(inputs):
        raise BadInput(f"there are {len(inputs):,} inputs and {len(ids):,} workflow ids")
    if len(set(ids)) < len(ids):
        twice = next(id for number, id in enumerate(ids) if id in ids[:number])
        raise BadInput(f"the workflow id {twice} is given twice")
    if traceparent and parse_traceparent(traceparent) is None:
        raise BadInput(
            f"{abbreviate(traceparent)} is no traceparent",
            hint="it is as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
    version = options.get("version")
    return [
        WorkflowStart(
            *(store, id, flow, text, input, own_labels), name=name, version=version, traceparent=traceparent
        )
        for id, input in zip(ids, checked_inputs, strict=True)
    ]


def _parts(starts: Sequence[WorkflowStart]) -> Iterator[list[WorkflowStart]]:
    """Yield the starts of one transaction after the other."""
    part: list[WorkflowStart] = []
    part_bytes = 0
    for start in starts:
        size = len(encode_json(start.input))
        if part and (len(part) == _MAX_STARTS or part_bytes + size > _MAX_START_BYTES):
            yield part
            part, part_bytes = [], 0
        part.append(start)
        part_bytes += size
    if part:
        yield part


class WorkflowStart:
    """The start of a workflow, which `watch_starts` puts into a transaction. `input` is as the flow declares
    it, `labels` are all that it gets; the other arguments are as in StartOptions."""

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
        self.id = id
        self.flow = flow
        self.input = input
        self.memory_share = store.settings.limits_memory
        self._text = text
        self._labels = labels
        self._name = name
        self._version = version
        self._traceparent = str(parse_traceparent(traceparent) or "")
        self._first = begin(flow, input)
        self._first.actor = store.actor
        self._run = generate_run()

    def is_like(self, connection: Connection, record: Record) -> bool:
        """Return whether the workflow that has this id has the same flow and input. Raises Conflict if its
        input is lost, and ReadAgain if it has just been deleted. (HKEYS, HMGET)"""
        outputs, _ = load_outputs_up_to(connection, self.id, 0, [WORKFLOW_INPUT])
        if WORKFLOW_INPUT not in outputs:
            raise _remains_or_read_again(connection, self.id)
        return record.reference == self.flow.digest and bool(outputs[WORKFLOW_INPUT] == self.input)

    def commands(self, routes: Routes, *, is_stored: bool) -> list[Command]:
        """Return the commands that start the workflow. `is_stored` says whether Redis has its flow."""
        return [
            *use_flow_commands(self.flow, self._text, is_stored=is_stored),
            *create_workflow_commands(
                routes,
                self.id,
                self.flow,
                self._text,
                self._first,
                run=self._run,
                name=self._name,
                version=self._version,
                labels=self._labels,
                hold=routes.pauses.hold_of(self.id, [self.flow.name or self._name]),
                traceparent=self._traceparent,
            ),
        ]


def watch_starts(
    connection: Connection, route_cache: RouteCache, starts: Sequence[WorkflowStart], *, may_exist: bool
) -> list[list[Command] | None]:
    """Watch what the starts of some workflows of one flow depend on; return the commands of each, or None if
    the workflow exists, with the same flow and input. With generated ids none can: then `may_exist` is False.

    Raises Conflict if an id belongs to another workflow, NoMemory if Redis uses more than `limits.memory`,
    and ReadAgain.
    """
    ids = [start.id for start in starts]
    routes, records, is_stored = watch_new(connection, route_cache, ids, starts[0].flow.digest)
    free = [id for id, record in zip(ids, records, strict=True) if record is None]
    if may_exist and free and (remains := find_remains(connection, free)):
        raise _remains_or_read_again(connection, min(remains))
    if free:
        require_memory(connection, starts[0].memory_share, "started")
    commands: list[list[Command] | None] = []
    for start, record in zip(starts, records, strict=True):
        if record is None:
            commands.append(start.commands(routes, is_stored=is_stored))
            is_stored = True  # by the commands of the first
        elif start.is_like(connection, record):
            commands.append(None)
        else:
            raise Conflict(f"{start.id} already exists, with another flow or input", hint="choose another id")
    return commands


def _remains_or_read_again(connection: Connection, id: str) -> Conflict | ReadAgain:
    """Return the error for what is left of an earlier workflow; ReadAgain if something watched has changed
    meanwhile: somebody else may just have started or deleted the workflow."""
    return ReadAgain() if connection.transact([]) is None else remains_in_the_way(id)


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
