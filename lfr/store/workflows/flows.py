"""Compiled flows by digest: each stands in Redis once, however many workflows run it.

A workflow's record has the flow's reference: the digest, or, for an item, the part of the flow that it
runs, which is made here and stands nowhere in Redis.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable

from lfr.flow import Flow
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection


class FlowCache:
    """The flows that a process has used of late, and which workflow runs which.

    Flows never change, so a copy is as good as the original. What a workflow runs can change only if
    it is deleted and its id taken again: whoever uses `digest_of` checks it against the record.
    """

    def __init__(self, *, flows: int = 256, steps: int = 1_000_000, workflows: int = 50_000) -> None:
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._digests: OrderedDict[str, str] = OrderedDict()
        self._most_flows = flows
        self._most_steps = steps
        self._steps = 0
        self._most_workflows = workflows

    def digest_of(self, workflow: str) -> str | None:
        """The reference of the flow that a workflow was last seen to run."""
        return self._digests.get(workflow)

    def flow_of(self, workflow: str) -> Flow | None:
        """The flow that a workflow was last seen to run."""
        return self._flows.get(self._digests.get(workflow, ""))

    def remember(self, workflow: str, digest: str) -> None:
        """This workflow runs the flow of this reference."""
        self._digests[workflow] = digest
        self._digests.move_to_end(workflow)
        if len(self._digests) > self._most_workflows:
            self._digests.popitem(last=False)

    def fetch(self, connection: Connection, references: Iterable[str]) -> dict[str, Flow]:
        """The flows of these references, those not in the cache from Redis in one round trip. (GET)"""
        wanted = set(references)
        found = {reference: self._flows[reference] for reference in wanted if reference in self._flows}
        missing = wanted - found.keys()
        if missing:
            wholes = self._fetch_wholes(connection, {reference.partition("/")[0] for reference in missing})
            for reference in missing:
                digest, *indices = reference.split("/")
                if digest in wholes:
                    found[reference] = _part(wholes[digest], indices)
                    self._keep(reference, found[reference])
        for reference in found.keys() & self._flows.keys():
            self._flows.move_to_end(reference)
        return found

    def part(self, flow: Flow, index: int) -> Flow:
        """`flow.part(index)`, made once: to make it, and to follow its edges the first time, takes a time
        that grows with the whole flow."""
        reference = f"{flow.reference}/{index}"
        if reference not in self._flows:
            self._keep(reference, flow.part(index))
        self._flows.move_to_end(reference)
        return self._flows[reference]

    def _fetch_wholes(self, connection: Connection, digests: Iterable[str]) -> dict[str, Flow]:
        found = {digest: self._flows[digest] for digest in digests if digest in self._flows}
        missing = [digest for digest in digests if digest not in found]
        texts = connection.execute([("GET", keys.flow(digest)) for digest in missing]) if missing else []
        for digest, text in zip(missing, texts, strict=True):
            if text is not None:
                found[digest] = Flow.from_dict(json.loads(text))
                self._keep(digest, found[digest])
        return found

    def _keep(self, reference: str, flow: Flow) -> None:
        if reference not in self._flows:
            self._steps += flow.size
        self._flows[reference] = flow
        while len(self._flows) > self._most_flows or (
            self._steps > self._most_steps and len(self._flows) > 1
        ):
            self._steps -= self._flows.popitem(last=False)[1].size


def _part(flow: Flow, indices: Iterable[str]) -> Flow:
    for index in indices:
        flow = flow.part(int(index))
    return flow


def use_flow_commands(flow: Flow, *, is_stored: bool) -> list[Command]:
    """The commands that keep a flow for one more workflow."""
    use: Command = ("HINCRBY", keys.FLOW_REFERENCES, flow.digest, 1)
    return [use] if is_stored else [("SET", keys.flow(flow.digest), flow.canonical_json), use]
