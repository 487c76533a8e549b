"""The record of a workflow: its fields in the hash `W`, from Redis and to Redis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from lfr.engine.transition import Fact, FactKind, Progress
from lfr.flow import Flow
from lfr.states import WorkflowState
from lfr.store.redis.connection import Reply
from lfr.store.workflows.flow_texts import record_fields
from lfr.values.json import decode_json, encode_json

Removed: TypeAlias = tuple[int, int]
"""How many elements of the list of a history, and how many entries of it in all, were removed."""


@dataclass(frozen=True, slots=True)
class FailedStep:
    """The step that failed a workflow. `name` is cut to MAX_STEP_NAME characters, and may be empty."""

    index: int
    name: str

    @classmethod
    def parse(cls, text: str) -> FailedStep:
        """Return what `format` has made a text of."""
        index, _, name = text.partition(" ")
        return cls(int(index), name)

    def format(self) -> str:
        """Return the text in the record: the index, a blank, the name."""
        return f"{self.index} {self.name[:MAX_STEP_NAME]}"


MAX_STEP_NAME: Final = 100
"""Characters of the name of a failed step that a record has."""


@dataclass(slots=True)
class Record:
    """The record of a workflow as a whole, as it is stored. Times are in milliseconds since the epoch.

    ended_ms   when it ended; 0: not yet. `active`, `done`, `skipped`, `failed`: see Progress
    reference  of the flow: its digest, and `/INDEX` for each part of a flow that it runs for an item
    total      how many steps its flow has; None if the record does not say it
    simulated  how many attempts of its steps, or items of them, no worker has done
    reason     why it failed; cut if the record was loaded for a list
    failed_step  the step that failed it; None: no step did, or an earlier version noted none
    run        identifies this run of the id, which may be used again after a deletion: what names another run
               is of the past. Items have that of their parent. Empty: an earlier version has started it
    has_large  whether it may have large values beside the streams
    version    the number of the version of the stored flow that was started by its name; None: it was a text
    labels     by name; an item has none
    removed    see Removed
    traceparent  with which it, or for a child the outermost workflow, was started; empty: without one
    """

    id: str
    reference: str
    state: WorkflowState
    started_ms: int
    active: int
    done: int
    skipped: int
    failed: int
    name: str = ""
    ended_ms: int = 0
    total: int | None = None
    simulated: int = 0
    reason: str = ""
    failed_step: FailedStep | None = None
    run: str = ""
    has_large: bool = False
    version: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    removed: Removed = (0, 0)
    traceparent: str = ""

    def progress(self) -> Progress:
        """Return state and counts as a Progress of which no step has been loaded."""
        return Progress(
            state=self.state, active=self.active, done=self.done, skipped=self.skipped, failed=self.failed
        )


ADVANCE_FIELDS = ("flow", "state", "started", "counts", "run", "large", "traceparent")

LIST_FIELDS = (
    *ADVANCE_FIELDS,
    "name",
    "ended",
    "steps",
    "simulated",
    "version",
    "labels",
    "failed_step",
    "removed",
    "brief",
)

RECORD_FIELDS = (*LIST_FIELDS, "reason")

_NO_DETAILS = [b""] * (len(RECORD_FIELDS) - len(ADVANCE_FIELDS))

STATES = {state.encode(): state for state in WorkflowState}


def parse_record(workflow: str, reply: Reply) -> Record | None:
    """Return the record of a workflow from the reply to an HMGET of one of the three groups of fields.

    Return None if there is no such workflow. After ADVANCE_FIELDS, the fields from `name` on are empty.
    """
    if not isinstance(reply, list) or reply[0] is None:
        return None  # an error: the key holds something else
    reference, state, started, counts, run, large, traceparent = reply[:7]
    active, done, skipped, failed = map(int, counts.split())
    record = Record(
        id=workflow,
        reference=reference.decode(),
        state=STATES[state],
        started_ms=int(started),
        active=active,
        done=done,
        skipped=skipped,
        failed=failed,
        run=run.decode() if run else "",
        has_large=large is not None,
        traceparent=traceparent.decode() if traceparent else "",
    )
    if len(reply) > len(ADVANCE_FIELDS):
        _add_details(record, [value or b"" for value in reply[len(ADVANCE_FIELDS) :]])
    return record


def _add_details(record: Record, details: list[bytes]) -> None:
    """Add to a record the values of the fields behind ADVANCE_FIELDS."""
    details += _NO_DETAILS[len(details) :]
    name, ended, total, simulated, version, labels, failed_step, removed, brief, reason = details
    record.name = name.decode()
    record.ended_ms = int(ended or 0)
    record.total = int(total) if total else None
    record.simulated = int(simulated or 0)
    record.reason = (reason or brief).decode()
    record.failed_step = FailedStep.parse(failed_step.decode()) if failed_step else None
    record.version = int(version) if version else None
    record.labels = decode_json(labels) if labels else {}
    record.removed = parse_removed(removed)


def parse_removed(reply: Reply) -> Removed:
    """Return how many entries of a history were removed, from the field `removed` of the record."""
    if not reply:
        return 0, 0
    of_list, of_all = reply.split()
    return int(of_list), int(of_all)


NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})

MAX_BRIEF: Final = 300
"""Characters of a reason that lists show."""

STATE_DETAILS: Final = ("ended", "failed_step", "brief", "reason")
"""Fields of a record that go with its state: when the workflow has ended, the step that failed it, the
beginning of the reason why it failed, and the whole reason if that is longer."""


def flow_fields(
    flow: Flow,
    name: str,
    text: str,
    run: str,
    version: int | None = None,
    labels: Mapping[str, str] = NO_LABELS,
) -> tuple[str | int, ...]:
    """Return the fields of a record that say which flow a workflow runs, in which run of its id, and with
    which labels; with their values in turn. Name, text and run may be empty; no version: the flow is not a
    stored one."""
    names = ("name", name) if name else ()
    runs = ("run", run) if run else ()
    versions = ("version", version) if version is not None else ()
    own_labels = ("labels", encode_json(dict(labels))) if labels else ()
    fields = "flow", flow.reference, *names, *versions, "steps", flow.step_count, *runs, *own_labels
    return *fields, *record_fields(text)


def state_fields(
    state: WorkflowState, ended_ms: int, reason: str, failed_step: FailedStep | None
) -> tuple[str | int, ...]:
    """Return `state` and those fields of STATE_DETAILS that are not empty, with their values in turn. The end
    is in milliseconds since the epoch; 0: the workflow has not ended."""
    ended = ("ended", ended_ms) if ended_ms else ()
    step = ("failed_step", failed_step.format()) if failed_step else ()
    brief = ("brief", reason[:MAX_BRIEF]) if reason else ()
    whole = ("reason", reason) if len(reason) > MAX_BRIEF else ()
    return "state", state, *ended, *step, *brief, *whole


def failed_step_of(facts: Iterable[Fact], flow: Flow) -> FailedStep | None:
    """Return the step that has failed by the facts of the transition that failed a workflow."""
    for fact in facts:
        if fact.index is not None and fact.item is None and fact.kind is FactKind.FAILED:
            step = flow.steps[fact.index]
            return FailedStep(fact.index, step.name or step.kind.value)
    return None


def format_counts(progress: Progress) -> str:
    return f"{progress.active} {progress.done} {progress.skipped} {progress.failed}"
