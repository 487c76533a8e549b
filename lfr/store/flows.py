"""Compiled flows by digest: each stands in Redis once, however many workflows run it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable

from lfr.flow import Flow
from lfr.store import keys
from lfr.store.connection import Command, Link


class FlowCache:
    """The flows that a process has used of late, and which workflow runs which.

    Flows never change, so a copy is as good as the original. What a workflow runs can change only if
    it is deleted and its id taken again: whoever uses `digest_of` checks it against the record.
    """

    def __init__(self, *, flows: int = 256, workflows: int = 50_000) -> None:
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._digests: OrderedDict[str, str] = OrderedDict()
        self._most_flows = flows
        self._most_workflows = workflows

    def digest_of(self, workflow: str) -> str | None:
        """The digest of the flow that a workflow was last seen to run."""
        return self._digests.get(workflow)

    def flow_of(self, workflow: str) -> Flow | None:
        """The flow that a workflow was last seen to run."""
        return self._flows.get(self._digests.get(workflow, ""))

    def remember(self, workflow: str, digest: str) -> None:
        """This workflow runs the flow of this digest."""
        self._digests[workflow] = digest
        self._digests.move_to_end(workflow)
        if len(self._digests) > self._most_workflows:
            self._digests.popitem(last=False)

    def fetch(self, link: Link, digests: Iterable[str]) -> dict[str, Flow]:
        """The flows of these digests, those not in the cache from Redis in one round trip. (GET)"""
        wanted = set(digests)
        missing = [digest for digest in wanted if digest not in self._flows]
        if missing:
            texts = link.exchange([("GET", keys.flow(digest)) for digest in missing])
            for digest, text in zip(missing, texts, strict=True):
                if text is not None:
                    self._keep(digest, Flow.from_dict(json.loads(text)))
        for digest in wanted & self._flows.keys():
            self._flows.move_to_end(digest)
        return {digest: self._flows[digest] for digest in wanted & self._flows.keys()}

    def _keep(self, digest: str, flow: Flow) -> None:
        if len(self._flows) >= self._most_flows:
            self._flows.popitem(last=False)
        self._flows[digest] = flow


def use_flow(flow: Flow, *, is_stored: bool) -> list[Command]:
    """The commands that keep a flow for one more workflow."""
    use: Command = ("HINCRBY", keys.FLOW_REFERENCES, flow.digest, 1)
    return [use] if is_stored else [("SET", keys.flow(flow.digest), flow.canonical_json), use]
