"""A request and an answer, as handlers know them; and a route, from which dispatch and OpenAPI are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any, TypeAlias

from lfr.flow import Json
from lfr.json_text import write_json
from lfr.store.connection import Store


class Access(StrEnum):
    """What a caller must be allowed to do. Whoever may operate may read."""

    NONE = "none"
    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is given.

    path   the named parts of the path
    query  the query's parameters, each with its last value
    body   the body: JSON as a value, text as text, else bytes; None if there is none
    root   what stands before the API's own paths, without a slash at its end
    streams  places for answers that stay open: each takes a thread and a connection to Redis
    """

    store: Store
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json = None
    root: str = ""
    streams: BoundedSemaphore = field(default_factory=BoundedSemaphore)


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


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked for.

    path      with parts in braces: `/workflows/{id}`
    summary   a line of help
    body      media type -> JSON schema of what may be sent; empty: nothing
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
    answers: Mapping[int, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()


def json_answer(value: Json, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of JSON."""
    return Answer(write_json(value).encode(), status, headers=headers or {})


def text_answer(text: str, content_type: str = "text/plain; charset=utf-8") -> Answer:
    """An answer of text."""
    return Answer(text.encode(), content_type=content_type)


def no_content() -> Answer:
    """Done, and there is nothing to say. (RFC 9110, section 15.3.5)"""
    return Answer(status=HTTPStatus.NO_CONTENT, content_type="")
