"""Routes about tokens: whose the request is; list, add and remove named ones."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from lfr.operations.access import Access
from lfr.operations.tokens import NAMED_ACCESS, add_token, list_tokens, remove_token
from lfr.web.http import Request, Response, json_response, no_content
from lfr.web.route import delete, get, post
from lfr.web.routes.schemas import (
    BOOLEAN,
    JSON,
    NONEMPTY_TEXT,
    NULLABLE_TEXT,
    TEXT,
    TIME,
    array,
    enum,
    object_schema,
    ok,
)


def _get_caller(request: Request) -> Response:
    return json_response({"name": request.caller.name, "role": request.caller.access.value})


def _list(request: Request) -> Response:
    return json_response(list_tokens(request.store))


def _add(request: Request) -> Response:
    expires = request.optional_text("expires")
    added = add_token(request.store, request.text("name"), request.text("role"), expires)
    return json_response({"token": added.token, **added.description}, HTTPStatus.CREATED)


def _remove(request: Request) -> Response:
    remove_token(request.store, request.path["name"])
    return no_content()


_ROLE: Final = enum(*NAMED_ACCESS)
_TOKEN: Final = {"name": TEXT, "role": _ROLE, "created": TIME, "expires": TIME, "made_by": NULLABLE_TEXT}

ROUTES: Final = (
    get(
        "/whoami",
        _get_caller,
        "Get the name and the role of the token of this request.",
        responses=ok(object_schema({"name": TEXT, "role": _ROLE})),
    ),
    get(
        "/tokens",
        _list,
        "List the named tokens; not the tokens themselves, which nobody can read.",
        access=Access.ADMIN,
        responses=ok(array(object_schema({**_TOKEN, "expired": BOOLEAN}))),
    ),
    post(
        "/tokens",
        _add,
        "Add a named token. The response alone has it.",
        access=Access.ADMIN,
        body={JSON: object_schema({"name": NONEMPTY_TEXT, "role": _ROLE}, {"expires": NULLABLE_TEXT})},
        responses={201: {JSON: object_schema({"token": TEXT, **_TOKEN})}},
        problems=(400, 409),
    ),
    delete(
        "/tokens/{name}",
        _remove,
        "Remove a named token.",
        access=Access.ADMIN,
        responses={204: {}},
        problems=(404,),
    ),
)
