"""Who is refused: no token, a wrong one, one for reading alone, foreign origins, foreign hosts."""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lfr.config.settings import Settings
from lfr.errors import CannotWrite, NotFound
from lfr.operations.access import Access
from lfr.store.redis.connection import Store
from lfr.web.app import all_routes, make_app
from lfr.web.auth import AccessPolicy, may_send_body
from lfr.web.http_process import make_policy
from lfr.web.problems import HttpError
from lfr.web.refusals import Refusals
from lfr.web.server import Address, parse_address
from lfr.web.token_file import Tokens, load_tokens, read_token
from tests.web.conftest import Caller

HEAVY = {"/doctor"}
"""What changes nothing, but reads so much that it is not for everybody who may read."""

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
    assert (access is Access.OPERATE) <= (method in ("POST", "DELETE") or path in HEAVY)


def test_what_a_token_allows(guarded: Caller) -> None:
    assert guarded("GET", "/workflows", authorization="bearer may-read").status == 200
    started = guarded("POST", "/workflows/start", {"workflow": "a"}, authorization="Bearer may-operate")
    assert started.status == 201
    checked = guarded("POST", "/workflows/check", {"workflow": "a"}, authorization="Bearer may-read")
    assert checked.status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[::1", "x"])
def test_a_page_of_another_origin_changes_nothing(call: Caller, origin: str) -> None:
    assert call("POST", "/events", {"kind": "x"}, origin=origin).status == 403
    assert call("GET", "/workflows", origin=origin).status == (200 if "127.0.0.1" in origin else 401)


def test_a_page_of_another_site_gets_nothing(call: Caller) -> None:
    """Not even a live stream, of which there are few, and not the difference between two ids."""
    for site in ("cross-site", "same-site", "anything"):
        for path in ("/workflows", "/workflows/none", "/health/live", "/live"):
            assert call("GET", path, sec_fetch_site=site, sec_fetch_mode="no-cors").status == 403
            frame = call("GET", path, sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="iframe")
            assert frame.status == 403
    link = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert call("GET", "/openapi.json", sec_fetch_site="cross-site", **link).status == 200
    for path in ("/workflows", "/workflows/none/archive", "/live"):  # an archive is a file for the disk
        assert call("GET", path, sec_fetch_site="cross-site", **link).status == 403
    assert call("POST", "/events", {"kind": "x"}, sec_fetch_site="cross-site", **link).status == 403


@pytest.mark.parametrize(
    "header",
    [
        *("x_forwarded_for", "forwarded", "via", "x_real_ip", "x_forwarded_host", "x_forwarded_server"),
        *("cf_ray", "true_client_ip", "x_envoy_external_address", "x_amzn_trace_id", "x_original_host"),
    ],
)
def test_a_request_through_a_proxy_needs_a_token_though_the_server_is_open(store: Store, header: str) -> None:
    policy = AccessPolicy("may-operate", "may-read", is_open=True)
    call = Caller(make_app(store, policy, max_body=1000))
    assert call("GET", "/workflows").status == 200
    assert call("GET", "/workflows", **{header: "192.0.2.1"}).status == 401
    answer = call("GET", "/workflows", authorization="Bearer may-read", **{header: "192.0.2.1"})
    assert answer.status == 200


@pytest.mark.parametrize(
    "sign",
    [
        {"host": "192.0.2.7"},  # HAProxy, and a forwarded port
        {"host": "[2001:db8::7]:80"},
        {"host": "lfr.example"},
        {"origin": "https://lfr.example", "sec_fetch_site": "same-origin"},  # nginx sends a Host of its own
        {"origin": "null", "sec_fetch_site": "same-origin"},
        {"referer": "https://192.0.2.7/workflows", "sec_fetch_site": "same-origin"},
        {"protocol": "HTTP/1.0"},
    ],
)
def test_a_proxy_that_adds_no_header_is_known_by_what_it_passes_on(
    store: Store, sign: dict[str, str]
) -> None:
    policy = AccessPolicy("may-operate", "may-read", frozenset(["lfr.example"]), is_open=True)
    app = make_app(store, policy, max_body=1000)
    headers = {name: value for name, value in sign.items() if name != "protocol"}

    def through_proxy(environ: dict[str, Any], start_response: Any) -> Any:
        return app({**environ, "SERVER_PROTOCOL": sign.get("protocol", "HTTP/1.1")}, start_response)

    assert Caller(through_proxy)("GET", "/workflows", **headers).status == 401
    assert not may_send_body(
        policy, {"host": "127.0.0.1", **headers}, "127.0.0.1", sign.get("protocol", "HTTP/1.1")
    )
    for host in ("localhost:5000", "127.0.0.1", "[::1]:5000", "127.1.2.3"):
        own = {"origin": f"http://{host}", "sec_fetch_site": "same-origin"}
        assert Caller(app)("GET", "/workflows", host=host, **own).status == 200


def test_a_server_is_open_on_loopback_alone_and_behind_no_proxy() -> None:
    tokens, loopback = Tokens("o", "r"), Address("127.0.0.1", 80)
    remote = Settings(api_require_token="remote")
    assert not make_policy(Settings(), tokens, loopback).is_open
    assert make_policy(remote, tokens, loopback).is_open
    assert not make_policy(remote, tokens, Address("0.0.0.0", 80)).is_open
    assert not make_policy(replace(remote, api_hosts=("lfr.example",)), tokens, loopback).is_open


def test_without_any_token_nobody_gets_in(store: Store) -> None:
    call = Caller(make_app(store, AccessPolicy(), max_body=1000))
    assert call("GET", "/workflows").status == 401
    assert call("GET", "/workflows", authorization="Bearer ").status == 401


def test_few_wrong_tokens_are_looked_at(
    guarded: Caller, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = [guarded("GET", "/workflows", authorization=f"Bearer {n}").status for n in range(30)]
    assert statuses == [401] * 20 + [429] * 10
    refused = guarded("GET", "/workflows", authorization="Bearer may-read")
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert guarded("GET", "/workflows").status == 429
    assert [record.getMessage()[:16] for record in caplog.records] == ["wrong token from"] * 2
    later = time.monotonic() + 60
    monkeypatch.setattr("lfr.web.refusals.time.monotonic", lambda: later)
    assert guarded("GET", "/workflows", authorization="Bearer may-read").status == 200


def test_who_has_a_right_token_is_not_locked_out_by_others_at_its_address(guarded: Caller) -> None:
    assert guarded("GET", "/workflows", authorization="Bearer may-read").status == 200
    for number in range(30):
        assert guarded("GET", "/workflows", authorization=f"Bearer {number}").status == 401
    assert guarded("GET", "/workflows", authorization="Bearer may-read").status == 200


def test_a_token_that_nobody_can_guess_is_not_locked_out(store: Store) -> None:
    call = Caller(make_app(store, AccessPolicy(admin="t" * 32, read="may-read"), max_body=1000))
    for number in range(30):
        call("GET", "/workflows", authorization=f"Bearer {number}")
    assert call("GET", "/workflows", authorization="Bearer may-read").status == 429
    assert call("GET", "/workflows", authorization=f"Bearer {'u' * 32}").status == 429
    assert call("GET", "/workflows", authorization=f"Bearer {'t' * 32}").status == 200


def test_all_addresses_of_an_ipv6_network_count_as_one_client() -> None:
    refusals = Refusals()
    for number in range(20):
        refusals.note(f"2001:db8:0:7:{number:x}::1", is_right=False)
    for refused in ("2001:db8:0:7:ffff::9", "2001:db8:0:7::%eth0"):
        with pytest.raises(HttpError):
            refusals.check(refused)
    refusals.check("2001:db8:0:8::1")
    for _ in range(20):
        refusals.note("::ffff:192.0.2.1", is_right=False)
    refusals.check("::ffff:192.0.2.2")
    with pytest.raises(HttpError):
        refusals.check("192.0.2.1")


def test_clients_that_send_wrong_tokens_are_forgotten_in_their_order() -> None:
    refusals = Refusals()
    for number in range(10_100):
        refusals.note(str(number), is_right=False)
    assert len(refusals._clients) == 10_000
    assert list(refusals._clients)[-1] == "10099"


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
    first = load_tokens(Settings())
    assert len(first.operate) > 30 and first.file is not None
    assert stat.S_IMODE(os.stat(first.file).st_mode) == 0o600
    assert load_tokens(Settings()) == first
    assert load_tokens(Settings(api_read_token="r")) == ("", "r", None)
    assert read_token(Settings()) == first.operate
    assert read_token(Settings(api_token="o", api_read_token="r")) == "o"
    folder = tmp_path / "data"
    of_up = load_tokens(Settings(up_data=str(folder)))
    assert of_up.file == folder / "api-token" and of_up != first
    with pytest.raises(NotFound, match="there is no token yet"):
        read_token(Settings(up_data=str(tmp_path / "other")))


def test_all_who_start_at_once_have_the_same_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(Path, "exists", lambda _: False)  # each finds that there is none yet
    tokens = {load_tokens(Settings()) for _ in range(3)}
    assert len(tokens) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["api-token"]


def test_an_empty_file_is_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    (tmp_path / "api-token").touch()
    with pytest.raises(CannotWrite, match="no token"):
        load_tokens(Settings())


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


@pytest.mark.parametrize("name", ["x", "authorization", "accept_encoding", "origin", "idempotency_key"])
def test_a_header_that_is_not_utf_8_is_no_defect(
    guarded: Caller, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = guarded("GET", "/workflows", **{name: "\xff\xfe"})
    assert reply.status in (401, 403) and not caplog.records


def test_a_key_that_is_not_utf_8_is_refused(guarded: Caller) -> None:
    more = {"authorization": "Bearer may-operate", "idempotency_key": "\xff"}
    reply = guarded("POST", "/workflows/start", {"workflow": "a"}, **more)
    assert reply.status == 400 and "not UTF-8" in reply.json["detail"]
