"""The flows that a process has used recently, and which steps of a flow the result of a step is likely to
change."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from lfr.engine.advance import may_pass
from lfr.flow import Flow, Step, StepKind
from lfr.store import keys
from lfr.store.redis.connection import Connection

PREFETCH_LIMIT = 16
"""Of how many steps the successors are loaded ahead for a result. If these do not suffice, the limit becomes
twice the number of steps that are loaded."""

_MAX_LIKELY_STEPS = 4096
"""For how many steps a FlowCache knows their likely steps."""


class FlowCache:
    """The flows that a process has used recently, and which workflow runs which flow.

    Keeps at most so many flows, steps of all flows, and workflows: those used last. A flow never changes. The
    flow that a workflow runs changes only if the workflow is deleted and its id is used again, so a reference
    from `reference_of` is to be compared with the workflow's record.
    """

    def __init__(self, *, flows: int = 256, steps: int = 1_000_000, workflows: int = 50_000) -> None:
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._references: OrderedDict[str, str] = OrderedDict()
        self._likely_steps: dict[tuple[str, int], list[int]] = {}
        self._max_flows = flows
        self._max_steps = steps
        self._max_workflows = workflows
        self._steps = 0

    def reference_of(self, workflow: str) -> str | None:
        """Return the reference of the flow that a workflow ran when it was last loaded; None: not known."""
        return self._references.get(workflow)

    def flow_of(self, workflow: str) -> Flow | None:
        """Return the flow that a workflow ran when it was last loaded; None if it is not cached."""
        return self._flows.get(self._references.get(workflow, ""))

    def remember(self, workflow: str, reference: str) -> None:
        """Note that a workflow runs the flow with this reference."""
        self._references[workflow] = reference
        self._references.move_to_end(workflow)
        if len(self._references) > self._max_workflows:
            self._references.popitem(last=False)

    def fetch(self, connection: Connection, references: Iterable[str]) -> dict[str, Flow]:
        """Return the flows with these references, without those that are not stored. Reads those that are not
        cached in one round trip, and caches them. (GET)"""
        requested = set(references)
        flows = {reference: self._flows[reference] for reference in requested if reference in self._flows}
        missing = requested - flows.keys()
        if missing:
            wholes = self._fetch_wholes(connection, {reference.partition("/")[0] for reference in missing})
            for reference in missing:
                digest, *indices = reference.split("/")
                if digest in wholes:
                    flows[reference] = _part(wholes[digest], indices)
                    self._add(reference, flows[reference])
        for reference in flows.keys() & self._flows.keys():
            self._flows.move_to_end(reference)
        return flows

    def part(self, flow: Flow, index: int) -> Flow:
        """Return `flow.part(index)` from the cache.

        Making a part, and following its edges for the first time, takes time that grows with the whole flow.
        """
        reference = f"{flow.reference}/{index}"
        if reference not in self._flows:
            self._add(reference, flow.part(index))
        self._flows.move_to_end(reference)
        return self._flows[reference]

    def likely_steps(self, flow: Flow, indices: Sequence[int]) -> list[int]:
        """Return these steps in order, and those whose progress their results are likely to need. Cached for
        one step."""
        if len(indices) != 1:
            return sorted(likely_steps(flow, indices))
        key = flow.reference, indices[0]
        if key not in self._likely_steps:
            if len(self._likely_steps) >= _MAX_LIKELY_STEPS:
                self._likely_steps.clear()
            self._likely_steps[key] = sorted(likely_steps(flow, indices))
        return self._likely_steps[key]

    def _fetch_wholes(self, connection: Connection, digests: Iterable[str]) -> dict[str, Flow]:
        flows = {digest: self._flows[digest] for digest in digests if digest in self._flows}
        missing = [digest for digest in digests if digest not in flows]
        texts = connection.execute([("GET", keys.flow(digest)) for digest in missing])
        for digest, text in zip(missing, texts, strict=True):
            if text is not None:
                flows[digest] = Flow.from_dict(json.loads(text))
                self._add(digest, flows[digest])
        return flows

    def _add(self, reference: str, flow: Flow) -> None:
        if reference not in self._flows:
            self._steps += flow.size
        self._flows[reference] = flow
        while len(self._flows) > self._max_flows or (self._steps > self._max_steps and len(self._flows) > 1):
            self._steps -= self._flows.popitem(last=False)[1].size


class SharedFlows:
    """The flows that the threads of a process have used recently. Any thread may call it."""

    def __init__(self) -> None:
        self._flows = FlowCache()
        self._lock = threading.Lock()

    def fetch(self, connection: Connection, reference: str) -> Flow | None:
        """Return the flow with this reference; None if it is not stored. (GET)"""
        with self._lock:
            return self._flows.fetch(connection, [reference]).get(reference)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one thread at a time make what is as large as a flow."""
        with self._lock:
            yield


def _part(flow: Flow, indices: Iterable[str]) -> Flow:
    for index in indices:
        flow = flow.part(int(index))
    return flow


def likely_steps(flow: Flow, indices: Iterable[int], limit: int = PREFETCH_LIMIT) -> frozenset[int]:
    """Return these steps, and those whose progress their results are likely to need."""
    in_flow = (index for index in indices if index < len(flow.steps))
    return frozenset().union(*(_reachable_steps(flow, index, limit) for index in in_flow))


def _reachable_steps(flow: Flow, index: int, limit: int) -> set[int]:
    """Return a step, its successors, and the successors of up to `limit` of these that may end at once."""
    first = _exit(flow.steps[index])
    steps, queue = {index, first}, deque([first])
    while queue and limit > 0:
        limit -= 1
        for successor in flow.successors[queue.popleft()]:
            if successor not in steps:
                steps.add(successor)
                step = flow.steps[successor]
                if may_pass(step):
                    queue.append(_exit(step))
                if step.kind is StepKind.SUBFLOW and (step.guard is not None or step.iterate):
                    queue.append(step.end)
                    steps.add(step.end)
    return steps


def _exit(step: Step) -> int:
    """Return the step whose end activates the successors: for an iterated subflow, its end."""
    return step.end if step.kind is StepKind.SUBFLOW and step.iterate else step.index
