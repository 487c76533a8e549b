"""Requests to a server on this machine: redirects, retries, who gets the token."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.events import StartTask
from lfr.outbound import request_sender as module
from lfr.outbound.request_sender import RequestFailed, RequestSender
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


def build(task: StartTask, base: str) -> Request:
    return build_request(parse_request_parameters(task), base)


def send(
    method: str, base: str, settings: Settings | None = None, input: Json = None, **parameters: Any
) -> Json:
    sender = RequestSender(settings or Settings())
    return sender.send(build(task(method, parameters, input or {}), base))


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
        settings = Settings(request_token="t0ken", request_urls={"global.base": f"{web.url}/"})
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
        RequestSender(Settings()).send(request, is_current=lambda: next(is_current))
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
    ],
)
def test_invalid_settings_are_named(settings: Settings, place: str) -> None:
    with pytest.raises(BadSettings) as caught:
        RequestSender(settings)
    assert caught.value.place == place
