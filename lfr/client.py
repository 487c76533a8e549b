"""The Python client: what the command line does, for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lfr.base_uri import Base, absolute_base
from lfr.operations.events import send_event
from lfr.operations.follow import follow_workflow
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import open_store
from lfr.values.json import Json


class TimedOut(TimeoutError):
    """A workflow has not ended in time. It goes on."""


class Client:
    """A way to an installation of lfr. Threads may share one; it connects when it is first used.

    `url` as redis://, rediss:// or unix://, or the parts `host`, `port`, `username`, `password`; with
    none of these, Redis is found as the command line finds it: configuration file, environment.
    Any setting can be given by its attribute in `Settings`. Raises BadSettings.
    """

    def __init__(self, url: str | None = None, **connection: Any) -> None:
        from lfr.config.load import load_settings  # reads YAML only if there is a file

        short = {"host", "port", "username", "password"}
        given = {f"redis_{name}" if name in short else name: value for name, value in connection.items()}
        if url is not None:
            given["redis_url"] = url
        self._store = open_store(load_settings(given))

    def run(
        self, flow_text: str, input: Json = None, workflow_id: str | None = None, *, base: Base = None
    ) -> str:
        """Start a workflow; its id. Relative resources are resolved against `base`, a folder or a URL.

        Raises FlowError, BadInput, Conflict, Unreachable, Refused.
        """
        return start_workflow(self._store, flow_text, input, workflow_id, base=absolute_base(base)).id

    def inspect(self, id: str, *, history: bool = False) -> dict[str, Any]:
        """All that is known of a workflow, as `lfr inspect --json` tells it. Raises NotFound."""
        return inspect_workflow(self._store, id, history=history)

    def wait(self, id: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a workflow has ended, for up to `timeout` seconds; then as `inspect`.

        Raises TimedOut and NotFound.
        """
        state = ""
        for news in self.follow(id, timeout):
            state = news["state"]
        found = self.inspect(id)
        if found["state"] in ("RUNNING", "TERMINATING"):
            raise TimedOut(f"{id} is still {state} after {timeout} seconds")
        return found

    def follow(self, id: str, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Tell of a workflow at once, and at each change until it has ended or the time is over.

        Each time: id, name, state, counts, and the `changes` since the last. Raises NotFound.
        """
        return follow_workflow(self._store, id, timeout_seconds=timeout)

    def list(
        self, *, state: str | None = None, name: str | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """Workflows, newest first: id, name, state, reason, started, ended, parent, counts of each."""
        return list_workflows(self._store, state=state, name=name, limit=limit)

    def event(self, kind: str, data: Mapping[str, Json] | None = None) -> str:
        """Append an event; its id on the stream. Raises BadInput."""
        return send_event(self._store, kind, data)
