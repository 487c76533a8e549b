"""An installation that a browser can look at: a server, roles and a console, each a real process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from lfr import Client
from lfr.config.settings import Settings
from lfr.errors import NotFound
from lfr.host.valkey import ValkeyServer, free_port
from lfr.operations.complete_task import complete_task
from lfr.operations.status import load_status
from lfr.store.redis.connection import Store, open_store
from tests.support.processes import role
from tests.support.servers import running
from tests.support.waiting import STALL_SECONDS, eventually


@dataclass(frozen=True, slots=True)
class Installation:
    """`url`: the console's, without a slash at its end. `token`: what the API is sent by `ask`."""

    url: str
    server: ValkeyServer
    store: Store
    lfr: Client
    token: str = ""

    @property
    def redis(self) -> str:
        """The address of the server."""
        return self.server.address.url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What the API responses, read as JSON."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        with urlopen(
            Request(f"{self.url}/api{path}", data, headers, method=method), timeout=STALL_SECONDS
        ) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def page(self, id: str, **params: object) -> str:
        """The address of a workflow's page."""
        query = "&".join(f"{name}={quote(str(value))}" for name, value in params.items())
        return f"{self.url}/workflows/{id}{'?' if query else ''}{query}"

    def end(self, id: str, index: int, output: Any = None, *, reason: str | None = None) -> None:
        """Response the task of a step as its worker would, once it runs."""
        step = eventually(lambda: self._running(id, index))
        status = "SUCCESS" if reason is None else "FAILURE"
        complete_task(self.store, id, step["name"], index, status=status, reason=reason, output=output)

    def _running(self, id: str, index: int) -> Any:
        try:
            steps = self.lfr.inspect(id)["steps"]
        except NotFound:  # an item that has not begun
            return None
        return next((step for step in steps if step["index"] == index and step["state"] == "RUNNING"), None)

    def state(self, id: str) -> str:
        """The state that a workflow is in."""
        return str(self.lfr.inspect(id)["state"])

    def until(self, id: str, state: str) -> None:
        """Wait until a workflow is in this state."""
        eventually(lambda: self.state(id) == state)


@contextmanager
def console(
    server: ValkeyServer, *, token: str = "", more: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """A console on a port of the kernel's choice."""
    url = f"http://127.0.0.1:{free_port()}"
    store = open_store(Settings(redis_url=server.address.url))
    with role("console", url.removeprefix("http://"), url=server.address.url, more=more):
        eventually(lambda: responses(url))
        yield Installation(url, server, store, Client(server.address.url), token)
    store.pool.disconnect()


@contextmanager
def installed(
    data: Path,
    roles: Sequence[Sequence[str]] = (("worker",),),
    *,
    token: str = "",
    more: Mapping[str, str] | None = None,
) -> Iterator[Installation]:
    """A server of its own, with a console and these roles."""
    with ExitStack() as stack:
        server = stack.enter_context(running("valkey", data))
        for words in roles:
            stack.enter_context(role(*words, url=server.address.url))
        there = stack.enter_context(console(server, token=token, more=more))
        eventually(lambda: _signs(there) >= len(roles))
        yield there


def responses(url: str) -> bool:
    """Whether a console is there."""
    try:
        with urlopen(f"{url}/api/health/live", timeout=STALL_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _signs(there: Installation) -> int:
    """How many roles, besides the console, give signs of life."""
    return sum(role["role"] != "console" for role in load_status(there.store)["roles"])
