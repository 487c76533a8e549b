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
from lfr.store.redis.connection import Store
from lfr.store.workflows.commit import commit, create_workflow_commands
from lfr.store.workflows.flows import use_flow_commands
from lfr.store.workflows.load import load_outputs
from lfr.store.workflows.record import watch_new
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
    flow = flow or _compiled(text, base, source)
    given = normalize_input(input)
    id = (
        parse_new_workflow_id(workflow_id) if workflow_id is not None else generate_workflow_id(flow, uuid4())
    )
    first = begin(flow, given)
    with store.connect() as connection:
        while True:
            now_ms, present, is_stored = watch_new(connection, id, flow.digest)
            if present is not None:
                outputs = load_outputs(connection, id)
                connection.execute([("UNWATCH",)])
                if WORKFLOW_INPUT not in outputs:
                    continue  # it has been deleted since
                if present.digest == flow.digest and outputs[WORKFLOW_INPUT] == given:
                    return Started(id, is_new=False)
                raise Conflict(f"{id} is there already, with another flow or input", hint="choose another id")
            beginning = create_workflow_commands(store.stream, id, flow, text, first, now_ms)
            if commit(connection, use_flow_commands(flow, is_stored=is_stored) + beginning):
                return Started(id, is_new=True)


@lru_cache(maxsize=64)
def _compiled(text: str, base: str | None, source: str) -> Flow:
    """Programs start the same text again and again; a flow never changes, so all can share one."""
    return compile_flow(text, base, source=source)
