"""The console as a WSGI application (PEP 3333): static files, and the API under `/api`.

One process serves both, so that they have the same origin.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from lfr.errors import NotFound
from lfr.operations.access import Access
from lfr.web import login
from lfr.web.auth import AccessPolicy, authorize
from lfr.web.compression import accepts_gzip, is_worth_it
from lfr.web.http import Response
from lfr.web.problems import HttpError, error_response, problem_response
from lfr.web.server import Application

API: Final = "/api"
"""The path at which the console expects the API."""

_LONGEST_CODE: Final = 100

_PAGES: Final = re.compile(
    r"/(failures|start|schedules|waiting|workers|events|notices|system|docs|compare|workflows/.+|flows/.+)?"
)
"""The paths of pages: each serves the one document, which renders the page of its address."""

_DOCUMENT: Final = "/index.html"

_ASSETS: Final = re.compile(r"/assets/[0-9a-f]{16}/.*")
"""The paths of files whose folder is named after their content."""

_BASE: Final = b'<base href="./">'
"""What the document says of the console's address, for pages at its top."""

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # browsers revalidate each time; an unchanged file is not sent
}

_PACKAGE: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_PACKAGE / "console_static", _PACKAGE.parent / "console_static")
"""The folder in the built file, and in a checkout, which lacks the vendored packages of npm."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the console, with its ETag (RFC 9110, section 8.8.3), and compressed if that is worth it."""

    content: bytes
    media_type: str
    etag: str
    gzipped: bytes | None = None


def read_static_files() -> dict[str, StaticFile]:
    """Read all files of the console, by URL path. Raises NotFound if this installation has none."""
    for folder in _FOLDERS:
        if (folder / "index.html").is_file():
            paths = [path for path in folder.rglob("*") if path.is_file()]
            return {f"/{path.relative_to(folder).as_posix()}": _read(path) for path in paths}
    raise NotFound("this installation of lfr has no console; the built file dist/lfr has it")


def make_console(
    api: Application, policy: AccessPolicy, files: Mapping[str, StaticFile], token_file: Path | None = None
) -> Application:
    """Return the console: `files`, which need no token but a host of `policy`, and the API at `API`.
    `token_file` has the token that the links of `lfr.web.login` give; None: there are none."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == login.PATH:
            return _send(_log_in(environ, policy, token_file), environ, start_response)
        if path.startswith(f"{API}/"):
            script = environ.get("SCRIPT_NAME", "") + API
            inner = {**environ, "SCRIPT_NAME": script, "PATH_INFO": path.removeprefix(API)}
            return api(inner, start_response)
        return _send(_respond(environ, path, policy, files), environ, start_response)

    return serve


def _send(
    response: Response, environ: Mapping[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    headers = {**_HEADERS, **response.headers}
    if response.content_type:
        headers["Content-Type"] = response.content_type
    assert isinstance(response.content, bytes)
    status = HTTPStatus(response.status)
    if status is not HTTPStatus.NOT_MODIFIED:
        headers["Content-Length"] = str(len(response.content))
    start_response(f"{status} {status.phrase}", list(headers.items()))
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else response.content]


def _log_in(environ: Mapping[str, Any], policy: AccessPolicy, token_file: Path | None) -> Response:
    """Return the token for the code of a link, which is the body of the request."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if environ["REQUEST_METHOD"] != "POST":
        return problem_response(HTTPStatus.METHOD_NOT_ALLOWED, "a login is a POST", {"Allow": "POST"})
    try:
        authorize(policy, "POST", Access.NONE, headers)
        if token_file is None:
            raise HttpError(HTTPStatus.NOT_FOUND, "this console has a token of its settings, and no links")
        code = environ["wsgi.input"].read(_LONGEST_CODE).decode("ascii", "replace")
        login.use_code(code, token_file, str(environ.get("REMOTE_ADDR", "")), policy.refusals)
    except HttpError as error:
        return error_response(error)
    return Response(policy.admin.encode(), content_type="text/plain; charset=utf-8")


def _respond(
    environ: Mapping[str, Any], path: str, policy: AccessPolicy, files: Mapping[str, StaticFile]
) -> Response:
    try:
        authorize(policy, environ["REQUEST_METHOD"], Access.NONE, {"host": environ.get("HTTP_HOST", "")})
    except HttpError as error:
        return error_response(error)
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return problem_response(HTTPStatus.METHOD_NOT_ALLOWED, "pages are read-only", {"Allow": "GET, HEAD"})
    if _PAGES.fullmatch(path):
        file = _document(files, environ)
    elif path in files:
        file = files[path]
    elif "text/html" in environ.get("HTTP_ACCEPT", ""):
        file = _document(files, environ)  # people get a page, programs the problem
        return Response(file.content, HTTPStatus.NOT_FOUND, file.media_type)
    else:
        return problem_response(HTTPStatus.NOT_FOUND, "there is nothing at this path")
    headers = {"ETag": file.etag}
    if _ASSETS.fullmatch(path):
        headers["Cache-Control"] = "public, max-age=31536000, immutable"  # RFC 8246
    if file.gzipped is not None:
        headers["Vary"] = "Accept-Encoding"
    if _matches(environ.get("HTTP_IF_NONE_MATCH", ""), file.etag):
        return Response(status=HTTPStatus.NOT_MODIFIED, content_type="", headers=headers)
    if file.gzipped is not None and accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
        headers["Content-Encoding"] = "gzip"
        return Response(file.gzipped, content_type=file.media_type, headers=headers)
    return Response(file.content, content_type=file.media_type, headers=headers)


def _document(files: Mapping[str, StaticFile], environ: Mapping[str, Any]) -> StaticFile:
    """Return the document for the page of a request. Its references are relative to the console's address,
    which is some folders above: so a proxy may have the console below any path of its own."""
    document = files[_DOCUMENT]
    path = str(environ.get("REQUEST_URI") or environ.get("PATH_INFO", "")).partition("?")[0]
    depth = path.count("/") - 1
    if depth < 1:
        return document
    base = b'<base href="%b">' % (b"../" * depth)
    return _static_file(document.content.replace(_BASE, base), document.media_type)


def _matches(if_none_match: str, etag: str) -> bool:
    """Return whether the header matches the ETag; weak ones are equal to strong ones. (RFC 9110, 13.1.2)"""
    etags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag.removeprefix("W/") in etags or etags == ["*"]


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    media_type = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    return _static_file(content, media_type)


def _static_file(content: bytes, media_type: str) -> StaticFile:
    gzipped = gzip.compress(content, mtime=0) if is_worth_it(content, media_type) else None
    return StaticFile(content, media_type, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"', gzipped)


_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The types of the console's files. The machine's own table may differ."""
