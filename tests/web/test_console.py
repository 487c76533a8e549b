"""The console as a WSGI application: its files and pages, what every answer says, and the API below it."""

from __future__ import annotations

import gzip
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lfr.store.redis.connection import Store
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.console import API, StaticFile, make_console, read_static_files
from lfr.web.login import make_link
from tests.web.conftest import Caller

PAGES = (
    "/",
    "/start",
    "/events",
    "/system",
    "/workflows/workflow:x",
    "/workflows/workflow:x/1.0",
    "/workflows/a%20b",
)


def made(store: Store, rules: AccessPolicy) -> Caller:
    api = make_app(store, rules, max_body=10_000, root=API)
    return Caller(make_console(api, rules, read_static_files()))


@pytest.fixture
def console(store: Store) -> Caller:
    """The console without tokens."""
    return made(store, AccessPolicy(is_open=True))


@pytest.fixture
def closed(store: Store) -> Caller:
    """The console that asks for a token."""
    return made(store, AccessPolicy("may-operate", "may-read", frozenset({"lfr.example"})))


def test_every_page_is_the_one_document(console: Caller) -> None:
    document = console("GET", "/index.html").body
    assert b"<title>lfr</title>" in document
    for path in PAGES:
        reply = console("GET", path)
        base = b"../" * (path.count("/") - 1) or b"./"
        expected = document.replace(b'<base href="./">', b'<base href="%b">' % base)
        assert (reply.status, reply.body) == (200, expected), path
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_document_loads_nothing_that_is_not_there(console: Caller) -> None:
    document = console("GET", "/").body.decode()
    named = re.findall(r'(?:href|src)="([^"]+)"', document)
    assert len(named) >= 4
    for path in named:
        assert console("GET", "/" + path.removeprefix("./")).status == 200, path


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [
        (".js", "text/javascript; charset=utf-8"),
        (".css", "text/css; charset=utf-8"),
        (".svg", "image/svg+xml"),
    ],
)
def test_files_have_types_that_browsers_take(console: Caller, suffix: str, media_type: str) -> None:
    paths = [path for path in read_static_files() if path.endswith(suffix)]
    assert paths
    assert {console("GET", path).headers["Content-Type"] for path in paths} == {media_type}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("HEAD", "/app.js"),
        ("GET", "/nowhere"),
        ("POST", "/"),
        ("DELETE", "/app.js"),
        ("GET", "/api/workflows"),
        ("GET", "/api/nowhere"),
        ("POST", "/api/workflows"),
        ("GET", "/api/workflows/workflow:x"),
    ],
)
def test_every_answer_says_what_a_browser_may_do(console: Caller, method: str, path: str) -> None:
    headers = console(method, path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] in ("'self'", "'none'")
    assert policy["frame-ancestors"] == "'none'"
    assert not re.search("unsafe|data:|blob:|http|\\*", headers["Content-Security-Policy"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    if path.startswith(API):
        assert headers["Cache-Control"] == "no-store"
    else:
        assert (policy["base-uri"], policy["form-action"], policy["object-src"]) == (
            "'self'",
            "'none'",
            "'none'",
        )
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-cache"


def test_what_a_browser_has_already_is_not_sent(console: Caller) -> None:
    reply = console("GET", "/app.js")
    tag = reply.headers["ETag"]
    assert re.fullmatch(r'W/"[0-9a-f]{32}"', tag)
    assert console("GET", "/styles/site.css").headers["ETag"] != tag
    for if_none_match_value in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = console("GET", "/app.js", if_none_match=if_none_match_value)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag), if_none_match_value
        assert "Content-Length" not in again.headers  # RFC 9110, section 8.6
        assert "Content-Security-Policy" in again.headers
    assert console("GET", "/app.js", if_none_match='"other"').status == 200


def test_what_is_text_and_long_is_compressed_for_those_who_accept_it(console: Caller) -> None:
    plain = console("GET", "/app.js")
    for accepted in ("gzip", "gzip, deflate, br", "br, *", "deflate;q=0.5, GZIP;q=0.1"):
        reply = console("GET", "/app.js", accept_encoding=accepted)
        assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip"), accepted
        assert gzip.decompress(reply.body) == plain.body
        assert reply.headers["Content-Length"] == str(len(reply.body))
        assert len(reply.body) < len(plain.body) / 2
    for refused in ("", "br", "gzip;q=0", "gzip;q=0.0, *", "*;q=0", "gzip;q=x"):
        reply = console("GET", "/app.js", accept_encoding=refused)
        assert "Content-Encoding" not in reply.headers, refused
        assert reply.body == plain.body
        assert reply.headers["Vary"] == "Accept-Encoding"


def test_long_answers_of_the_api_are_compressed(console: Caller) -> None:
    plain = console("GET", "/api/openapi.json")
    reply = console("GET", "/api/openapi.json", accept_encoding="gzip")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(reply.body) == plain.body
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in console("GET", "/api/workflows", accept_encoding="gzip").headers


def test_files_named_after_their_content_are_kept_for_ever(store: Store) -> None:
    files = {"/assets/0123456789abcdef/app.js": StaticFile(b"1", "text/javascript", '"x"')}
    console = Caller(make_console(lambda *_: [], AccessPolicy(is_open=True), files))
    reply = console("GET", "/assets/0123456789abcdef/app.js")
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_head_tells_what_get_would(console: Caller) -> None:
    get, head = console("GET", "/styles/site.css"), console("HEAD", "/styles/site.css")
    assert (head.status, head.body) == (200, b"")
    assert head.headers == get.headers
    assert head.headers["Content-Length"] == str(len(get.body))


def test_pages_are_only_read(console: Caller) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        reply = console(method, "/")
        assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD"), method
        assert reply.headers["Content-Type"] == "application/problem+json"


def test_what_is_not_there(console: Caller) -> None:
    for path in (
        "/nowhere",
        "/api",
        "/workflows",
        "/workflows/",
        "/app.js/",
        "/graph",
        "/start/now",
        "//app.js",
    ):
        reply = console("GET", path)
        assert (reply.status, reply.json["title"]) == (404, "Not Found"), path
    page = console("GET", "/nowhere", accept="text/html,application/xhtml+xml")
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "ETag" not in page.headers
    assert page.body == console("GET", "/").body


def test_no_path_leads_out_of_the_files(console: Caller) -> None:
    secret = Path(__file__)
    relative = str(secret).lstrip("/")
    for path in (
        f"/../../../../../../../../{relative}",
        f"/graph/../../../../../../../../../{relative}",
        f"/{relative}",
        f"//{relative}",
        f"/..\\..\\{relative}",
        "/../lfr/__init__.py",
        "/package.json/../../pyproject.toml",
        "/app.js\0.css",
        "/%2e%2e/pyproject.toml",
    ):
        reply = console("GET", path)
        assert reply.status == 404, path
        assert b"lfr =" not in reply.body


def test_a_name_that_is_not_ours_is_refused(console: Caller, closed: Caller) -> None:
    """So that no other site can have the console under a name of its own. (DNS rebinding)"""
    for path in ("/", "/app.js", "/api/workflows"):
        assert console("GET", path, host="evil.example").status == 421, path
        assert console("GET", path, host="").status == 421
    assert closed("GET", "/", host="lfr.example").status == 200
    assert closed("GET", "/", host="LFR.example:8000").status == 200


def test_the_api_is_below(console: Caller) -> None:
    started = console("POST", "/api/workflows/start", {"workflow": "a", "id": "x"})
    assert (started.status, started.headers["Location"]) == (201, "/api/workflows/workflow%3Ax")
    for number in range(3):
        console("POST", "/api/workflows/start", {"workflow": "a", "id": f"y{number}"})
    page = console("GET", "/api/workflows?size=2&text=y")
    link = re.fullmatch(r'</api/workflows\?([^>]+)>; rel="next"', page.headers["Link"])
    assert link is not None
    assert len(console("GET", f"/api/workflows?{link[1]}").json) == 1
    assert console("GET", started.headers["Location"].replace("%3A", ":")).json["id"] == "workflow:x"
    assert console("GET", "/api/openapi.json").json["servers"] == [{"url": "/api"}]


def test_a_change_from_another_origin_is_refused(console: Caller) -> None:
    body = {"workflow": "a"}
    for headers in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
        assert console("POST", "/api/workflows/start", body, **headers).status == 403, headers
    assert console("POST", "/api/workflows/start", body, origin="http://127.0.0.1:5000").status == 201


def test_pages_need_no_token_and_what_they_show_does(closed: Caller) -> None:
    for path in ("/", "/app.js", "/workflows/workflow:x"):
        assert closed("GET", path).status == 200
    refused = closed("GET", "/api/workflows")
    assert (refused.status, refused.headers["Www-Authenticate"]) == (401, 'Bearer realm="lfr"')
    assert closed("GET", "/api/workflows", authorization="Bearer wrong").status == 401
    assert closed("GET", "/api/workflows", authorization="Bearer may-read").status == 200
    start = ("POST", "/api/workflows/start", {"workflow": "a"})
    assert closed(*start).status == 401
    assert closed(*start, authorization="Bearer may-read").status == 403
    assert closed(*start, authorization="Bearer may-operate").status == 201


def test_what_the_console_is_made_of_is_kept_apart_from_what_makes_it(console: Caller) -> None:
    """Files are read once, when the process starts; what is not text for a browser is sent as text."""
    files: dict[str, StaticFile] = read_static_files()
    assert "/index.html" in files
    app: Callable[..., Any] = make_console(
        lambda *_: [], AccessPolicy(is_open=True), {"/index.html": files["/index.html"]}
    )
    assert Caller(app)("GET", "/app.js").status == 404


def test_a_link_gives_the_token_once(store: Store, tmp_path: Path) -> None:
    policy, file = AccessPolicy("may-operate"), tmp_path / "api-token"
    api = make_app(store, policy, max_body=10_000, root=API)
    console = Caller(make_console(api, policy, read_static_files(), file))
    old = make_link("http://127.0.0.1:8000/", file).partition("#login=")[2]
    code = make_link("http://127.0.0.1:8000/", file).partition("#login=")[2]
    assert stat.S_IMODE((tmp_path / "login-code").stat().st_mode) == 0o600
    for wrong in (old, "", code + "x", "\xff"):
        assert console("POST", "/login", wrong, content_type="text/plain").status == 403
    foreign = console("POST", "/login", code, content_type="text/plain", sec_fetch_site="cross-site")
    assert foreign.status == 403
    assert console("GET", "/login").status == 405
    right = console("POST", "/login", code, content_type="text/plain")
    assert (right.status, right.body) == (200, b"may-operate")
    assert console("POST", "/login", code, content_type="text/plain").status == 403


def test_an_old_link_does_not_work(store: Store, tmp_path: Path) -> None:
    policy, file = AccessPolicy("may-operate"), tmp_path / "api-token"
    console = Caller(make_console(lambda *_: [], policy, read_static_files(), file))
    code = make_link("http://127.0.0.1:8000/", file).partition("#login=")[2]
    os.utime(tmp_path / "login-code", (0, 0))
    assert console("POST", "/login", code, content_type="text/plain").status == 403


def test_codes_cannot_be_guessed_at_leisure_nor_asked_for_where_there_are_none(
    store: Store, tmp_path: Path
) -> None:
    policy = AccessPolicy("may-operate")
    console = Caller(make_console(lambda *_: [], policy, read_static_files(), tmp_path / "api-token"))
    statuses = [console("POST", "/login", "guess", content_type="text/plain").status for _ in range(22)]
    assert statuses == [403] * 20 + [429] * 2
    code = make_link("http://127.0.0.1:8000/", tmp_path / "api-token").partition("#login=")[2]
    assert console("POST", "/login", code, content_type="text/plain").status == 200
    without = Caller(make_console(lambda *_: [], policy, read_static_files()))
    assert without("POST", "/login", "guess", content_type="text/plain").status == 404


def test_no_address_of_the_console_begins_at_the_root() -> None:
    """A proxy may have the console below a path of its own."""
    pattern = re.compile(r"""(?:href=\$?\{?|src=|navigate\(|buildAddress\(|fetch\()["`]/""")
    folder = Path(__file__).parents[2] / "console_static"
    scripts = [path for path in folder.rglob("*.js") if "vendor" not in path.parts]
    assert len(scripts) > 30
    assert not [path.name for path in scripts if pattern.search(path.read_text())]
