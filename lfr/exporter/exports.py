"""Exports the spans of the workflows that are queued, several workflows at once, one export at a time."""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from lfr.errors import LfrError
from lfr.notices.notice import retry_seconds
from lfr.operations.traces.load import load_spans_of_child, load_spans_of_run, load_traced
from lfr.operations.traces.runs import make_runs
from lfr.operations.traces.span import Span, encode_requests
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.outbound.span_receiver import SpanReceiver, SpansRefused
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Store, read_time_ms
from lfr.store.totals import NewTotals
from lfr.store.traces import (
    MAX_QUEUED,
    TRACES_NAME,
    EndedWorkflow,
    ReceiverState,
    drop_excess,
    lease_commands,
    read_receiver,
    remove_commands,
    report_test_commands,
    take_due,
)
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.values.printable import printable
from lfr.values.times import format_duration
from lfr.worker.threads import ThreadPool

LOGGER = logging.getLogger(__name__)

_MAX_WORKFLOWS: Final = 50
_ENOUGH_SPANS: Final = 2000
"""How many workflows one export has; after how many spans it gets no more of them."""

_LOOK_SECONDS: Final = 1.0
"""How often to look for exports that are due."""

_STOP_SECONDS: Final = 20.0
"""How long a stop waits for an export that runs."""

_DEFECT: Final = "a defect in lfr; its log has more"


@dataclass(slots=True)
class _Export:
    """Workflows whose spans are exported together, and the spans.

    rejected  how many of them the receiver has not taken, although it has taken the request
    failure   why the receiver did not take the request
    """

    workflows: list[EndedWorkflow]
    spans: list[Span]
    rejected: int = 0
    failure: DeliveryFailed | SpansRefused | None = None
    message: str = ""

    @property
    def is_test(self) -> bool:
        return self.workflows[0].is_test


class Exports:
    """The exports of this process. One thread calls it; the posts run in another."""

    def __init__(self, store: Store, receiver: SpanReceiver, totals: NewTotals) -> None:
        self._receiver = receiver
        self._totals = totals
        self._flows = FlowCache()
        self._lease_ms = round(1000 * store.settings.lease_seconds)
        self._pool = ThreadPool(1)
        self._running: _Export | None = None
        self._outcomes: SimpleQueue[_Export] = SimpleQueue()
        self._look_at = 0.0
        self._renew_at = 0.0
        self._single = 0  # how many of the next workflows are exported by themselves

    def run(self, connection: Connection) -> float:
        """Note the outcome of the export that runs, keep its lease, or begin one. Return the seconds until it
        is to be called again."""
        if self._running is not None:
            self._take_outcome(connection, wait=False)
        now = time.monotonic()
        if self._running is None and now >= self._look_at and not self._begin(connection):
            self._look_at = now + _LOOK_SECONDS
        return 0.02 if self._running is not None else _LOOK_SECONDS

    def look_now(self) -> None:
        """Look for exports that are due at the next call, because some were queued."""
        self._look_at = 0.0

    def finish(self, connection: Connection) -> None:
        """Wait for the export that runs, up to 20 s, and note its outcome."""
        deadline = time.monotonic() + _STOP_SECONDS
        while self._running is not None and time.monotonic() < deadline:
            self._take_outcome(connection, wait=True)
        self._pool.close()

    def _begin(self, connection: Connection) -> bool:
        """Begin an export of what is due; return whether something was."""
        count = 1 if self._single else _MAX_WORKFLOWS
        state = read_receiver(connection)
        if state.queued > MAX_QUEUED:  # children that lifecycles have queued
            self._count("dropped", drop_excess(connection))
        due = take_due(connection, state, count=count, lease_ms=self._lease_ms)
        if not due:
            return False
        self._single = max(0, self._single - 1)
        export = self._load(connection, due)
        if export is None:
            return True
        self._running = export
        self._renew_at = time.monotonic() + self._lease_ms / 4000
        self._pool.submit(partial(self._post, export))
        return True

    def _load(self, connection: Connection, due: Sequence[EndedWorkflow]) -> _Export | None:
        """Load the spans of the first of these; what is not exported now is given back. None: there are
        none."""
        if due[0].is_test:
            _give_back(connection, due[1:])
            return _Export([due[0]], [_specimen()])
        spans: list[Span] = []
        without_spans: list[EndedWorkflow] = []
        workflows: list[EndedWorkflow] = []
        ids = [each.id for each in due if not each.is_child]
        records = dict(zip(ids, load_records(connection, ids), strict=True))
        for position, ended in enumerate(due):
            if len(spans) >= _ENOUGH_SPANS:
                _give_back(connection, due[position:])
                break
            try:
                own_spans = self._load_spans(connection, ended, records.get(ended.id))
            except LfrError:
                raise
            except Exception:  # it would be met again each time, and hold up all others
                LOGGER.exception("the spans of %s, which are dropped: %s", ended.id, _DEFECT)
                self._count("dropped", 1)
                own_spans = []
            spans += own_spans
            (workflows if own_spans else without_spans).append(ended)
        connection.execute(remove_commands(without_spans))
        return _Export(workflows, spans) if workflows else None

    def _load_spans(self, connection: Connection, ended: EndedWorkflow, record: Record | None) -> list[Span]:
        """Return the spans of the run of a workflow that ended then, or else of the last one that has ended;
        none if it is gone, or if who has started it wants no spans."""
        if ended.is_child:
            spans = load_spans_of_child(connection, self._flows, ended)
            self._count("dropped", 1 if spans is None else 0)
            return spans or []
        if record is None:
            LOGGER.warning("%s was deleted before its spans were exported", ended.id)
            self._count("dropped", 1)
            return []
        workflow = load_traced(connection, self._flows, record, ended.at_ms)
        if not workflow.trace.is_sampled:
            return []
        runs = [run for run in make_runs(workflow) if run.state.has_ended]
        of_that_time = [run for run in runs if run.end_ms == ended.at_ms] or runs[-1:]
        return [
            span
            for run in of_that_time[-1:]
            for span in load_spans_of_run(connection, self._flows, workflow, run)
        ]

    def _post(self, export: _Export) -> None:
        try:
            for request, _ in encode_requests(export.spans):
                rejected, message = self._receiver.post(request)
                export.rejected += rejected
                export.message = export.message or message
        except (DeliveryFailed, SpansRefused) as error:
            export.failure = error
        except Exception:
            LOGGER.exception("the export of spans: %s", _DEFECT)
            export.failure = SpansRefused(_DEFECT)
        self._outcomes.put(export)

    def _take_outcome(self, connection: Connection, *, wait: bool) -> None:
        try:
            export = self._outcomes.get(timeout=0.1) if wait else self._outcomes.get_nowait()
        except Empty:
            self._renew(connection)
            return
        try:
            state, now_ms = read_receiver(connection), read_time_ms(connection)
            commands, numbers = self._outcome_commands(export, state, now_ms)
            connection.transact(commands)
        except Exception:
            self._outcomes.put(export)  # Redis is away: it is noted later, or exported again
            raise
        for what, number in numbers.items():
            self._count(what, number)
        self._running = None

    def _renew(self, connection: Connection) -> None:
        now = time.monotonic()
        if self._running is not None and now >= self._renew_at:
            self._renew_at = now + self._lease_ms / 4000
            until_ms = read_time_ms(connection) + self._lease_ms
            connection.execute(lease_commands(self._running.workflows, until_ms))

    def _outcome_commands(
        self, export: _Export, state: ReceiverState, now_ms: int
    ) -> tuple[list[Command], Counter[str]]:
        failure, count = export.failure, len(export.workflows)
        reason = printable(str(failure)) if failure else ""
        if export.is_test:
            problem = reason or (printable(export.message or "rejected") if export.rejected else "")
            return report_test_commands(export.workflows[0], problem, export.spans[0].trace_id), Counter()
        if failure is None:
            if export.rejected or export.message:
                words = "the receiver of spans has rejected %d of %d: %s"
                LOGGER.warning(words, export.rejected, len(export.spans), printable(export.message))
            after = ReceiverState(sent_ms=now_ms)
            numbers = Counter(sent=count, spans=len(export.spans), rejected=export.rejected)
            return [*remove_commands(export.workflows), after.command()], numbers
        if isinstance(failure, SpansRefused):
            if count > 1:  # one of them may be the cause
                self._single = count
                return lease_commands(export.workflows, now_ms), Counter()
            LOGGER.error(
                "the receiver refuses the spans of %s, which are dropped: %s", export.workflows[0].id, reason
            )
            return remove_commands(export.workflows), Counter(refused=1)
        delay = max(failure.wait_seconds, retry_seconds(state.failures + 1))
        words = "the spans of %d workflows are not taken: %s; trying again in %s"
        LOGGER.warning(words, count, reason, format_duration(delay))
        after = state.after_failure(reason, round(1000 * delay), now_ms)
        return [*lease_commands(export.workflows, now_ms), after.command()], Counter(failed=1)

    def _count(self, what: str, number: int) -> None:
        if number:
            self._totals.add(keys.TRACE_TOTALS, {(what, TRACES_NAME): number})


def _give_back(connection: Connection, due: Sequence[EndedWorkflow]) -> None:
    """Let exports that were taken be due again, tests before all others."""
    now_ms = read_time_ms(connection)
    commands = lease_commands([each for each in due if each.is_test], 0)
    connection.execute(commands + lease_commands([each for each in due if not each.is_test], now_ms))


def _specimen() -> Span:
    """Return the span that a test exports."""
    now_ms = round(time.time() * 1000)
    return Span(
        *(secrets.token_hex(16), secrets.token_hex(8), "", "lfr traces test"),
        *(now_ms, now_ms, {"lfr.test": True}),
    )
