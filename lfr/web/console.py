"""The console: its files, with the API below `/api`, as one WSGI application (PEP 3333).

The console is served by the same process, and so from the same origin, as the API that it speaks to.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from lfr.errors import NotFound
from lfr.web.auth import Rules, check
from lfr.web.http import Access, Answer
from lfr.web.problems import HttpError, problem, problem_of
from lfr.web.server import Application

API: Final = "/api"
"""Where the console finds the API."""

_PAGES: Final = re.compile(r"/(start|events|system|workflows/.+)?")
"""Paths of pages: all of them are the one document, which shows what its address says."""

_DOCUMENT: Final = "/index.html"

_SECURE: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asked for again each time, but sent only if it has changed
}

_PACKAGE: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_PACKAGE / "console_static", _PACKAGE.parent / "console_static")
"""In the one file; in a checkout, where what comes from npm is missing."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of the console. `tag`: what it is known by (ETag, RFC 9110, section 8.8.3)."""

    content: bytes
    media_type: str
    tag: str


def read_files() -> dict[str, File]:
    """Every file of the console, by its path. Raises NotFound if this installation has none."""
    for folder in _FOLDERS:
        if (folder / "index.html").is_file():
            paths = [path for path in folder.rglob("*") if path.is_file()]
            return {f"/{path.relative_to(folder).as_posix()}": _read(path) for path in paths}
    raise NotFound("the console is not in this installation of lfr: it travels in the one file")


def make_console(api: Application, rules: Rules, files: Mapping[str, File]) -> Application:
    """The console over this API, which is to be mounted at `API`."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(f"{API}/"):
            script = environ.get("SCRIPT_NAME", "") + API
            inner = {**environ, "SCRIPT_NAME": script, "PATH_INFO": path.removeprefix(API)}
            return api(inner, start_response)
        answer = _answer(environ, path, rules, files)
        headers = {**_SECURE, **answer.headers}
        if answer.content_type:
            headers["Content-Type"] = answer.content_type
        assert isinstance(answer.content, bytes)
        status = HTTPStatus(answer.status)
        if status is not HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(answer.content))
        start_response(f"{status} {status.phrase}", list(headers.items()))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.content]

    return serve


def _answer(environ: Mapping[str, Any], path: str, rules: Rules, files: Mapping[str, File]) -> Answer:
    try:
        check(rules, environ["REQUEST_METHOD"], Access.NONE, {"host": environ.get("HTTP_HOST", "")})
    except HttpError as error:
        return problem_of(error)
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return problem(HTTPStatus.METHOD_NOT_ALLOWED, "pages are only read", {"Allow": "GET, HEAD"})
    file = files.get(_DOCUMENT if _PAGES.fullmatch(path) else path)
    if file is None and "text/html" in environ.get("HTTP_ACCEPT", ""):
        document = files[_DOCUMENT]  # says to people what the status says to programs
        return Answer(document.content, HTTPStatus.NOT_FOUND, document.media_type)
    if file is None:
        return problem(HTTPStatus.NOT_FOUND, "there is nothing at this path")
    headers = {"ETag": file.tag}
    if _has(environ.get("HTTP_IF_NONE_MATCH", ""), file.tag):
        return Answer(status=HTTPStatus.NOT_MODIFIED, content_type="", headers=headers)
    return Answer(file.content, content_type=file.media_type, headers=headers)


def _has(tags: str, tag: str) -> bool:
    """Whether one of these is this tag. A proxy may have weakened it. (RFC 9110, section 13.1.2)"""
    known = [each.strip().removeprefix("W/") for each in tags.split(",")]
    return tag in known or known == ["*"]


def _read(path: Path) -> File:
    content = path.read_bytes()
    media_type = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    return File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Those that the console has; the machine's own table may say otherwise."""
