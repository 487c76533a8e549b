"""Routes as data: dispatch, access checks and the OpenAPI document are made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeAlias

from lfr.errors import BadInput
from lfr.values.checks import Check, digits, mismatch, one_of
from lfr.web.http import Request, Response

Handler: TypeAlias = Callable[[Request], Response]


class Access(StrEnum):
    """The permission that a route requires; with NONE, it needs no token. OPERATE includes READ."""

    NONE = "none"
    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query: its name, its JSON schema, a line of help."""

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
    body        media type -> JSON schema of the request's body; empty: the route takes no body
    needs_body  whether the body is required, if the route takes one
    responses   status -> media type -> JSON schema of the response's body; no media type: no content
    problems    the error statuses, besides those of every route
    """

    method: str
    path: str
    handler: Handler
    summary: str
    access: Access
    query: tuple[Parameter, ...] = ()
    body: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needs_body: bool = True
    responses: Mapping[int, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()


get: Final = partial(Route, "GET", access=Access.READ)
post: Final = partial(Route, "POST", access=Access.OPERATE)
delete: Final = partial(Route, "DELETE", access=Access.OPERATE)
"""Make a route of this method, with the access that most of its routes require."""
