"""A consumer of the user's own, on rqse alone, in a group of its own, sees what all others see."""

from __future__ import annotations

import threading
from typing import Any

import redis
from rqse import EventListener

from lfr import Client
from lfr.host.valkey import ValkeyServer
from tests.support.processes import role
from tests.support.waiting import STALL_SECONDS, eventually


class Audit(EventListener):  # type: ignore[misc]  # rqse has no type hints
    """Collects every event."""

    def __init__(self, port: int) -> None:
        super().__init__("workflows:run", "audit", host="127.0.0.1", port=port)
        self.events: list[tuple[str, Any]] = []

    def process(self, event_id: str, event: Any) -> bool:
        """Collect an event and acknowledge it."""
        self.events.append((event["kind"], event.get("workflow")))
        return True


def test_an_own_group_sees_every_event(server: ValkeyServer, redis_url: str) -> None:
    lfr, audit = Client(redis_url), Audit(server.address.port)
    thread = threading.Thread(target=audit.listen, daemon=True)
    with (
        role("lifecycle", url=redis_url),
        role("receipts", url=redis_url),
        role("simulate", "--wait-period", "0.01", url=redis_url),
    ):
        thread.start()
        ids = [lfr.run("a -> b") for _ in range(10)]
        for id in ids:
            assert lfr.wait(id, STALL_SECONDS)["state"] == "FINISHED"
        kinds = ("start-workflow", "start-task", "start-task", "end-task", "end-task", "end-workflow")
        expected = sorted((kind, id) for id in ids for kind in kinds)
        eventually(lambda: len([each for each in audit.events if each[0] != "receipt"]) >= len(expected))
        client = redis.Redis.from_url(redis_url, protocol=2)
        eventually(lambda: client.xlen("workflows:run") == 0)
        audit.stop()
    assert sorted(each for each in audit.events if each[0] != "receipt") == expected
    client.close()
    thread.join(STALL_SECONDS)
