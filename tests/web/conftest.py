"""Fixtures that call the API as a WSGI application, without a network, on a real server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from lfr.config.settings import Settings
from lfr.roles.lifecycle import Lifecycle
from lfr.store.redis.connection import Store, open_store
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    stream: Any = field(default=None, repr=False)

    @property
    def json(self) -> Any:
        """The parsed JSON of the body."""
        return json.loads(self.body)


class Caller:
    """Sends requests to an application."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self.is_disconnected = False

    def __call__(
        self, method: str, path: str, body: Any = None, *, stream: bool = False, **headers: str
    ) -> Reply:
        """Send a request with JSON, text or bytes as its body; headers are arguments, as `content_type=`.

        With `stream` the reply holds the open stream instead of a body; the caller closes it."""
        path, _, query = path.partition("?")
        raw, media = _encoded(body)
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "5000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1:5000",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
            "CONTENT_LENGTH": str(len(raw)),
        }
        if media:
            environ["CONTENT_TYPE"] = media
        for name, value in headers.items():
            key = name.upper()
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        environ["waitress.client_disconnected"] = lambda: self.is_disconnected
        start_response_arguments: list[Any] = []
        answer = self._app(environ, lambda status, sent, *_: start_response_arguments.extend((status, sent)))
        reply = Reply(int(start_response_arguments[0].split()[0]), dict(start_response_arguments[1]))
        if stream:
            reply.stream = answer
        else:
            reply.body = b"".join(answer)
        return reply


def _encoded(body: Any) -> tuple[bytes, str]:
    if body is None:
        return b"", ""
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/plain"
    return json.dumps(body).encode(), "application/json"


def start(call: Caller, text: str = "@flow x\na -> b", **more: Any) -> str:
    """Start a workflow. Return its id."""
    reply = call("POST", "/workflows/start", {"workflow": text, **more})
    assert reply.status == 201
    id: str = reply.json["workflow"]
    assert reply.headers["Location"].endswith(f"/workflows/{id.replace(':', '%3A')}")
    return id


def step(store: Store) -> None:
    """Let a lifecycle process the entries on the stream."""
    lifecycle = Lifecycle(store)
    with store.connect() as connection:
        lifecycle.join(connection)
        lifecycle.run_pass(connection)


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    store = open_store(Settings(redis_url=redis_url))
    yield store
    store.pool.disconnect()


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    """A plain client, which uses no code of lfr."""
    return redis.Redis.from_url(redis_url, decode_responses=True, protocol=2)


@pytest.fixture
def call(store: Store) -> Caller:
    """The API without tokens."""
    return Caller(make_app(store, AccessPolicy(is_open=True), max_body=100_000))


@pytest.fixture
def guarded(store: Store) -> Caller:
    """The API, which asks for a token."""
    return Caller(
        make_app(store, AccessPolicy("may-operate", "may-read", frozenset({"lfr.example"})), max_body=1000)
    )
