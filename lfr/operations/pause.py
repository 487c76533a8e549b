"""Pauses and resumes a workflow, a flow, a task, or everything."""

from __future__ import annotations

from typing import Any, Final

from lfr.engine.pauses import Pause, Pauses, PauseScope
from lfr.engine.transition import Fact, FactKind
from lfr.errors import BadInput, Conflict
from lfr.item_ids import is_item
from lfr.operations.inspect.summary import describe_pause
from lfr.operations.intervene import Condition, Unfulfilled, check_condition
from lfr.operations.lost_workflows import missing_workflow
from lfr.operations.operator_actions import note_action
from lfr.operations.permitted_actions import WorkflowAction, check_action
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import WorkflowState
from lfr.step_options import is_for_lifecycles
from lfr.store.queues.pauses import pause_commands, read_pauses, resume_commands, watch_pauses
from lfr.store.redis.connection import TIME, Command, Connection, Store, parse_time_ms
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.workflows.commit import history_command
from lfr.store.workflows.load import watch_state
from lfr.store.workflows.standing_deadlines import move_standing
from lfr.values.checks import is_unicode

MAX_PAUSES: Final = 10_000
"""How many pauses there may be at once: every lifecycle reads all of them when one of them changes."""

MAX_NAMED: Final = 500
"""How many of them may be pauses of flows and tasks: their names can be long, and each step that starts is
compared with all those of tasks."""

_MAX_NAME: Final = 1000


def pause_workflow(store: Store, id: str, *, deadlines: str = "run") -> WorkflowState:
    """Pause a workflow with its items: what runs may end, and nothing new starts. Return its state, RUNNING.

    With the `deadlines` "stop", those of its tasks, of its waits and of itself stand still meanwhile. Raises
    BadInput for the id or another word, NotFound, and Conflict if it does not run, is paused, or is an item
    of another one.
    """
    return _change_workflow(store, id, WorkflowAction.PAUSE, _stops_deadlines(deadlines))


def resume_workflow(store: Store, id: str) -> WorkflowState:
    """Let a paused workflow continue: what was held back starts, unless another pause holds it back. Return
    its state. Raises BadInput for the id, NotFound, and Conflict if it is not paused itself, or an item."""
    return _change_workflow(store, id, WorkflowAction.RESUME, False)


def change_pause_if(store: Store, id: str, action: WorkflowAction, condition: Condition) -> bool:
    """Pause or resume a workflow if it fulfils the condition in the transaction that does it; return whether
    it did. Raises as `pause_workflow` and `resume_workflow`."""
    try:
        _change_workflow(store, id, action, False, condition)
    except Unfulfilled:
        return False
    return True


def _change_workflow(
    store: Store,
    id: str,
    action: WorkflowAction,
    stops_deadlines: bool,
    condition: Condition | None = None,
) -> WorkflowState:
    id = parse_workflow_id(id)
    actor_name = store.actor.name if store.actor else ""

    def attempt() -> tuple[list[Command], WorkflowState]:
        pauses, now_ms = _watch(connection)
        state = watch_state(connection, id)
        check_condition(connection, id, condition)
        if state is None and not is_item(id):
            raise missing_workflow(connection, id)
        pause = pauses.workflows.get(id)
        check_action(action, id, state, is_paused=pause is not None)
        assert state is not None  # check_action raises
        if pause is not None:
            commands, kind = _resume_commands(connection, pauses, pause, now_ms), FactKind.RESUMED
        else:
            new = Pause(PauseScope.WORKFLOW, id, now_ms, stops_deadlines, actor_name)
            commands, kind = _pause_commands(pauses, new), FactKind.PAUSED
        commands.append(history_command(id, now_ms, [([Fact(None, kind)], "", store.actor)]))
        return [*commands, *note], state

    with store.connect() as connection:
        note = note_action(store, action, workflow=id)
        return retry_until_committed(connection, attempt)


def pause(store: Store, scope: str, name: str = "", *, deadlines: str = "run") -> dict[str, Any]:
    """Pause all workflows of a flow, all steps that invoke a task, or everything, as `scope` says: `flow`,
    `task`, `all`. A workflow that is started meanwhile is accepted, and its steps are held.

    `name` is that of the flow in lists, or of the task or behind its alias; `request:*` are all tasks that
    begin so. `deadlines` is as for `pause_workflow`. Return the pause as `list_pauses` does. Raises BadInput,
    and Conflict if it is paused already.
    """
    stops_deadlines = _stops_deadlines(deadlines)
    parsed_scope = _parse_scope(scope, name, stops_deadlines=stops_deadlines)
    actor_name = store.actor.name if store.actor else ""

    def attempt() -> tuple[list[Command], Pause]:
        pauses, now_ms = _watch(connection)
        new = Pause(parsed_scope, name, now_ms, stops_deadlines, actor_name)
        if (existing := _find(pauses, parsed_scope, name)) is not None:
            raise Conflict(f"{existing} is paused already", hint="lfr status shows since when")
        return [*_pause_commands(pauses, new), *note], new

    with store.connect() as connection:
        note = note_action(store, "pause", scope=scope, name=name)
        return describe_pause(retry_until_committed(connection, attempt))


def resume(store: Store, scope: str, name: str = "") -> dict[str, Any]:
    """End what `pause` with the same scope and name began. Return the pause that has ended. Raises BadInput,
    and Conflict if that is not paused."""
    parsed_scope = _parse_scope(scope, name)

    def attempt() -> tuple[list[Command], Pause]:
        pauses, now_ms = _watch(connection)
        existing = _find(pauses, parsed_scope, name)
        if existing is None:
            raise Conflict(
                f"{Pause(parsed_scope, name, 0)} is not paused", hint="lfr status shows what is paused"
            )
        return [*_resume_commands(connection, pauses, existing, now_ms), *note], existing

    with store.connect() as connection:
        note = note_action(store, "resume", scope=scope, name=name)
        return describe_pause(retry_until_committed(connection, attempt))


def list_pauses(store: Store) -> list[dict[str, Any]]:
    """Return all pauses as `describe_pause` describes them, those of the widest scope first."""
    with store.connect() as connection:
        return [describe_pause(each) for each in read_pauses(connection)]


def _stops_deadlines(deadlines: str) -> bool:
    if deadlines not in ("run", "stop"):
        raise BadInput("deadlines must be run or stop")
    return deadlines == "stop"


def _parse_scope(scope: str, name: str, *, stops_deadlines: bool = False) -> PauseScope:
    named = (PauseScope.FLOW, PauseScope.TASK)
    if scope not in (*named, PauseScope.ALL):
        raise BadInput(f"the scope {scope[:40]!r} is none of flow, task and all")
    if bool(name) != (scope in named):
        raise BadInput(f"a pause of the scope {scope} has {'a name' if scope in named else 'no name'}")
    if stops_deadlines and scope == PauseScope.TASK:
        raise BadInput("deadlines cannot stand still for a task: pause a workflow, a flow or everything")
    if scope == PauseScope.TASK and is_for_lifecycles(name):
        raise BadInput(
            "a call starts, and what it calls waits", hint=f"--flow {name.partition(':')[2][:100]}"
        )
    if len(name) > _MAX_NAME or not is_unicode(name):
        raise BadInput(f"the name of a {scope} has at most {_MAX_NAME} characters")
    return PauseScope(scope)


def _find(pauses: Pauses, scope: PauseScope, name: str) -> Pause | None:
    if scope is PauseScope.ALL:
        return pauses.all
    return (pauses.flows if scope is PauseScope.FLOW else pauses.tasks).get(name)


def _watch(connection: Connection) -> tuple[Pauses, int]:
    pauses = watch_pauses(connection)
    return pauses, parse_time_ms(connection.call(*TIME))


def _resume_commands(connection: Connection, pauses: Pauses, ended: Pause, now_ms: int) -> list[Command]:
    deadlines = move_standing(connection, ended, pauses.without(ended), now_ms)
    return [*deadlines, *resume_commands(ended)]


def _pause_commands(pauses: Pauses, new: Pause) -> list[Command]:
    if sum(1 for _ in pauses) >= MAX_PAUSES:
        hint = "pause their flow, or everything (--all)"
        raise Conflict(f"there are {MAX_PAUSES:,} pauses already, as many as there may be", hint=hint)
    named = len(pauses.flows) + len(pauses.tasks)
    if new.scope in (PauseScope.FLOW, PauseScope.TASK) and named >= MAX_NAMED:
        hint = "pause tasks by what their names begin with (--task 'request:*'), or everything (--all)"
        raise Conflict(f"there are {MAX_NAMED} pauses of flows and tasks already", hint=hint)
    return pause_commands(new)
