"""Stores flows under their names, in numbered versions, and lists and starts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from typing import Any, Final, NamedTuple

from lfr.errors import BadInput
from lfr.flow import Flow
from lfr.flow_inputs import declared_inputs
from lfr.language import Diagnostic, FlowError, compile_flow
from lfr.language.input_declarations import input_names
from lfr.operations.decide_schedule import decide_until
from lfr.operations.find_flow import load_stored_flow, parse_flow_data, parse_flow_reference, require_version
from lfr.operations.flow_changes import describe_changes
from lfr.operations.operator_actions import note_action
from lfr.operations.schedule_changes import schedule_changes, undecided_schedules
from lfr.operations.start import StartedWorkflow, start_workflows
from lfr.schedules.spec import declared_schedule
from lfr.store.redis.connection import Command, Connection, Store, read_time_ms
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.schedules import watch_schedules
from lfr.store.workflows.flow_versions import (
    FlowVersion,
    StoredFlows,
    load_flow_and_text,
    load_latest_versions,
    load_stored_flows,
    remove_commands,
    store_version_commands,
    watch_stored_flows,
    watch_users,
)
from lfr.values.checks import suggestion
from lfr.values.json import ABSENT, Json
from lfr.values.times import iso_time


class FlowSource(NamedTuple):
    """A flow text to store, with the name that messages call it by, such as its file, and the base of its
    relative resources, as for `compile_flow`."""

    text: str
    source: str = "FLOW"
    base: str | None = None


class Change(StrEnum):
    """What `apply_flows` does with a flow."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    MISSING = "missing"


_APPLIED: Final = (Change.NEW, Change.CHANGED)


@dataclass(frozen=True, slots=True)
class FlowChange:
    """A line of a plan.

    change    MISSING: the flow is stored, but no text has its name; REMOVED: likewise, and it is to go
    version   the number of the latest version, after the change; of a removed one, before it
    previous  the number of the latest version before the change; None: there is none
    source    the name of its text in messages; empty without one
    diff      lines as `describe_changes` returns them
    schedule  what becomes of its schedule: new, changed, removed; empty: nothing
    """

    name: str
    change: Change
    version: int
    previous: int | None
    source: str = ""
    diff: tuple[str, ...] = ()
    schedule: str = ""


def apply_flows(
    store: Store, sources: Iterable[FlowSource], *, prune: bool = False, dry_run: bool = False
) -> list[FlowChange]:
    """Store each flow under the name in its `@flow`, as a new version if it differs from the latest one.

    All or nothing, in one transaction. With `prune`, flows with other names are removed, with all of their
    versions; workflows that run them go on. The schedule in a text is stored, changed and removed with its
    flow. With `dry_run`, nothing changes. Return the plan that was carried out, or would be: by name, those
    without a text last.

    Raises FlowError with the errors in all texts; BadInput for a flow without a name, for a name that two
    have, and for a flow that calls one that would not be stored then; Conflict if a schedule that was made by
    hand has the name of one in a text.
    """
    texts = list(sources)
    flows = _compile_all(texts)
    own_names = {flow.name for flow in flows}
    called_names = {step.called_flow for flow in flows for step in flow.steps if step.called_flow}
    declared = {flow.name: declared_schedule(flow.parameters) for flow in flows}
    with store.connect() as connection:

        def attempt() -> tuple[list[Command] | None, list[FlowChange]]:
            stored = watch_stored_flows(connection, None if prune else own_names | called_names)
            others = sorted({*stored.versions, *stored.others} - own_names)
            schedules = watch_schedules(connection, sorted([*own_names, *(others if prune else [])]))
            now_ms = read_time_ms(connection)
            undecided = () if dry_run else undecided_schedules(schedules.values(), declared, now_ms)
            if undecided:
                connection.unwatch()
                for name in undecided:
                    decide_until(store, connection, name, now_ms)
                raise ReadAgain
            commands: list[Command] = []
            plan: list[FlowChange] = []

            def change_schedule(name: str) -> str:
                word, more = schedule_changes(name, declared.get(name), schedules.get(name), now_ms)
                commands.extend(more)
                return word

            for (text, source, _), flow in sorted(
                zip(texts, flows, strict=True), key=lambda pair: pair[1].name
            ):
                change = _plan(connection, stored, flow, source)
                if change.change is not Change.UNCHANGED:
                    commands += store_version_commands(flow, text, change.version, now_ms)
                word = change_schedule(flow.name)
                plan.append(replace(change, schedule=word))
            _check_calls(flows, plan, stored, [] if prune else others)
            for name in others:
                number = stored.numbers[name]
                word = change_schedule(name) if prune else ""
                change_kind = Change.REMOVED if prune else Change.MISSING
                plan.append(FlowChange(name, change_kind, number, number, schedule=word))
            if prune and others:
                users = watch_users(connection, chain.from_iterable(stored.versions[name] for name in others))
                commands += remove_commands(stored, others, users)
            if commands:
                changed = [f"{change.name}@{change.version}" for change in plan if change.change in _APPLIED]
                commands += note_action(store, "apply", flows=changed, removed=others if prune else [])
            return (None if dry_run else commands), plan

        return retry_until_committed(connection, attempt)


MAX_FLOWS: Final = 1000
"""How many stored flows a page lists, at most."""


def list_flows(store: Store, *, prefix: str = "", after: str = "", size: int = 100) -> list[dict[str, Any]]:
    """Return up to `size` stored flows by name, as plain data: name, version (the number of the latest),
    versions (how many), applied (when the latest was stored), steps, doc, digest.

    Only names that begin with `prefix`, and come behind the name `after`. Raises BadInput for a size below 1
    or above MAX_FLOWS.
    """
    if not 1 <= size <= MAX_FLOWS:
        raise BadInput(f"a page has 1 to {MAX_FLOWS} flows, not {size}")
    with store.connect() as connection:
        latest = load_latest_versions(connection, prefix=prefix, after=after, count=size)
    return [{"name": version.name, "versions": count, **_describe(version)} for version, count in latest]


def describe_flow(store: Store, reference: str) -> dict[str, Any]:
    """Return one version of a stored flow, `NAME` or `NAME@VERSION`, as plain data: what `list_flows`
    returns, with its text, its inputs as declared, in the order of the text, all versions, the newest first,
    and `changes`: in what it differs from the version before, as `describe_changes` returns it (None: there
    is none before). Raises BadInput and NotFound."""
    name, number = parse_flow_reference(reference)
    with store.connect() as connection:
        version = require_version(connection, name, number)
        versions = load_stored_flows(connection, [name]).versions.get(name, [version])
        data, text = load_flow_and_text(connection, version)
        before = next((each for each in reversed(versions) if each.number < version.number), None)
        data_before = None if before is None else load_flow_and_text(connection, before)[0]
    return {
        "name": name,
        **_describe(version),
        "text": text,
        "inputs": {} if data is None else _describe_inputs(parse_flow_data(data), text),
        "changes": None
        if data is None or data_before is None
        else describe_changes(parse_flow_data(data_before), parse_flow_data(data)),
        "versions": [_describe(each) for each in reversed(versions)],
    }


def start_stored_flow(
    store: Store,
    reference: str,
    input: Json = ABSENT,
    workflow_id: str | None = None,
    *,
    labels: Json = None,
    traceparent: str = "",
) -> StartedWorkflow:
    """Start a workflow of a stored flow, `NAME` (its latest version) or `NAME@VERSION`. The workflow keeps
    this version. Raises BadInput, NotFound, and as `start_workflow`."""
    ids = None if workflow_id is None else [workflow_id]
    [started] = start_stored_flows(store, reference, [input], ids, labels=labels, traceparent=traceparent)
    return started


def start_stored_flows(
    store: Store,
    reference: str,
    inputs: Sequence[Json],
    workflow_ids: Sequence[str] | None = None,
    *,
    labels: Json = None,
    traceparent: str = "",
) -> list[StartedWorkflow]:
    """Start a workflow of a stored flow for each input, as `start_workflows` does. Raises BadInput, NotFound,
    and as `start_workflows`."""
    with store.connect() as connection:
        stored = load_stored_flow(connection, reference)
    return start_workflows(
        store,
        stored.text,
        inputs,
        workflow_ids,
        flow=stored.flow,
        version=stored.version.number,
        labels=labels,
        traceparent=traceparent,
    )


def _compile_all(sources: Sequence[FlowSource]) -> list[Flow]:
    """Compile all texts. Raises FlowError and BadInput as `apply_flows`."""
    flows: list[Flow] = []
    errors: list[Diagnostic] = []
    sources_by_name: dict[str, str] = {}
    for text, source, base in sources:
        try:
            flows.append(compile_flow(text, base, source=source))
        except FlowError as error:
            errors += error.errors
    if errors:
        raise FlowError(errors)
    for flow, (_, source, _) in zip(flows, sources, strict=True):
        if not flow.name:
            hint = "begin it with @flow NAME"
            raise BadInput("a flow without a name cannot be stored", place=source, hint=hint)
        if flow.name in sources_by_name:
            hint = "a name has one text: change one of the two"
            message = f"the flow {flow.name} stands in {sources_by_name[flow.name]}, too"
            raise BadInput(message, place=source, hint=hint)
        sources_by_name[flow.name] = source
    return flows


def _plan(connection: Connection, stored: StoredFlows, flow: Flow, source: str) -> FlowChange:
    name, number = flow.name, stored.numbers.get(flow.name, 0)
    if name not in stored.versions:
        return FlowChange(name, Change.NEW, number + 1, None, source)
    latest = stored.versions[name][-1]
    if latest.digest == flow.digest:
        return FlowChange(name, Change.UNCHANGED, latest.number, latest.number, source)
    data, _ = load_flow_and_text(connection, latest)
    if data is None:  # another apply has just removed it
        raise ReadAgain
    diff = tuple(describe_changes(parse_flow_data(data), flow))
    return FlowChange(name, Change.CHANGED, number + 1, latest.number, source, diff)


def _check_calls(
    flows: Iterable[Flow], plan: Iterable[FlowChange], stored: StoredFlows, others: Iterable[str]
) -> None:
    """Raise BadInput if one of the flows calls a flow or a version that is not stored once `plan` is done.
    `others` are the flows that stay as they are."""
    names = {change.name for change in plan} | set(others)
    numbers = {name: {each.number for each in stored.versions.get(name, ())} for name in names}
    sources: dict[str, str] = {}
    for change in plan:
        numbers.setdefault(change.name, set()).add(change.version)
        sources[change.name] = change.source
    for flow in flows:
        for step in flow.steps:
            name, version = step.called_flow, step.called_version
            if name and name not in numbers:
                hint = suggestion(name, numbers) or "apply the flow that is called, too"
                reason = f"{name} is neither stored nor one of these texts"
            elif name and version is not None and version not in numbers[name]:
                hint = f"it has {', '.join(map(str, sorted(numbers[name])[-5:]))}"
                reason = f"{name} has no version {version}"
            else:
                continue
            raise BadInput(
                f"step {step.index} of {flow.name} calls a flow that does not exist: {reason}",
                place=sources[flow.name],
                hint=hint,
            )


def _describe_inputs(flow: Flow, text: str) -> dict[str, Any]:
    inputs = declared_inputs(flow.parameters)
    if len(inputs) < 2:
        return inputs
    positions = {name: position for position, name in enumerate(input_names(text))}
    return dict(sorted(inputs.items(), key=lambda item: positions.get(item[0], len(positions))))


def _describe(version: FlowVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "applied": iso_time(version.applied_ms),
        "steps": version.steps,
        "doc": version.doc,
        "digest": version.digest,
    }
