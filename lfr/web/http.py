"""A request and an answer, as handlers know them; and a route, from which dispatch and OpenAPI are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from threading import BoundedSemaphore, Event
from typing import Any, Final, TypeAlias

from lfr.errors import BadInput
from lfr.store.redis.connection import Store
from lfr.values.checks import Check, digits, mismatch, one_of
from lfr.values.json import Json, encode_json


class Access(StrEnum):
    """What a caller must be allowed to do. Whoever may operate may read."""

    NONE = "none"
    READ = "read"
    OPERATE = "operate"


MOST_STREAMS: Final = 48


class Streams:
    """Places for answers that stay open: each takes a thread and a connection to Redis. Once the server is
    told to stop, they end."""

    def __init__(self) -> None:
        self.places = BoundedSemaphore(MOST_STREAMS)
        self.over = Event()

    def close(self) -> None:
        """Let all streams end soon, and no other begin."""
        self.over.set()


def _stays() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is given.

    path   the named parts of the path
    query  the query's parameters, each with its last value; those that the route knows fit its schema
    body   the body: JSON as a value, text as text, a form as its fields; None if there is none
    media  its media type
    root   what stands before the API's own paths, without a slash at its end
    after    the header Last-Event-ID: what a reader of a stream has seen last, or empty
    is_gone  whether nobody waits for the answer any more
    """

    store: Store
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json = None
    media: str = ""
    root: str = ""
    streams: Streams = field(default_factory=Streams)
    after: str = ""
    is_gone: Callable[[], bool] = _stays

    def number(self, name: str, default: int) -> int:
        """A number of the query."""
        return int(self.query.get(name) or default)

    def flag(self, name: str, default: bool) -> bool:
        """Yes or no, in the query."""
        return self.query.get(name, str(default)).lower() == "true"

    def fields(self) -> dict[str, Any]:
        """The body, which must be an object. Raises BadInput."""
        if not isinstance(self.body, dict):
            raise BadInput("the body must be a JSON object")
        return self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives: `content` is sent as it is, or bit by bit if it is an iterator."""

    content: bytes | Iterator[bytes] = b""
    status: int = HTTPStatus.OK
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query: its name, its JSON schema, a line of help."""

    name: str
    schema: Mapping[str, Any]
    help: str

    def check(self, text: str) -> None:
        """Raise BadInput if this is no value of it."""
        check = self._check
        if check is not None and check.read(text) is None:
            raise BadInput(mismatch(self.name, text, check.words))

    @property
    def _check(self) -> Check | None:
        if self.schema["type"] == "integer":
            return digits(self.schema["minimum"], self.schema["maximum"])
        texts = self.schema.get("enum", ("true", "false") if self.schema["type"] == "boolean" else None)
        return None if texts is None else one_of(*texts)


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked for.

    path      with parts in braces: `/workflows/{id}`
    summary   a line of help
    body      media type -> JSON schema of what may be sent; empty: nothing
    needs_body  whether it must be sent
    answers   status -> media type -> JSON schema of what comes back; no media type: no content
    problems  the statuses of errors, besides those that every route has
    """

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    query: tuple[Parameter, ...] = ()
    body: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needs_body: bool = True
    answers: Mapping[int, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()


def json_answer(value: Json, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of JSON."""
    return Answer(encode_json(value).encode(), status, headers=headers or {})


def text_answer(text: str, content_type: str = "text/plain; charset=utf-8") -> Answer:
    """An answer of text."""
    return Answer(text.encode(), content_type=content_type)


def no_content() -> Answer:
    """Done, and there is nothing to say. (RFC 9110, section 15.3.5)"""
    return Answer(status=HTTPStatus.NO_CONTENT, content_type="")
