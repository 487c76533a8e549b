"""Requests to a server on this machine: redirects, retries, who gets the token."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import pytest

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.events import StartTask
from lfr.outbound import request_sender as module
from lfr.outbound.request_sender import RequestFailed, RequestSender
from lfr.tasks.parameters import BadParameter
from lfr.tasks.request import Request, build_request, parse_request_parameters
from lfr.values.json import Json
from tests.support.web import Page, WebServer, web_server
from tests.unit.tasks.test_request import task


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays between tries; no time passes."""
    seconds: list[float] = []
    monkeypatch.setattr(module.time, "sleep", seconds.append)
    return seconds


def allowing(*urls: str, settings: Settings | None = None) -> Settings:
    """Return settings that allow the servers of these URLs."""
    servers = tuple(urljoin(url, "/") for url in urls)
    settings = settings or Settings()
    return replace(settings, request_allow=settings.request_allow + servers)


def build(task: StartTask, base: str) -> Request:
    return build_request(parse_request_parameters(task), base)


def send(
    method: str, base: str, settings: Settings | None = None, input: Json = None, **parameters: Any
) -> Json:
    url = parameters["url"] if "://" in parameters["url"] else base
    sender = RequestSender(allowing(url, settings=settings))
    return sender.send(build(task(method, parameters, input or {}), base), base)


def test_the_response_is_put_into_the_output(web: WebServer) -> None:
    web.pages["/a?b=c"] = Page(b'{"x": [1]}', "application/json", 201)
    modes = ["status", "response_json"]
    output = send("put", f"{web.url}/", url="a?b={input[b]}", output_mode=modes, input={"b": "c"})
    assert output == {"b": "c", "request_status": 201, "response": {"x": [1]}}
    (request,) = web.requests
    assert (request.method, request.content) == ("PUT", b'{"b":"c"}')
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_every_method(web: WebServer, method: str) -> None:
    web.pages["/a"] = Page()
    assert send(method, "", url=f"{web.url}/a", input={"b": 1}) == {"b": 1}
    (request,) = web.requests
    assert request.method == method.upper()
    assert ("idempotency-key" in request.headers) == (method in ("post", "patch"))


def test_another_status_fails_by_default(web: WebServer) -> None:
    with pytest.raises(RequestFailed) as caught:
        send("get", "", url=f"{web.url}/a?secret=x")
    assert str(caught.value) == f"request:get: {web.url}/a answers 404 Not Found: nothing here"
    assert send("get", "", url=f"{web.url}/a", error_on_status=False, output_mode="status") == {
        "request_status": 404
    }


def test_a_redirect_is_followed_and_an_endless_one_fails(web: WebServer) -> None:
    web.pages["/a"] = Page(status=302, headers={"Location": "/b"})
    web.pages["/b"] = Page(b"here")
    web.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    assert send("get", "", url=f"{web.url}/a", output_mode="response_text") == {"response": "here"}
    web.requests.clear()
    with pytest.raises(RequestFailed, match="answers 302 Found and leads to /loop, which is not followed"):
        send("get", "", url=f"{web.url}/loop")
    assert len(web.requests) == 6


def test_the_token_goes_to_the_base_and_to_trusted_servers_alone(web: WebServer) -> None:
    web.pages["/a"] = Page()
    with web_server() as other:
        other.pages["/a"] = Page()
        web.pages["/away"] = Page(status=307, headers={"Location": f"{other.url}/a"})
        urls = {"global.base": f"{web.url}/"}
        settings = Settings(request_token="t0ken", request_urls=urls, request_allow=(other.url,))
        send("get", f"{web.url}/", settings, url="a")
        send("get", f"{web.url}/", settings, url=f"{other.url}/a")
        send("get", f"{web.url}/", Settings(request_token="t0ken"), url="a")
        send("get", f"{web.url}/", settings, url="away", headers={"X-Secret": "x"})
        send(
            "delete",
            "",
            Settings(request_token="t0ken", request_token_for=(other.url,)),
            url=f"{other.url}/a",
        )
        send("get", f"{web.url}/", settings, url="a", headers={"AUTHORIZATION": "mine"})
    tokens = [request.headers.get("authorization") for request in web.requests]
    assert tokens == ["Bearer t0ken", None, "Bearer t0ken", "mine"]
    assert [request.headers.get("authorization") for request in other.requests] == [
        None,
        None,
        "Bearer t0ken",
    ]
    assert [request.headers.get("x-secret") for request in other.requests] == [None, None, None]


def test_retries_have_longer_and_longer_delays(web: WebServer, delays: list[float]) -> None:
    web.pages["/busy"] = Page(status=503)
    web.pages["/later"] = Page(status=429, headers={"Retry-After": "30"})
    web.pages["/broken"] = Page(status=500)
    for path, tries in (("busy", 4), ("later", 4), ("broken", 1)):
        web.requests.clear()
        with pytest.raises(RequestFailed):
            send("post", "", url=f"{web.url}/{path}", retries=3)
        assert len(web.requests) == tries
        assert len({request.headers["idempotency-key"] for request in web.requests}) == 1
    assert delays == [1, 2, 4, 30, 30, 30]


def test_a_request_of_an_attempt_that_is_over_is_not_retried(web: WebServer, delays: list[float]) -> None:
    web.pages["/busy"] = Page(status=503)
    request = build(task("post", {"url": f"{web.url}/busy", "retries": 9}, {}), "")
    is_current = iter([True, False])
    with pytest.raises(RequestFailed, match="answers 503"):
        RequestSender(allowing(web.url)).send(request, is_current=lambda: next(is_current))
    assert len(web.requests) == 2


def test_no_response(delays: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(RequestFailed, match=r"request:get: http://.*/a: no whole answer within 0\.05 s"):
            send("get", "", url=url, timeout=0.05, retries=1)
    assert delays == [1]
    with pytest.raises(RequestFailed, match="no connection: Connection refused"):
        send("get", "", url=url)


def test_a_large_body_is_not_read(web: WebServer) -> None:
    web.pages["/a"] = Page(b"x" * 2000)
    small = Settings(request_size=1000)
    assert send("get", "", small, url=f"{web.url}/a", output_mode="status") == {"request_status": 200}
    with pytest.raises(RequestFailed, match=r"answers more than request\.size allows"):
        send("get", "", small, url=f"{web.url}/a", output_mode="response_text")


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (Settings(request_urls={"global.base": "api.test"}), "request.urls"),
        (Settings(request_token_for=("ftp://h/",)), "request.token_for"),
        (Settings(request_token="a\nb"), "request.token"),
        (Settings(request_allow=("/srv",)), "request.allow"),
    ],
)
def test_invalid_settings_are_named(settings: Settings, place: str) -> None:
    with pytest.raises(BadSettings) as caught:
        RequestSender(settings)
    assert caught.value.place == place


PUBLIC = "93.184.215.14"


def look_up(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let every name have one address after the other, the last one from then on. Return the names that were
    looked up."""
    system, names, rest = socket.getaddrinfo, [], list(answers)

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> Any:
        if options.get("flags", 0) & socket.AI_NUMERICHOST or host[0].isdigit():
            return system(host, port, *args, **options)
        names.append(host)
        return system(rest.pop(0) if len(rest) > 1 else rest[0], port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


def port_of(web: WebServer) -> str:
    return web.url.rpartition(":")[2]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "LOCALHOST."])
def test_nothing_is_requested_that_the_configuration_does_not_name(web: WebServer, host: str) -> None:
    """Such as an API on this machine that needs no token."""
    url = f"http://{host}:{port_of(web)}/workflows"
    for settings in (Settings(), Settings(request_urls={"global.base": "https://api.example/v1/"})):
        with pytest.raises(RequestFailed, match="not allowed: to allow what is in http://") as caught:
            RequestSender(settings).send(build(task("delete", {"url": url}, {}), ""))
        assert "request.allow: [" in str(caught.value)
    assert web.requests == []


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.01", "0x7f.1", "a@127.0.0.1"),
        *("127.0.0.1..", "127.0.0.1%00.example", "127.0.0.1\\.example", "１２７.0.0.1", "a..b", "[::1%25lo]"),
    ],
)
def test_another_form_of_an_address_is_refused(web: WebServer, host: str) -> None:
    settings = Settings(request_allow=(f"http://*:{port_of(web)}/",))
    url = f"http://{host}:{port_of(web)}/"
    with pytest.raises((RequestFailed, BadParameter)):
        RequestSender(settings).send(build(task("get", {"url": url}, {}), ""))
    assert web.requests == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"],
)
@pytest.mark.parametrize("allow", ["http://*:{port}/", "http://api.example:{port}/"])
def test_a_name_leads_to_no_address_of_this_network(
    web: WebServer, monkeypatch: pytest.MonkeyPatch, address: str, allow: str
) -> None:
    look_up(monkeypatch, address)
    settings = Settings(request_allow=(allow.format(port=port_of(web)),))
    url = f"http://api.example:{port_of(web)}/"
    with pytest.raises(RequestFailed, match=r"it is not allowed: api\.example has the address") as caught:
        RequestSender(settings).send(build(task("get", {"url": url, "retries": 5}, {}), ""))
    assert "request.allow: [" in str(caught.value)
    assert web.requests == []


def test_the_address_that_is_connected_to_is_the_one_that_was_checked(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of names answers with a public address first, and then with one of this machine."""
    names = look_up(monkeypatch, PUBLIC, "127.0.0.1")
    connected: list[Any] = []

    def connect(self: socket.socket, endpoint: Any) -> None:
        connected.append(endpoint)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    url = f"http://api.example:{port_of(web)}/"
    with pytest.raises(RequestFailed, match="no connection"):
        send("get", "", url=url)
    assert names == ["api.example"]
    assert connected == [(PUBLIC, int(port_of(web)))]


def test_a_name_leads_to_an_address_that_is_named(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up(monkeypatch, "127.0.0.1")
    web.pages["/a"] = Page()
    url = f"http://backend:{port_of(web)}/a"
    send("get", "", Settings(request_allow=("127.0.0.0/8",)), url=url)
    send("get", "", Settings(request_urls={"global.base": url}, request_allow=("127.0.0.1",)), url=url)
    assert [request.headers["host"] for request in web.requests] == [f"backend:{port_of(web)}"] * 2


def test_localhost_and_an_address_of_a_base_url_are_named(web: WebServer) -> None:
    web.pages["/v1/a"] = Page()
    for host in ("127.0.0.1", "localhost"):
        base = f"http://{host}:{port_of(web)}/v1/"
        sender = RequestSender(Settings(request_urls={"global.base": base}))
        sender.send(build(task("get", {"url": "a"}, {}), base), base)
        for url in ("../a", "/a", "/v10/a", f"http://{host}:1/v1/a"):
            with pytest.raises((RequestFailed, BadParameter)):
                sender.send(build(task("get", {"url": url}, {}), base), base)
    assert len(web.requests) == 2


def test_a_base_url_in_redis_leads_to_the_internet_alone(web: WebServer) -> None:
    base = f"{web.url}/"
    with pytest.raises(RequestFailed, match=r"not allowed: 127\.0\.0\.1 is loopback"):
        RequestSender(Settings()).send(build(task("get", {"url": "a"}, {}), base), base)
    assert web.requests == []


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "//[::1]:{port}/x"]
)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere_that_is_not_allowed(web: WebServer, target: str, code: int) -> None:
    with web_server() as inner:
        location = target.format(port=port_of(inner))
        web.pages["/a"] = Page(status=code, headers={"Location": location})
        with pytest.raises(RequestFailed, match=r"it leads to http://.*, which is not allowed: "):
            send("get", "", url=f"{web.url}/a", error_on_status=False)
    assert inner.requests == []


def test_a_redirect_below_the_path_that_is_allowed_only(web: WebServer) -> None:
    web.pages["/v1/a"] = Page(status=307, headers={"Location": "/admin"})
    web.pages["/admin"] = Page()
    sender = RequestSender(Settings(request_allow=(f"{web.url}/v1/",)))
    with pytest.raises(RequestFailed, match="which is not allowed"):
        sender.send(build(task("post", {"url": f"{web.url}/v1/a"}, {}), ""))
    assert [request.path for request in web.requests] == ["/v1/a"]
