"""The Python client: the operations of the command line, for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lfr.base_uri import Base, absolute_base
from lfr.operations.events import send_event
from lfr.operations.follow import follow_workflow
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.list_workflows import list_workflows
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import open_store
from lfr.values.json import ABSENT, Json

_ADDRESS_PARTS: Final = frozenset({"host", "port", "username", "password"})


class TimedOut(TimeoutError):
    """A workflow did not end within the time-out of `Client.wait`. It continues to run."""


class Client:
    """A client of an installation of lfr. It connects at first use. Threads may share it.

    `url` is redis://, rediss:// or unix://. Instead, the parts `host`, `port`, `username`, `password` may
    name the server; without any of these the client finds it as the command line does, by configuration
    file and environment. `connection` may also hold any other setting, by its attribute in `Settings`.
    Raises BadSettings.
    """

    def __init__(self, url: str | None = None, **connection: Any) -> None:
        from lfr.config.load import load_settings  # reads YAML only if there is a file

        overrides = {
            f"redis_{name}" if name in _ADDRESS_PARTS else name: value for name, value in connection.items()
        }
        if url is not None:
            overrides["redis_url"] = url
        self._store = open_store(load_settings(overrides))

    def run(
        self, flow_text: str, input: Json = None, workflow_id: str | None = None, *, base: Base = None
    ) -> str:
        """Start a workflow and return its id; do not wait for its end.

        Without `workflow_id`, generate one; if it exists with the same flow and input, start nothing.
        `input` may be any JSON value; None: there is none, which counts as {}. `base`, a folder or a URL, is
        the base of relative resources. Raises FlowError, BadInput, Conflict if `workflow_id` exists with
        another flow or input, Unreachable, Refused.
        """
        start_input = ABSENT if input is None else input
        return start_workflow(self._store, flow_text, start_input, workflow_id, base=absolute_base(base)).id

    def inspect(self, id: str, *, history: bool = False) -> dict[str, Any]:
        """Return all data of a workflow, as `lfr inspect --json` prints it. Raises NotFound and BadInput."""
        return inspect_workflow(self._store, id, history=history)

    def wait(self, id: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a workflow has ended, however it ends, and return it as `inspect` does.

        Raises TimedOut after `timeout` seconds (None: waits without a limit), NotFound and BadInput.
        """
        for _ in self.follow(id, timeout):
            pass
        workflow = self.inspect(id)
        if workflow["state"] in ("RUNNING", "TERMINATING"):
            raise TimedOut(f"{id} is still {workflow['state']} after {timeout} seconds")
        return workflow

    def follow(self, id: str, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield an update on a workflow at once and at each change, until it ends or the time is over.

        An update has id, name, state, counts, and the `changes` since the last update. `timeout` is in
        seconds; None: no limit. Raises NotFound and BadInput at the first update, but not TimedOut.
        """
        return follow_workflow(self._store, id, timeout_seconds=timeout)

    def list(
        self, *, state: str | None = None, name: str | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """Return up to `limit` workflows, newest first: id, name, state, reason, started, ended, parent,
        counts of each; only those in `state` and of the flow called `name`. Raises BadInput for the state."""
        return list_workflows(self._store, state=state, name=name, limit=limit)

    def event(self, kind: str, data: Mapping[str, Json] | None = None) -> str:
        """Send an event with `data` as its fields and return its id on the stream. Raises BadInput."""
        return send_event(self._store, kind, data)
