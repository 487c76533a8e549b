"""The Python client: the operations of the command line, for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from lfr.actor import make_actor
from lfr.base_uri import Base, absolute_base
from lfr.errors import BadInput, Unconfirmed
from lfr.events import Status
from lfr.host.os_user import operating_system_user
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.bulk import BulkAction, count_whole_bulk, plan_bulk, run_bulk
from lfr.operations.complete_task import complete_task
from lfr.operations.dead_letters import handle_dead_letters, list_dead_letters
from lfr.operations.events import list_buffered_events, list_events, send_event
from lfr.operations.explain.explanation import explain_workflow
from lfr.operations.find_workflow import find_workflow_id
from lfr.operations.follow import follow_workflow
from lfr.operations.inspect.workflow import inspect_step, inspect_workflow, read_flow_text
from lfr.operations.intervene import (
    delete_workflow,
    fail_task,
    restart_workflow,
    retry_task,
    skip_task,
    terminate_workflow,
)
from lfr.operations.latches import list_latches, reset_latch
from lfr.operations.list_workflows import count_workflows, list_workflows, make_filter
from lfr.operations.pause import list_pauses, pause, pause_workflow, resume, resume_workflow
from lfr.operations.prune import WriteArchive, plan_prune, prune
from lfr.operations.schedules import (
    add_schedule,
    backfill,
    describe_schedule,
    list_schedules,
    pause_schedule,
    plan_backfill,
    remove_schedule,
    resume_schedule,
    trigger_schedule,
)
from lfr.operations.start import start_workflows
from lfr.operations.status import load_status
from lfr.operations.stored_flows import (
    FlowSource,
    apply_flows,
    describe_flow,
    list_flows,
    start_stored_flows,
)
from lfr.operations.task_list import list_tasks
from lfr.operations.task_logs import follow_task_log, read_whole_task_log
from lfr.operations.traces.load import describe_trace
from lfr.operations.wait_for_end import wait_for_end
from lfr.operations.waits.list_waits import collect_waits
from lfr.store.redis.connection import Store, open_store
from lfr.values.json import ABSENT, Json
from lfr.values.times import iso_time

T = TypeVar("T")

Descriptions: TypeAlias = list[dict[str, Any]]
"""A list of plain data, each as JSON shows it."""

_ADDRESS_PARTS: Final = frozenset({"host", "port", "username", "password"})


def _starter(
    flow_text: str | None,
    flow: str | None,
    inputs: Sequence[Json],
    workflow_ids: Sequence[str] | None,
    base: Base,
    name: str,
    labels: Mapping[str, str | int] | None,
    traceparent: str,
) -> Callable[[Store], list[str]]:
    """Return the operation that starts a workflow for each input and returns their ids. Raises BadInput."""
    values = [ABSENT if input is None else input for input in inputs]
    own_labels = None if labels is None else dict(labels)
    if flow is not None:
        if flow_text is not None or base is not None or name:
            raise BadInput("a stored flow goes with neither flow_text nor base nor name")
        start = partial(start_stored_flows, reference=flow)
    elif flow_text is not None:
        start = partial(start_workflows, text=flow_text, base=absolute_base(base), name=name)
    else:
        raise BadInput("run needs flow_text, or flow, the name of a stored flow")

    def operation(store: Store) -> list[str]:
        started = start(
            store, inputs=values, workflow_ids=workflow_ids, labels=own_labels, traceparent=traceparent
        )
        return [workflow.id for workflow in started]

    return operation


class TimedOut(TimeoutError):
    """A workflow did not end within the time-out of `Client.wait`. It continues to run."""


class Client:
    """A client of an installation of lfr. It connects at first use. Threads may share it.

    `url` is redis://, rediss://, unix:// or redis+sentinel://. Instead, the parts `host`, `port`, `username`,
    `password` may name the server; without any of these the client finds it as the command line does, by
    configuration file and environment. `connection` may also hold any other setting, by its attribute in
    `Settings`. Raises BadSettings.

    With the setting `redis.replicas`, methods that change something raise Unconfirmed if the replicas do not
    confirm it in time. Then it is done all the same; `result` of the error is what the method would have
    returned.

    `actor` is who stands in the history of what the client changes; the default is the user of the process
    and its host, as `ann@web1`. `acting` gives another one, or a reason.
    """

    def __init__(self, url: str | None = None, *, actor: str | None = None, **connection: Any) -> None:
        from lfr.config.load import load_settings  # reads YAML only if there is a file

        overrides = {
            f"redis_{name}" if name in _ADDRESS_PARTS else name: value for name, value in connection.items()
        }
        if url is not None:
            overrides["redis_url"] = url
        actor = operating_system_user() if actor is None else actor
        self._store = open_store(load_settings(overrides)).acting(make_actor(actor))

    def acting(self, actor: str | None = None, *, reason: str = "") -> Client:
        """Return a client for changes by this actor (None: that of this client), made for this reason, with
        the same connections: `client.acting(reason="wrong input").terminate(id)`."""
        client = copy(self)
        name = self._store.actor.name if actor is None and self._store.actor else actor or ""
        client._store = self._store.acting(make_actor(name, reason))
        return client

    def run(
        self,
        flow_text: str | None = None,
        input: Json = None,
        workflow_id: str | None = None,
        *,
        flow: str | None = None,
        base: Base = None,
        name: str = "",
        labels: Mapping[str, str | int] | None = None,
        traceparent: str = "",
    ) -> str:
        """Start a workflow and return its id; do not wait for its end.

        Without `workflow_id`, generate one; if it exists with the same flow and input, start nothing.
        `input` may be any JSON value; None: there is none, which counts as {}. `base`, a folder or a URL, is
        the base of relative resources. `name` is what a flow without a name is called. `flow`, in place of
        `flow_text`, is the name of a stored flow: `NAME`, its latest version, or `NAME@VERSION`. `labels`
        are texts by which the workflow is found. With `traceparent` it belongs to the trace of the caller
        (W3C Trace Context), in place of one of its own. Raises
        FlowError, BadInput, NotFound for `flow`, Conflict if `workflow_id` exists with another flow or input,
        NoMemory (`limits.memory`), Unreachable, Refused.
        """
        ids = None if workflow_id is None else [workflow_id]
        start = _starter(flow_text, flow, [input], ids, base, name, labels, traceparent)
        return self._change(lambda store: start(store)[0])

    def run_many(
        self,
        flow_text: str | None = None,
        inputs: Iterable[Json] = (),
        workflow_ids: Iterable[str] | None = None,
        *,
        flow: str | None = None,
        base: Base = None,
        name: str = "",
        labels: Mapping[str, str | int] | None = None,
        traceparent: str = "",
    ) -> Sequence[str]:
        """Start a workflow of one flow for each input, as `run` does, and return their ids in the order of
        the inputs. Many start in one transaction, which takes a fraction of the time of as many `run`.

        Nothing starts if one input or id is wrong. If it is interrupted, some have started: with
        `workflow_ids`, the same call starts only what is missing. Raises as `run`.
        """
        ids = None if workflow_ids is None else list(workflow_ids)
        return self._change(_starter(flow_text, flow, list(inputs), ids, base, name, labels, traceparent))

    def apply_flows(
        self, flow_texts: Iterable[str], *, base: Base = None, prune: bool = False, dry_run: bool = False
    ) -> Descriptions:
        """Store flows under their names, as `lfr apply` does, all or none; with `prune`, remove all others.

        Return the plan, which `dry_run` does not carry out: name, change (new, changed, unchanged, removed,
        missing), version, previous, source, diff of each flow. Raises FlowError, and BadInput for a flow
        without a name or with that of another one.
        """
        base = absolute_base(base)
        texts = [flow_texts] if isinstance(flow_texts, str) else flow_texts
        sources = [FlowSource(text, f"text {n}", base) for n, text in enumerate(texts, 1)]
        plan = self._change(lambda store: apply_flows(store, sources, prune=prune, dry_run=dry_run))
        return [asdict(change) for change in plan]

    def flows(self, *, prefix: str = "", after: str = "", limit: int = 1000) -> Descriptions:
        """Return up to `limit` stored flows by name: name, version, versions (how many), applied, steps, doc,
        digest. Only those whose names begin with `prefix`, and come behind the name `after`."""
        return list_flows(self._store, prefix=prefix, after=after, size=limit)

    def flow(self, name: str) -> dict[str, Any]:
        """Return a stored flow, `NAME` or `NAME@VERSION`, with its text and all of its versions. Raises
        NotFound and BadInput."""
        return describe_flow(self._store, name)

    def schedules(self) -> Descriptions:
        """Return the schedules by name, as `lfr schedule list --json` prints them."""
        return list_schedules(self._store)

    def schedule(self, name: str) -> dict[str, Any]:
        """Return a schedule, as `lfr schedule show NAME --json` prints it. Raises NotFound."""
        return describe_schedule(self._store, name)

    def add_schedule(
        self, name: str, schedule: Mapping[str, Json], flow: str | None = None
    ) -> dict[str, Any]:
        """Make a schedule for a stored flow, `NAME` or `NAME@VERSION`; None: the one with its name. Return it
        as `schedule` does.

        `schedule` is as in a flow text: `{"cron": "0 3 * * 1-5", "timezone": "Europe/Berlin"}`. Raises
        BadInput, NotFound for the flow, Conflict if the name is in use.
        """
        return self._change(lambda store: add_schedule(store, name, schedule, flow or name))

    def remove_schedule(self, name: str) -> None:
        """Remove a schedule. Raises NotFound, and Conflict for one that stands in a flow text."""
        self._change(lambda store: remove_schedule(store, name))

    def pause_schedule(self, name: str, reason: str = "") -> None:
        """Pause a schedule: nothing is started until it is resumed. Raises NotFound, and Conflict if it is
        paused."""
        self._change(lambda store: pause_schedule(store, name, reason))

    def resume_schedule(self, name: str) -> None:
        """Resume a paused schedule, from now on. Raises NotFound, and Conflict if it is not paused."""
        self._change(lambda store: resume_schedule(store, name))

    def trigger_schedule(self, name: str) -> str:
        """Start a workflow of a schedule now, and return its id. Raises NotFound, also for its flow, and
        BadInput if its input does not fit."""
        return self._change(lambda store: trigger_schedule(store, name))

    def backfill_schedule(self, name: str, start: str, end: str) -> Sequence[str]:
        """Start a workflow for each time of a schedule from `start` to `end`, in ISO 8601, that lies behind
        and has none; return their ids. Raises BadInput, also for more than a thousand times, and NotFound."""

        def operation(store: Store) -> Sequence[str]:
            plan = plan_backfill(store, name, start, end)
            return [id for id, is_new in backfill(store, plan) if is_new]

        return self._change(operation)

    def inspect(self, id: str, *, history: bool = False) -> dict[str, Any]:
        """Return all data of a workflow, as `lfr inspect --json` prints it. Raises NotFound and BadInput."""
        return inspect_workflow(self._store, id, history=history, size=True)

    def wait(self, id: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a workflow has ended, however it ends, and return it as `inspect` does.

        Raises TimedOut after `timeout` seconds (None: waits without a limit), NotFound and BadInput.
        """
        has_ended = wait_for_end(self._store, id, timeout)
        workflow = self.inspect(id)
        if not has_ended:
            raise TimedOut(f"{id} is still {workflow['state']} after {timeout} seconds")
        return workflow

    def follow(self, id: str, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield an update on a workflow at once and at each change, until it ends or the time is over.

        An update has id, name, state, counts, and the `changes` since the last update. `timeout` is in
        seconds; None: no limit. Raises NotFound and BadInput at the first update, but not TimedOut.
        """
        return follow_workflow(self._store, id, timeout_seconds=timeout)

    def list(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        where: str | None = None,
        limit: int = 50,
    ) -> Descriptions:
        """Return up to `limit` workflows, newest first: id, name, state, reason, started, ended, labels,
        parent, counts of each; only those in `state`, of the flow called `name`, with these labels, and that
        `where` describes, a filter as for `lfr list --where`. Raises BadInput."""
        filter = make_filter(self._store, state=state, name=name, labels=labels, where=where)
        return list_workflows(self._store, filter, limit=limit)

    def find(self, beginning: str) -> str:
        """Return the id of the only workflow whose id begins with this text, which may omit `workflow:`.

        Raises BadInput if several do, and NotFound.
        """
        return find_workflow_id(self._store, beginning)

    def inspect_step(self, id: str, index: int) -> dict[str, Any]:
        """Return all data of one step, as `lfr inspect ID INDEX --json` prints it: with parameters, guard,
        input, output, the actions that are possible, and the facts about its attempts. Raises NotFound and
        BadInput."""
        return inspect_step(self._store, id, index)

    def logs(
        self, id: str, index: int | None = None, attempt: int | None = None, *, follow: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield the lines that the tasks of a workflow have written, as `lfr logs ID --json` prints them: of
        all, of the step `index`, or of one attempt of it; with `follow` until the workflow has ended. Raises
        NotFound and BadInput."""
        read = follow_task_log if follow else read_whole_task_log
        for lines in read(self._store, id, index=index, attempt=attempt):
            yield from lines

    def trace(self, id: str) -> dict[str, Any]:
        """Return the spans of a workflow, as `lfr trace ID` prints them: an export request of OTLP/HTTP.
        Raises NotFound and BadInput."""
        return describe_trace(self._store, id)

    def why(self, id: str, index: int | None = None) -> dict[str, Any]:
        """Return why a workflow stands, as `lfr why ID --json` prints it: cause, text and cure of the
        workflow as a whole, and of its steps that run or have failed; or of the step `index`. Raises NotFound
        and BadInput."""
        return explain_workflow(self._store, id, index)

    def terminate(self, id: str) -> str:
        """Stop a workflow: no further step starts, and results of running tasks are ignored. Return its
        state.

        Raises Conflict if it has finished or is terminated already, NotFound and BadInput.
        """
        return self._change(lambda store: terminate_workflow(store, id).value)

    def restart(self, id: str) -> str:
        """Continue a failed or terminated workflow: steps that have ended are not repeated. Return its state.

        Raises Conflict if it runs or has finished, NotFound and BadInput.
        """
        return self._change(lambda store: restart_workflow(store, id).value)

    def pause(self, id: str, *, deadlines: str = "run") -> str:
        """Pause a workflow: what runs may end, and nothing new starts. Return its state, RUNNING.

        With `deadlines="stop"`, deadlines stand still meanwhile. Raises Conflict if it does not run or is
        paused, NotFound and BadInput.
        """
        return self._change(lambda store: pause_workflow(store, id, deadlines=deadlines).value)

    def resume(self, id: str) -> str:
        """Let a paused workflow continue. Return its state. Raises Conflict if it is not paused, NotFound and
        BadInput."""
        return self._change(lambda store: resume_workflow(store, id).value)

    def pause_all(self, scope: str = "all", name: str = "", *, deadlines: str = "run") -> dict[str, Any]:
        """Pause everything, all workflows of a flow (scope `flow`), or all steps that invoke a task (`task`).
        Return scope, name, since, deadlines. Raises Conflict if it is paused, and BadInput."""
        return self._change(lambda store: pause(store, scope, name, deadlines=deadlines))

    def resume_all(self, scope: str = "all", name: str = "") -> dict[str, Any]:
        """End what `pause_all` with the same scope and name began. Raises Conflict if it is not paused, and
        BadInput."""
        return self._change(lambda store: resume(store, scope, name))

    def pauses(self) -> Descriptions:
        """Return what is paused: scope (`workflow`, `flow`, `task`, `all`), name, since, deadlines."""
        return list_pauses(self._store)

    def delete(self, id: str) -> None:
        """Delete a workflow that has ended, with its items. Raises Conflict if it runs, NotFound,
        BadInput."""
        self._change(lambda store: delete_workflow(store, id))

    def prune(
        self,
        older: float | str,
        *,
        states: Iterable[str] = ("FINISHED",),
        flow: str | None = None,
        archive: str | Path | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Delete the workflows in these states that ended at least `older` ago (seconds, or a text as `30d`),
        of the flow with this name, as `lfr prune --yes` does.

        With `archive`, write the archive of each into this folder, or `s3://BUCKET/FOLDER`, before. `dry_run`
        changes nothing. Return what matched, workflows, states (how many of each) and bytes (None: the server
        does not say it; bytes_estimated), how many are deleted, and problems, the reason by id why a workflow
        stays. Raises BadInput, and CannotWrite for an archive.
        """
        write = None if archive is None else self._archive_writer(archive)

        def operation(store: Store) -> dict[str, Any]:
            plan = plan_prune(store, older, states, flow)
            steps = [] if dry_run else [*prune(store, plan, write)]
            problems = {step.id: step.problem for step in steps if step.problem}
            return {**plan.to_dict(), "deleted": sum(s.is_deleted for s in steps), "problems": problems}

        return self._change(operation)

    def bulk(
        self,
        action: str,
        where: str,
        *,
        as_of: str | None = None,
        index: int | None = None,
        archive: str | Path | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Do an action to all workflows that the filter `where` selects, as `lfr terminate --where` does:
        terminate, restart, pause, resume, delete, archive (into the folder `archive`), or retry (the step
        `index`).

        Return as_of, states (how many matched, by state), how many are changed, and problems, the reason by
        id why a workflow stays. `dry_run` changes nothing. `as_of` of an earlier call goes on with that.
        Raises BadInput, and CannotWrite for an archive.
        """
        if (archive is None) == (action == BulkAction.ARCHIVE):
            raise BadInput("archive, and no other action, needs a folder: archive=FOLDER")
        write = None if archive is None else self._archive_writer(archive)

        def operation(store: Store) -> dict[str, Any]:
            plan = plan_bulk(store, action, where, as_of=as_of, index=index)
            states = {state.value: count for state, count in count_whole_bulk(store, plan).states.items()}
            steps = [] if dry_run else [*run_bulk(store, plan, write_archive=write)]
            return {
                "as_of": iso_time(plan.as_of_ms),
                "states": states,
                "changed": sum(step.is_changed for step in steps),
                "problems": {step.id: step.problem for step in steps if step.problem},
            }

        return self._change(operation)

    def retry(self, id: str, index: int) -> int | None:
        """Start another attempt of a step's task, and ignore the result of the current one. Return its
        number.

        If the step has failed or was stopped, the workflow continues as after `restart`. Raises Conflict if
        the step is in another state, NotFound and BadInput.
        """
        return self._change(lambda store: retry_task(store, id, index).attempt)

    def skip(self, id: str, index: int, output: Json = None) -> None:
        """Continue without a task that runs, has failed or was stopped. Its output is `output`, or its input
        if that is None. Raises as `retry`."""
        self._change(lambda store: skip_task(store, id, index, ABSENT if output is None else output))

    def fail(self, id: str, index: int, reason: str = "failed by hand") -> None:
        """Make a running task fail, without a retry, and so its workflow. Raises as `retry`."""
        self._change(lambda store: fail_task(store, id, index, reason))

    def end(
        self,
        id: str,
        index: int,
        output: Json = None,
        *,
        failure: str | None = None,
        attempt: int | None = None,
    ) -> str:
        """Complete a running task in place of its worker, with an output or with the reason of a failure.

        `attempt` protects against completing a later attempt. Return the id of the event, which a lifecycle
        processes soon. Raises Conflict if the task, or this attempt of it, does not run; NotFound, BadInput.
        """
        status = Status.SUCCESS if failure is None else Status.FAILURE
        options: dict[str, Any] = {"attempt": attempt, "status": status, "reason": failure}
        if output is not None:
            options["output"] = output
        return self._change(lambda store: complete_task(store, id, None, index, **options))

    def _archive_writer(self, folder: str | Path) -> WriteArchive:
        from lfr.outbound.archive_objects import archive_writer  # imports urllib3

        return archive_writer(self._store.settings, folder)

    def archive(self, id: str) -> dict[str, Any]:
        """Return all of a workflow as one document for `restore`. Raises NotFound, BadInput, and Conflict for
        an item."""
        return archive_workflow(self._store, id)

    def restore(self, document: Mapping[str, Any], workflow_id: str | None = None) -> str:
        """Create a workflow from an archive, also of another Redis, and return its id: `workflow_id`, or else
        the archived one if it is free, or else a new one. One that was running is terminated: `restart`
        continues it. Raises BadInput for the document, and Conflict if `workflow_id` is in use."""
        return self._change(lambda store: restore_workflow(store, dict(document), workflow_id))

    def flow_text(self, id: str) -> str:
        """Return the flow text of a workflow. Raises NotFound and BadInput."""
        return read_flow_text(self._store, id)

    def event(self, kind: str, data: Mapping[str, Json] | None = None) -> str:
        """Send an event with `data` as its fields and return its id on the stream. Raises BadInput."""
        return self._change(lambda store: send_event(store, kind, data))

    def events(
        self, *, kind: str | None = None, workflow: str | None = None, limit: int = 50
    ) -> Descriptions:
        """Return up to `limit` events of the stream, newest first: id, at, kind, workflow, fields (by name,
        the JSON text of the value) of each; only those of `kind` and about `workflow`, among the newest
        5000."""
        return list_events(self._store, size=limit, kind=kind, workflow=workflow)

    def buffered_events(self, *, kind: str | None = None, limit: int = 50) -> Descriptions:
        """Return up to `limit` events that are kept for a wait:event that begins later, newest first: id,
        kind, used (whether it has completed a wait), fields of each; only those of `kind`."""
        return list_buffered_events(self._store, size=limit, kind=kind)

    def dead_letters(
        self, *, pattern: str | None = None, dismissed: bool = False, limit: int = 50
    ) -> Descriptions:
        """Return up to `limit` events that could not be understood, newest first: id, entry_id, at, reason,
        pattern, fields, dismissed of each; only those with the reason `pattern`, or that were dismissed."""
        return list_dead_letters(self._store, size=limit, pattern=pattern, dismissed=dismissed)

    def handle_dead_letters(
        self,
        action: str,
        ids: Sequence[str] | None = None,
        *,
        pattern: str | None = None,
        dismissed: bool = False,
    ) -> dict[str, Any]:
        """Put the events of dead letters back (`retry`), or `dismiss` them: those with these ids or this
        reason, or all. Return changed (how many) and problems (by id). Raises BadInput; of one id, NotFound,
        and Conflict if its copy is not exact."""
        return self._change(
            lambda store: handle_dead_letters(store, action, ids, pattern=pattern, dismissed=dismissed)
        )

    def waits(
        self, kind: str | None = None, name: str | None = None, where: str | None = None, limit: int = 50
    ) -> Descriptions:
        """Return up to `limit` waits, as `GET /waits` describes them: of this kind, for the event or latch
        of this name, of the workflows that a filter selects, as for `lfr waiting`."""
        filter = make_filter(self._store, where=where)
        return collect_waits(self._store, kind=kind, name=name, filter=filter, limit=limit).waits

    def tasks(self) -> Descriptions:
        """Return the tasks by name, as `GET /tasks` describes them: who does each, how fast, what waits."""
        return list_tasks(self._store)

    def latches(self) -> Descriptions:
        """Return the latches: name, value, waiters (how many), waiting (workflow and index of the first
        100)."""
        return list_latches(self._store)

    def reset_latch(self, name: str) -> dict[str, Any]:
        """Set a latch to zero and complete the countdowns that wait for it. Return name, value and waiters
        before.

        Raises NotFound if it is at zero and nobody waits.
        """
        return self._change(lambda store: reset_latch(store, name))

    def counts(self) -> dict[str, int]:
        """Return how many workflows there are in each state."""
        return count_workflows(self._store)

    def status(self) -> dict[str, Any]:
        """Return the state of the installation, as `lfr status --json` prints it, without units and
        problems."""
        return load_status(self._store)

    def _change(self, operation: Callable[[Store], T]) -> T:
        """Return what an operation returns that changes something. Raises Unconfirmed."""
        store, confirmations = self._store.confirming()
        result = operation(store)
        if confirmations.problem:
            raise Unconfirmed(confirmations.problem, result)
        return result
