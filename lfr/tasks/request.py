"""`request:get`, `post`, `put`, `patch`, `delete`: the request that a task asks for.

First `parse_request_parameters`, which says whose base URL is wanted; then, with that base, `build_request`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from lfr.events import StartTask
from lfr.tasks.catalogue import REQUEST_PREFIX, RESPONSE_JSON, find_built_in
from lfr.tasks.idempotency import idempotency_key
from lfr.tasks.parameters import BadParameter, parse_parameters
from lfr.tasks.request_body import fill_body
from lfr.tasks.template import TemplateError, fill, pieces
from lfr.tasks.uri_policy import BadLocation, WebLocation, parse_location
from lfr.values.checks import is_unicode
from lfr.values.json import Json, encode_json

_WITH_BODY: Final = ("post", "put", "patch")
"""The methods that send the input if there is no template."""

_NOT_REPEATABLE: Final = ("POST", "PATCH")
"""The methods that do more if they are done twice. (RFC 9110, 9.2.2)"""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
"""A header's name and value. (RFC 9110, 5.1 and 5.5)"""

_NOT_THE_FLOWS: Final = (
    *("accept-encoding", "connection", "content-length", "expect", "host"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
)
"""Headers that belong to the connection, or that say what only the sender knows."""


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """What a task asks for, before its base URL is known: the task, and its parameters by name."""

    task: StartTask
    values: Mapping[str, Any]

    @property
    def environ(self) -> str:
        """The environment whose base URL is wanted."""
        return str(self.values["environ"])

    @property
    def category(self) -> str:
        """Which of its base URLs."""
        return str(self.values["category"])


@dataclass(frozen=True, slots=True)
class Request:
    """A request to be sent.

    method           in capitals
    content          the body, or None
    timeout          seconds that a try may take; `retries`: tries after the first
    output_modes     what of the answer goes into the output
    error_on_status  whether an answer other than 2xx fails the task
    is_sync          whether the answer ends the task
    """

    task: StartTask
    method: str
    place: WebLocation
    headers: Mapping[str, str]
    content: bytes | None
    timeout: float
    retries: int
    output_modes: tuple[str, ...]
    error_on_status: bool
    is_sync: bool


def parse_request_parameters(task: StartTask) -> RequestParameters:
    """What a task asks for, by its parameters and what overrides them in the input. Raises BadParameter."""
    described = find_built_in(task.base)
    if described is None:
        raise BadParameter(f"{task.base}: there is no such task, only get, post, put, patch and delete")
    return RequestParameters(
        task, parse_parameters(task.base, described.parameters, task.parameters, task.input)
    )


def build_request(wanted: RequestParameters, base: str) -> Request:
    """The request, once the base URL is known; an empty one is none. Raises BadParameter."""
    task, values = wanted.task, wanted.values
    method = task.base.removeprefix(REQUEST_PREFIX)
    with _naming(task, "content_type"):
        content_type = fill(values["content_type"], _names(task))
    content = _content(wanted, method, content_type)
    return Request(
        task=task,
        method=method.upper(),
        place=_place(wanted, base),
        headers=_headers(wanted, method.upper(), content_type, content),
        content=content,
        timeout=values["timeout"],
        retries=values["retries"],
        output_modes=tuple(values["output_mode"]),
        error_on_status=values["error_on_status"],
        is_sync=values["sync"],
    )


def parse_base_url(base: str) -> WebLocation:
    """A base URL, taken apart. Raises BadLocation."""
    if not base.lower().startswith(("http://", "https://")):
        raise BadLocation(f"the base URL {base[:200]!r} begins neither with http:// nor with https://")
    place = parse_location(base)
    assert isinstance(place, WebLocation)  # by its scheme
    return place


def _names(task: StartTask) -> dict[str, Json]:
    """What templates look things up in."""
    return {"input": task.input, "parameters": task.parameters}


@contextmanager
def _naming(task: StartTask, parameter: str) -> Iterator[None]:
    """What goes wrong inside is told with this task and parameter."""
    try:
        yield
    except (TemplateError, BadLocation) as error:
        raise BadParameter(f"{task.base}: {parameter}: {error}") from None


def _place(wanted: RequestParameters, base: str) -> WebLocation:
    task = wanted.task
    with _naming(task, "url"):
        url = _joined(wanted, base, _filled_url(wanted.values["url"], _names(task)))
        place = parse_location(url)
    assert isinstance(place, WebLocation)  # by its scheme
    if wanted.values["sync"] or not wanted.values["use_context_parameters"]:
        return place
    told = {
        "littleflow-name": task.name,
        "littleflow-base": task.base,
        "littleflow-index": task.index,
        "littleflow-workflow": task.workflow,
        "littleflow-attempt": task.attempt,
    }
    query = urlencode(told, quote_via=quote, safe=":")
    return replace(place, query=f"{place.query}&{query}" if place.query else query)


def _filled_url(template: str, names: Mapping[str, Json]) -> str:
    """The URL, in which what is filled in is percent-encoded, but for what stands at its beginning: that
    is a URL, or the beginning of one."""
    parts: list[str] = []
    for piece in pieces(template, names):
        if not is_unicode(piece.text):
            raise TemplateError(f"{ascii(piece.text)[:40]} cannot be written in UTF-8")
        parts.append(_quoted(piece.text) if piece.is_filled_in and parts else piece.text)
    return "".join(parts)


def _quoted(text: str) -> str:
    """As one segment of a path: `..` would lead out of it, and is refused where it is seen encoded."""
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _joined(wanted: RequestParameters, base: str, url: str) -> str:
    if base:
        parse_base_url(base)
    try:
        joined = urljoin(base, url)
        scheme = urlsplit(joined).scheme
    except ValueError as error:
        raise BadLocation(f"{url[:200]!r} is no URL: {error}") from None
    if not scheme:
        raise BadLocation(
            f"{url[:200]!r} is relative, and there is no base URL for it: "
            f"request.urls has none for {wanted.environ}.{wanted.category}"
        )
    if scheme not in ("http", "https"):
        raise BadLocation(f"{joined[:200]!r} begins neither with http: nor with https:")
    return joined


def _content(wanted: RequestParameters, method: str, content_type: str) -> bytes | None:
    task, template = wanted.task, wanted.values["template"]
    if template is None:
        return encode_json(task.input).encode() if method in _WITH_BODY else None
    with _naming(task, "template"):
        body = fill_body(template, content_type, _names(task))
        if not is_unicode(body):
            raise TemplateError("what it makes cannot be written in UTF-8")
    return body.encode()


def _headers(
    wanted: RequestParameters, method: str, content_type: str, content: bytes | None
) -> dict[str, str]:
    """Ours, and the task's own, which replace them."""
    task = wanted.task
    headers = {"Accept": "application/json" if RESPONSE_JSON in wanted.values["output_mode"] else "*/*"}
    if content is not None:
        headers["Content-Type"] = content_type
    if content is not None and method in _NOT_REPEATABLE:
        headers["Idempotency-Key"] = idempotency_key(task.workflow, task.index, content.decode())
    given = _given_headers(wanted)
    names = {name.lower() for name in given}
    headers = {name: value for name, value in headers.items() if name.lower() not in names} | given
    for name, value in headers.items():
        if not _VALUE.fullmatch(value):
            raise BadParameter(f"{task.base}: headers: {name} cannot be {ascii(value)[:40]}")
    return headers


def _given_headers(wanted: RequestParameters) -> dict[str, str]:
    task = wanted.task
    given: dict[str, str] = {}
    for name, template in wanted.values["headers"].items():
        if not _NAME.fullmatch(name) or name.lower() in _NOT_THE_FLOWS:
            raise BadParameter(f"{task.base}: headers: {ascii(name)[:40]} is no header that a task can give")
        with _naming(task, f"headers: {name[:40]}"):
            given[name] = fill(template, _names(task))
    return given
