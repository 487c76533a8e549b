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
from lfr.host.valkey import ValkeyServer
from lfr.host.valkey_address import free_port
from lfr.operations.complete_task import complete_task
from lfr.operations.status import load_status
from lfr.store.redis.connection import Store, open_store
from tests.support.processes import role
from tests.support.servers import running
from tests.support.waiting import STALL_SECONDS, eventually


@dataclass(frozen=True, slots=True)
class Installation:
    """`url`: of the console, without a slash at its end. `token`: sent by `ask`."""

    url: str
    server: ValkeyServer
    store: Store
    lfr: Client
    token: str = ""

    @property
    def redis(self) -> str:
        """The URL of the server."""
        return self.server.address.url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the API. Return its response as JSON."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        with urlopen(
            Request(f"{self.url}/api{path}", data, headers, method=method), timeout=STALL_SECONDS
        ) as response:
            text = response.read()
        return json.loads(text) if text else None

    def page(self, id: str, **params: object) -> str:
        """Return the address of a workflow's page."""
        query = "&".join(f"{name}={quote(str(value))}" for name, value in params.items())
        return f"{self.url}/workflows/{id}{'?' if query else ''}{query}"

    def end(self, id: str, index: int, output: Any = None, *, reason: str | None = None) -> None:
        """Complete the task of a step as its worker would, once it runs."""
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
        """Return the state of a workflow."""
        return str(self.lfr.inspect(id)["state"])

    def until(self, id: str, state: str) -> None:
        """Wait until a workflow is in this state."""
        eventually(lambda: self.state(id) == state)


@contextmanager
def console(
    server: ValkeyServer, *, token: str = "", more: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """A console at a free port."""
    url = f"http://127.0.0.1:{free_port()}"
    store = open_store(Settings(redis_url=server.address.url))
    with role("console", url.removeprefix("http://"), url=server.address.url, more=more):
        eventually(lambda: is_serving(url))
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
        installation = stack.enter_context(console(server, token=token, more=more))
        eventually(lambda: _count_live_roles(installation) >= len(roles))
        yield installation


def is_serving(url: str) -> bool:
    """Return whether a console responds at the URL."""
    try:
        with urlopen(f"{url}/api/health/live", timeout=STALL_SECONDS) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _count_live_roles(installation: Installation) -> int:
    """Count the live roles except the console."""
    return sum(role["role"] != "console" for role in load_status(installation.store)["roles"])
