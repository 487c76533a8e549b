"""Requests and responses, independent of bottle and waitress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from lfr.errors import BadInput
from lfr.operations.access import Access
from lfr.store.redis.connection import Store
from lfr.store.workflows.flow_cache import SharedFlows
from lfr.values.checks import mismatch
from lfr.values.json import Json, encode_json
from lfr.web.memory import ResponseMemory
from lfr.web.server import StreamSlots
from lfr.web.turns import Turns


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: the name of the token, and what it permits."""

    name: str
    access: Access


WITHOUT_TOKEN: Final = Caller("loopback", Access.ADMIN)
"""Who sends a request that needs no token."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as handlers get it.

    path             the variable parts of the path, by name
    query            the query parameters, each with its last value; those of the route match their schema
    body             the body: JSON as a value, text as text, a form as its fields; None if there is none
    media            the media type of the body, without parameters and in lower case; empty without a body
    root             the path at which the API is mounted, without a slash at its end
    streams          the slots for responses that stay open
    turns            the turns for what takes long
    flows            the flows of workflows that streams follow
    memory           the memory for values of responses that are being made
    last_event_id    the header Last-Event-ID of a client that resumes an event stream, or empty
    traceparent      the header of that name if it is valid, or empty (W3C Trace Context)
    idempotency_key  the header Idempotency-Key of a client that may send a request twice, or empty
    is_disconnected  returns whether the client has closed its connection
    is_permitted     returns whether its token is still right
    caller           who sends it
    """

    store: Store
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json = None
    media: str = ""
    root: str = ""
    streams: StreamSlots = field(default_factory=StreamSlots)
    turns: Turns = field(default_factory=Turns)
    flows: SharedFlows = field(default_factory=SharedFlows)
    memory: ResponseMemory = field(default_factory=ResponseMemory)
    last_event_id: str = ""
    idempotency_key: str = ""
    traceparent: str = ""
    is_disconnected: Callable[[], bool] = lambda: False
    is_permitted: Callable[[], bool] = lambda: True
    caller: Caller = WITHOUT_TOKEN

    def number(self, name: str, default: int) -> int:
        """Return a parameter of the query as an integer, or `default`. Its route has checked it."""
        return int(self.query.get(name) or default)

    def flag(self, name: str, default: bool) -> bool:
        """Return a parameter of the query as a boolean, or `default`. Its route has checked it."""
        return self.query.get(name, str(default)).lower() == "true"

    def fields(self) -> dict[str, Any]:
        """Return the body as an object, `{}` without a body. Raises BadInput if it is another value."""
        if not self.media:
            return {}
        if not isinstance(self.body, dict):
            raise BadInput("the body must be a JSON object")
        return self.body

    def text(self, name: str, default: str | None = None) -> str:
        """Return a field of the body that is a text; without it, `default`. Raises BadInput if it is another
        value, or missing without a default."""
        fields = self.fields()
        value = fields.get(name, default)
        if not isinstance(value, str):
            missing = f"{name} is missing: a text"
            raise BadInput(mismatch(name, value, "a text") if name in fields else missing)
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a field of the body that is a text; None if it is null or missing. Raises BadInput."""
        return None if self.fields().get(name) is None else self.text(name)

    def is_true(self, name: str) -> bool:
        """Return a field of the body that is true or false; false if it is missing. Raises BadInput."""
        value = self.fields().get(name, False)
        if not isinstance(value, bool):
            raise BadInput(mismatch(name, value, "true or false"))
        return value


@dataclass(frozen=True, slots=True)
class Response:
    """A response that a handler returns. An iterator as `content` is sent piece by piece, while it runs."""

    content: bytes | Iterator[bytes] = b""
    status: int = HTTPStatus.OK
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(
    value: Json, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with a JSON body."""
    return Response(encode_json(value).encode(), status, headers=headers or {})


def text_response(text: str, content_type: str = "text/plain; charset=utf-8") -> Response:
    """Return a response with a text body."""
    return Response(text.encode(), content_type=content_type)


def workflow_response(request: Request, id: str, status: int = HTTPStatus.CREATED) -> Response:
    """Return a response with the id of a workflow that was started or restored, and with its location."""
    location = f"{request.root}/workflows/{quote(id)}"
    return json_response({"workflow": id}, status, {"Location": location})


def no_content() -> Response:
    """Return a response without a body. (RFC 9110, section 15.3.5)"""
    return Response(status=HTTPStatus.NO_CONTENT, content_type="")


def with_confirmations(response: Response, problem: str) -> Response:
    """Return the response to a request that has changed something, with the header Lfr-Replicas: `confirmed`,
    or `unconfirmed` and the problem as a sentence. Then success has the status 202 (Accepted)."""
    if not problem:
        return replace(response, headers={**response.headers, "Lfr-Replicas": "confirmed"})
    status = HTTPStatus.ACCEPTED if response.status < HTTPStatus.MULTIPLE_CHOICES else response.status
    text = problem.encode("ascii", "backslashreplace").decode()
    headers = {**response.headers, "Lfr-Replicas": f"unconfirmed; {text}"}
    return replace(response, status=status, headers=headers)
