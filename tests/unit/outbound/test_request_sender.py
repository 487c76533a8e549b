"""RequestSender to a server of our own: redirects, other tries, who gets the token."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound import request_sender as module
from lfr.outbound.request_sender import RequestFailed, RequestSender
from lfr.tasks.request import build_request, parse_request_parameters
from lfr.values.json import Json
from tests.support.web import Page, WebServer, web_server
from tests.unit.tasks.test_request import task


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between tries; no time passes."""
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    return waited


def send(
    method: str, base: str, settings: Settings | None = None, input: Json = None, **parameters: Any
) -> Json:
    requests = RequestSender(settings or Settings())
    return requests.send(
        build_request(parse_request_parameters(task(method, parameters, input or {})), base), base
    )


def test_an_answer_is_put_into_the_output(web: WebServer) -> None:
    web.pages["/a?b=c"] = Page(b'{"x": [1]}', "application/json", 201)
    modes = ["status", "response_json"]
    output = send("put", f"{web.url}/", url="a?b={input[b]}", output_mode=modes, input={"b": "c"})
    assert output == {"b": "c", "request_status": 201, "response": {"x": [1]}}
    (asked,) = web.asked
    assert (asked.method, asked.content) == ("PUT", b'{"b":"c"}')
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_every_method(web: WebServer, method: str) -> None:
    web.pages["/a"] = Page()
    assert send(method, "", url=f"{web.url}/a", input={"b": 1}) == {"b": 1}
    (asked,) = web.asked
    assert asked.method == method.upper()
    assert ("idempotency-key" in asked.headers) == (method in ("post", "patch"))


def test_another_status_fails_unless_that_is_asked_for(web: WebServer) -> None:
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
    web.asked.clear()
    with pytest.raises(RequestFailed, match="answers 302 Found and leads to /loop, which is not followed"):
        send("get", "", url=f"{web.url}/loop")
    assert len(web.asked) == 6


def test_the_token_goes_to_the_base_and_to_trusted_servers_alone(web: WebServer) -> None:
    web.pages["/a"] = Page()
    with web_server() as other:
        other.pages["/a"] = Page()
        web.pages["/away"] = Page(status=307, headers={"Location": f"{other.url}/a"})
        settings = Settings(request_token="t0ken")
        send("get", f"{web.url}/", settings, url="a")
        send("get", f"{web.url}/", settings, url=f"{other.url}/a")
        send("get", "", settings, url=f"{web.url}/a")
        send("get", f"{web.url}/", settings, url="away", headers={"X-Secret": "x"})
        send(
            "delete",
            "",
            Settings(request_token="t0ken", request_token_for=(other.url,)),
            url=f"{other.url}/a",
        )
        send("get", f"{web.url}/", settings, url="a", headers={"AUTHORIZATION": "mine"})
    told = [asked.headers.get("authorization") for asked in web.asked]
    assert told == ["Bearer t0ken", None, "Bearer t0ken", "mine"]
    assert [asked.headers.get("authorization") for asked in other.asked] == [None, None, "Bearer t0ken"]
    assert [asked.headers.get("x-secret") for asked in other.asked] == [None, None, None]


def test_it_is_tried_again_with_longer_and_longer_waits(web: WebServer, delays: list[float]) -> None:
    web.pages["/busy"] = Page(status=503)
    web.pages["/later"] = Page(status=429, headers={"Retry-After": "30"})
    web.pages["/broken"] = Page(status=500)
    for path, tries in (("busy", 4), ("later", 4), ("broken", 1)):
        web.asked.clear()
        with pytest.raises(RequestFailed):
            send("post", "", url=f"{web.url}/{path}", retries=3)
        assert len(web.asked) == tries
        assert len({asked.headers["idempotency-key"] for asked in web.asked}) == 1
    assert delays == [1, 2, 4, 30, 30, 30]


def test_it_is_not_tried_again_once_nobody_waits_for_it(web: WebServer, delays: list[float]) -> None:
    web.pages["/busy"] = Page(status=503)
    request = build_request(
        parse_request_parameters(task("post", {"url": f"{web.url}/busy", "retries": 9}, {})), ""
    )
    left = iter([True, False])
    with pytest.raises(RequestFailed, match="answers 503"):
        RequestSender(Settings()).send(request, "", is_wanted=lambda: next(left))
    assert len(web.asked) == 2


def test_nobody_answers(delays: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(RequestFailed, match=r"request:get: http://.*/a: no whole answer within 0\.05 s"):
            send("get", "", url=url, timeout=0.05, retries=1)
    assert delays == [1]
    with pytest.raises(RequestFailed, match="no connection: Connection refused"):
        send("get", "", url=url)


def test_a_large_body_is_not_taken_in(web: WebServer) -> None:
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
def test_settings_that_cannot_be_used_are_told(settings: Settings, place: str) -> None:
    with pytest.raises(BadSettings) as caught:
        RequestSender(settings)
    assert caught.value.place == place
