"""Who is refused: no token, a wrong one, one for reading alone, foreign origins, foreign hosts."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from lfr.config.settings import Settings
from lfr.errors import CannotWrite
from lfr.web.app import all_routes
from lfr.web.route import Access
from lfr.web.server import Address, parse_address
from lfr.web.token_file import load_tokens
from tests.web.conftest import Caller

EVERY = [(route.method, re.sub(r"\{\w+\}", "1", route.path), route.access) for route in all_routes()]


@pytest.mark.parametrize(("method", "path", "access"), EVERY)
def test_every_route_asks_for_its_token(guarded: Caller, method: str, path: str, access: Access) -> None:
    expected_status = 401 if access is not Access.NONE else 200
    reply = guarded(method, path)
    assert reply.status == expected_status
    if expected_status == 401:
        assert reply.headers["Www-Authenticate"] == 'Bearer realm="lfr"'
        assert guarded(method, path, authorization="Bearer nothing").status == 401
        assert guarded(method, path, authorization="Basic bWF5LW9wZXJhdGU6").status == 401
    if access is Access.OPERATE:
        assert guarded(method, path, authorization="Bearer may-read").status == 403


@pytest.mark.parametrize(("method", "path", "access"), EVERY)
def test_get_changes_nothing(method: str, path: str, access: Access) -> None:
    assert (access is Access.OPERATE) <= (method in ("POST", "DELETE"))


def test_what_a_token_allows(guarded: Caller) -> None:
    assert guarded("GET", "/workflows", authorization="bearer may-read").status == 200
    started = guarded("POST", "/workflows/start", {"workflow": "a"}, authorization="Bearer may-operate")
    assert started.status == 201
    checked = guarded("POST", "/workflows/check", {"workflow": "a"}, authorization="Bearer may-read")
    assert checked.status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[::1", "x"])
def test_a_page_of_another_origin_changes_nothing(call: Caller, origin: str) -> None:
    assert call("POST", "/events", {"kind": "x"}, origin=origin).status == 403
    assert call("GET", "/workflows", origin=origin).status == 200


def test_a_page_of_the_same_origin_may(call: Caller) -> None:
    assert call("POST", "/events", {"kind": "x"}, origin="http://127.0.0.1:5000").status == 201
    assert call("POST", "/events", {"kind": "x"}, sec_fetch_site="cross-site").status == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("lfr.example", 200),
        ("LFR.example:80", 200),
        ("localhost:5000", 200),
        ("[::1]:5000", 200),
        ("192.0.2.7", 200),
        ("evil.example", 421),
        ("lfr.example.evil.example", 421),
        ("", 421),
        ("[::1", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_hosts(guarded: Caller, host: str, status: int) -> None:
    assert guarded("GET", "/health/live", host=host).status == status


def test_a_token_is_made_once_and_nobody_else_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    first = load_tokens(Settings(), is_local=False)
    assert len(first.operate) > 30 and first.file is not None
    assert stat.S_IMODE(os.stat(first.file).st_mode) == 0o600
    assert load_tokens(Settings(), is_local=False) == first
    assert load_tokens(Settings(), is_local=True) == ("", "", None)
    assert load_tokens(Settings(api_read_token="r"), is_local=True) == ("", "r", None)


def test_all_who_start_at_once_have_the_same_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(Path, "exists", lambda _: False)  # each finds that there is none yet
    tokens = {load_tokens(Settings(), is_local=False) for _ in range(3)}
    assert len(tokens) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["api-token"]


def test_an_empty_file_is_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (tmp_path / "api-token").touch()
    with pytest.raises(CannotWrite, match="no token"):
        load_tokens(Settings(), is_local=False)


@pytest.mark.parametrize(
    ("text", "host", "port", "is_local"),
    [
        ("", "0.0.0.0", 5000, False),
        ("127.0.0.1", "127.0.0.1", 5000, True),
        (":80", "0.0.0.0", 80, False),
        ("localhost:1", "localhost", 1, True),
        ("[::1]:7", "::1", 7, True),
        ("::1", "::1", 5000, True),
        ("10.0.0.1:5", "10.0.0.1", 5, False),
    ],
)
def test_addresses(text: str, host: str, port: int, is_local: bool) -> None:
    address = parse_address(text, Address("0.0.0.0", 5000))
    assert (address, address.is_local) == ((host, port), is_local)
