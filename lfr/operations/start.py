"""Text and input -> a running workflow. Idempotent by id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from uuid import uuid4

from lfr.engine import begin
from lfr.engine.step_inputs import WORKFLOW_INPUT, normalize_input
from lfr.errors import Conflict
from lfr.flow import Flow
from lfr.language import compile_flow
from lfr.operations.workflow_ids import generate_workflow_id, parse_new_workflow_id
from lfr.store.redis.connection import Command, Store
from lfr.store.redis.transaction import Retry, retry_until_committed
from lfr.store.workflows.commit import create_workflow_commands, use_flow_commands
from lfr.store.workflows.load import watch_new
from lfr.store.workflows.queries import load_outputs
from lfr.values.json import Json


@dataclass(frozen=True, slots=True)
class Started:
    """A workflow that runs. `is_new` is False if the same had been started under this id before."""

    id: str
    is_new: bool


def start_workflow(
    store: Store,
    text: str,
    input: Json = None,
    workflow_id: str | None = None,
    *,
    base: str | None = None,
    source: str = "FLOW",
    flow: Flow | None = None,
) -> Started:
    """Compile `text` and run it on `input`, an object or a list; none is the same as `{}`.

    `base` and `source` are those of `compile_flow`; `flow` is what that gives, if the caller has it already.
    Under an id that is given, the same flow with the same input is started once, however often it is
    asked for.

    Raises FlowError, BadInput for an id, an input or a base that cannot be used, Conflict if the id is taken
    by something else, and what `Connection.execute` raises.
    """
    flow = flow or _compile(text, base, source)
    workflow_input = normalize_input(input)
    id = (
        parse_new_workflow_id(workflow_id) if workflow_id is not None else generate_workflow_id(flow, uuid4())
    )
    first = begin(flow, workflow_input)
    with store.connect() as connection:

        def attempt() -> tuple[list[Command] | None, Started]:
            now_ms, record, is_stored = watch_new(connection, id, flow.digest)
            if record is not None:
                outputs = load_outputs(connection, id)
                if WORKFLOW_INPUT not in outputs:
                    raise Retry  # it has been deleted since
                if record.reference == flow.digest and outputs[WORKFLOW_INPUT] == workflow_input:
                    return None, Started(id, is_new=False)
                connection.unwatch()
                raise Conflict(f"{id} is there already, with another flow or input", hint="choose another id")
            commands = use_flow_commands(flow, is_stored=is_stored)
            commands += create_workflow_commands(store.stream, id, flow, text, first, now_ms)
            return commands, Started(id, is_new=True)

        return retry_until_committed(connection, attempt)


@lru_cache(maxsize=64)
def _compile(text: str, base: str | None, source: str) -> Flow:
    """Compile a text, or return the flow of the same text from before: programs start a text many times."""
    return compile_flow(text, base, source=source)
