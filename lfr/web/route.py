"""Routes as data: dispatch, access checks and the OpenAPI document are made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from lfr.errors import BadInput
from lfr.operations.access import Access
from lfr.values.checks import Check, digits, mismatch, one_of
from lfr.web.http import Request, Response

Handler: TypeAlias = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, or a header: its name, its JSON schema, a line of help."""

    name: str
    schema: Mapping[str, Any]
    help: str

    def check(self, text: str) -> None:
        """Raise BadInput if this text is no value of an integer, boolean or enum parameter."""
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
    """A method and a path, with the handler that serves them.

    path        with its variable parts in braces: `/workflows/{id}`
    summary     a line of help
    query       the parameters of the query
    headers     the headers that mean something to it alone
    body        media type -> JSON schema of the request's body; empty: the route takes no body
    needs_body  whether the body is required, if the route takes one
    max_body    bytes that the body may have; None: what the setting `api.body` says
    responses   status -> media type -> JSON schema of the response's body; no media type: no content
    problems    the error statuses, besides those of every route
    """

    method: str
    path: str
    handler: Handler
    summary: str
    access: Access
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needs_body: bool = True
    max_body: int | None = None
    responses: Mapping[int, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return REASON in self.query

    def reason_of(self, request: Request) -> str:
        """Return why somebody sends a request of this route, which changes something: the member `reason` of
        its body, or the parameter. Raises BadInput if it is no text, or the body no object."""
        reason = request.query.get(REASON.name, "")
        if request.media == _JSON and REASON.name in self.body[_JSON].get("properties", ()):
            return request.text(REASON.name, reason)
        return reason


REASON: Final = Parameter("reason", {"type": "string"}, "why you do it, for the history")


def _change(
    method: str,
    path: str,
    handler: Handler,
    summary: str,
    *,
    access: Access = Access.OPERATE,
    query: tuple[Parameter, ...] = (),
    body: Mapping[str, Mapping[str, Any]] | None = None,
    needs_body: bool = True,
    **more: Any,
) -> Route:
    """Make a route that changes something. It takes a reason: as a parameter, and as a member of the body if
    that is an object with named members, or if there is no other."""
    if access is not Access.READ:
        query = (*query, REASON)
        if body is None and method == "POST":
            body, needs_body = {_JSON: {"type": "object", "properties": {}}}, False
        body = {media: _with_reason(media, schema) for media, schema in (body or {}).items()}
    return Route(
        method, path, handler, summary, access, query=query, body=body or {}, needs_body=needs_body, **more
    )


_JSON: Final = "application/json"


def _with_reason(media: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if media != _JSON or "properties" not in schema:
        return schema
    return {**schema, "properties": {**schema["properties"], REASON.name: REASON.schema}}


get: Final = partial(Route, "GET", access=Access.READ)
post: Final = partial(_change, "POST")
delete: Final = partial(_change, "DELETE")
"""Make a route of this method, with the access that most of its routes require."""
