"""`request:get`, `post`, `put`, `patch`, `delete`: the HTTP request that a task asks for.

`parse_request_parameters` returns which base URL is needed; `build_request` builds the request with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlencode, urljoin, urlsplit

from lfr.events import StartTask
from lfr.tasks.catalogue import REQUEST_PREFIX, RESPONSE_JSON, find_built_in
from lfr.tasks.http import NOT_IDEMPOTENT, idempotency_key
from lfr.tasks.parameters import BadParameter, Parameter, errors_named, parse_parameters
from lfr.tasks.template import CharacterBudget, TemplateError, fill, pieces
from lfr.tasks.uri_policy import BadLocation, WebLocation, parse_location
from lfr.values.checks import is_unicode
from lfr.values.json import Json, encode_json

_WITH_BODY: Final = ("post", "put", "patch")
"""The methods that send the input if there is no template."""

_FROM_INPUT: Final = "from_input"

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
"""A header's name and value. (RFC 9110, 5.1 and 5.5)"""

_SENDERS_HEADERS: Final = (
    *("accept-encoding", "connection", "content-length", "expect", "host"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
)
"""Headers that a flow cannot set: they belong to the connection, or only the sender knows their value."""

_MAX_HEADER_CHARACTERS: Final = 2**16
"""How many characters the templates of all headers make together: servers take far fewer."""

_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_JSON_TYPE: Final = re.compile(r"application/json|[^;\s]+\+json")
_QUOTE: Final = re.compile(r'\\.|"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """The parameters of a request task by name: `environ` and `category` choose its base URL."""

    task: StartTask
    values: Mapping[str, Any]

    @property
    def names(self) -> dict[str, Json]:
        """Return the values that templates look up: those of `input` and `parameters`."""
        return {"input": self.task.input, "parameters": self.task.parameters}


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send.

    method           in capitals
    content          the body, or None
    timeout          seconds that a try may take; `retries`: tries after the first
    output_modes     what of the response goes into the output
    error_on_status  whether a response other than 2xx fails the task
    is_sync          whether the response completes the task
    """

    task: StartTask
    method: str
    location: WebLocation
    headers: Mapping[str, str]
    content: bytes | None
    timeout: float
    retries: int
    output_modes: tuple[str, ...]
    error_on_status: bool
    is_sync: bool


def parse_request_parameters(task: StartTask) -> RequestParameters:
    """Return the parameters of a task; members of the input override those that the flow says. Raises
    BadParameter. Templates are not filled yet."""
    built_in = find_built_in(task.base)
    if built_in is None:
        raise BadParameter(f"{task.base}: there is no such task, only get, post, put, patch and delete")
    names = _names_from_input(task, built_in.parameters)
    values = parse_parameters(task.base, built_in.parameters, task.parameters, task.input, names)
    return RequestParameters(task, values)


def _names_from_input(task: StartTask, table: Sequence[Parameter]) -> Sequence[str]:
    """Return the parameters that members of the input override. Raises BadParameter.

    The flow lists them in `from_input`. Without it, the input gives the URL if the flow does not. A member
    that littleflow_redis would use, and of which the flow says nothing, is an error: to use it might let
    whoever gives the input steer the request, and to leave it out might send the request elsewhere.
    """
    parameters = task.parameters if isinstance(task.parameters, dict) else {}
    members = task.input if isinstance(task.input, dict) else {}
    if parameters.get(_FROM_INPUT) is not None:
        (row,) = (each for each in table if each.name == _FROM_INPUT)
        names: Sequence[str] = parse_parameters(task.base, [row], parameters)[_FROM_INPUT]
        return names
    is_open = {each.name: each.from_input and parameters.get(each.name) is None for each in table}
    for name in (name for name, value in members.items() if value is not None and name != "url"):
        if is_open.get(name):
            raise BadParameter(
                f"{task.base}: the input has a member {name}, and the flow does not say whether it overrides "
                f"the parameter: give the parameter from_input, [{name}] or []"
            )
    return ["url"] if is_open["url"] else []


def build_request(parameters: RequestParameters, base: str, *, with_trace: bool = False) -> Request:
    """Return the request; `base` is the base URL, or empty. `with_trace`: it has the header traceparent, if
    its task has a trace. Raises BadParameter."""
    task, values = parameters.task, parameters.values
    method = task.base.removeprefix(REQUEST_PREFIX)
    with errors_named(task.base, "content_type"):
        content_type = fill(values["content_type"], parameters.names)
    content = _content(parameters, method, content_type)
    return Request(
        task=task,
        method=method.upper(),
        location=_location(parameters, base),
        headers=_headers(parameters, method.upper(), content_type, content, with_trace=with_trace),
        content=content,
        timeout=values["timeout"],
        retries=values["retries"],
        output_modes=tuple(values["output_mode"]),
        error_on_status=values["error_on_status"],
        is_sync=values["sync"],
    )


def parse_base_url(base: str) -> WebLocation:
    """Return the location that a base URL names. Raises BadLocation."""
    if not base.lower().startswith(("http://", "https://")):
        raise BadLocation(f"the base URL {base[:200]!r} begins neither with http:// nor with https://")
    location = parse_location(base)
    assert isinstance(location, WebLocation)  # by its scheme
    return location


def fill_body(template: str, content_type: str, names: Mapping[str, Json]) -> str:
    """Return the filled template of a body of this content type. Raises as `template.fill`.

    Values are escaped between double quotes in JSON, and percent-encoded in a form, so that no value can end
    the text or the field that it is filled into.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if _JSON_TYPE.fullmatch(media_type):
        return "".join(_json_pieces(template, names))
    parts = pieces(template, names)
    escape = quote_plus if media_type == _FORM_TYPE else str
    return "".join(escape(part.text) if part.is_filled_in else part.text for part in parts)


def _json_pieces(template: str, names: Mapping[str, Json]) -> Iterator[str]:
    is_in_text = False
    for piece in pieces(template, names):
        if not piece.is_filled_in:
            is_in_text ^= sum(match[0] == '"' for match in _QUOTE.finditer(piece.text)) % 2 == 1
        is_escaped = piece.is_filled_in and is_in_text
        yield json.dumps(piece.text, ensure_ascii=False)[1:-1] if is_escaped else piece.text


def _location(parameters: RequestParameters, base: str) -> WebLocation:
    task = parameters.task
    with errors_named(task.base, "url"):
        location = parse_location(_joined(parameters, base, _filled_url(parameters)))
    assert isinstance(location, WebLocation)  # by its scheme
    if parameters.values["sync"] or not parameters.values["use_context_parameters"]:
        return location
    names = ("name", "base", "index", "workflow", "attempt")
    context = {f"littleflow-{name}": getattr(task, name) for name in names}
    if task.run:
        context["littleflow-run"] = task.run
    query = urlencode(context, quote_via=quote, safe=":")
    return replace(location, query=f"{location.query}&{query}" if location.query else query)


def _filled_url(parameters: RequestParameters) -> str:
    """Return the filled URL, values percent-encoded except one at the beginning."""
    parts: list[str] = []
    for piece in pieces(parameters.values["url"], parameters.names):
        if not is_unicode(piece.text):
            raise TemplateError(f"{ascii(piece.text)[:40]} cannot be written in UTF-8")
        parts.append(_quoted(piece.text) if piece.is_filled_in and parts else piece.text)
    return "".join(parts)


def _quoted(text: str) -> str:
    """Return a text as one segment of a path; `.` and `..` are refused later."""
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _joined(parameters: RequestParameters, base: str, url: str) -> str:
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
            f"request.urls has none for {parameters.values['environ']}.{parameters.values['category']}"
        )
    if scheme not in ("http", "https"):
        raise BadLocation(f"{joined[:200]!r} begins neither with http: nor with https:")
    return joined


def _content(parameters: RequestParameters, method: str, content_type: str) -> bytes | None:
    task, template = parameters.task, parameters.values["template"]
    if template is None:
        return encode_json(task.input).encode() if method in _WITH_BODY else None
    with errors_named(task.base, "template"):
        body = fill_body(template, content_type, parameters.names)
        if not is_unicode(body):
            raise TemplateError("what it makes cannot be written in UTF-8")
    return body.encode()


def _headers(
    parameters: RequestParameters, method: str, content_type: str, content: bytes | None, *, with_trace: bool
) -> dict[str, str]:
    task = parameters.task
    headers = {"Accept": "application/json" if RESPONSE_JSON in parameters.values["output_mode"] else "*/*"}
    if content is not None:
        headers["Content-Type"] = content_type
    if content is not None and method in NOT_IDEMPOTENT:
        headers["Idempotency-Key"] = idempotency_key(task.workflow, task.index, content.decode())
    if with_trace and task.traceparent:
        headers["traceparent"] = task.traceparent
    own = _own_headers(parameters)
    names = {name.lower() for name in own}
    headers = {name: value for name, value in headers.items() if name.lower() not in names} | own
    for name, value in headers.items():
        if not _HEADER_VALUE.fullmatch(value):
            raise BadParameter(f"{task.base}: headers: {name} cannot be {ascii(value)[:40]}")
    return headers


def _own_headers(parameters: RequestParameters) -> dict[str, str]:
    task = parameters.task
    headers: dict[str, str] = {}
    budget = CharacterBudget(_MAX_HEADER_CHARACTERS)
    for name, template in parameters.values["headers"].items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _SENDERS_HEADERS:
            raise BadParameter(f"{task.base}: headers: {ascii(name)[:40]} is no header that a task can give")
        with errors_named(task.base, f"headers: {name[:40]}"):
            headers[name] = fill(template, parameters.names, budget)
    return headers
