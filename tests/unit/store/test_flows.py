"""The flows that a process keeps at hand: so many, and of so many steps in all."""

from __future__ import annotations

from typing import Any

from lfr.store.redis.connection import Command
from lfr.store.workflows.load import FlowCache
from tests.support.flows import chain


class Server:
    """Has every flow of these lengths, by its digest; counts how often one is asked for."""

    def __init__(self, *lengths: int) -> None:
        flows = [chain(*(f"t{n}" for n in range(length))) for length in lengths]
        self.digests = [flow.digest for flow in flows]
        self._texts = {f"flow:{flow.digest}": flow.canonical_json.encode() for flow in flows}
        self.asked: list[int] = []

    def execute(self, commands: list[Command]) -> list[bytes]:
        self.asked += [self.digests.index(str(key).removeprefix("flow:")) for _, key in commands]
        return [self._texts[str(key)] for _, key in commands]


def asked(cache: FlowCache, server: Any, *numbers: int) -> list[int]:
    server.asked.clear()
    for number in numbers:
        assert cache.fetch(server, [server.digests[number]])
    return list(server.asked)


def test_so_many_flows_are_kept() -> None:
    server, cache = Server(1, 2, 3), FlowCache(flows=2)
    assert asked(cache, server, 0, 1, 0, 1) == [0, 1]
    assert asked(cache, server, 2, 1, 2, 0) == [2, 0]


def test_so_many_steps_are_kept_and_one_flow_in_any_case() -> None:
    server, cache = Server(50, 60, 200), FlowCache(steps=150)
    assert asked(cache, server, 0, 1, 0, 1) == [0, 1]
    assert asked(cache, server, 2, 2, 0, 0) == [2, 0]
    assert asked(cache, server, 1, 0, 1) == [1]
