"""request:*: what follows from a response."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.tasks.request import Request
from lfr.tasks.response import (
    BadResponse,
    failure_message,
    is_retryable,
    redirected_request,
    response_output,
    retry_delay,
)
from tests.unit.tasks.test_request import request as build

SECRET = {"Authorization": "secret", "X-Key": "secret"}


def request_to(method: str, **parameters: Any) -> Request:
    return build(method, {"url": "a?key=secret", "headers": SECRET, **parameters}, {"old": 1})


@pytest.mark.parametrize(
    ("method", "code", "location", "expected"),
    [
        ("get", 301, "b", "GET https://api.test/v1/b"),
        ("get", 307, "/c?d", "GET https://api.test/c?d"),
        ("post", 303, "b", "GET https://api.test/v1/b"),
        ("post", 303, "https://other.test/", "GET https://other.test/"),
        ("post", 307, "b", "POST https://api.test/v1/b"),
        ("delete", 308, "b", "DELETE https://api.test/v1/b"),
        ("get", 302, "https://other.test/", "GET https://other.test/"),
        ("post", 302, "b", None),
        ("post", 307, "https://other.test/", None),
        ("get", 302, "http://api.test/", None),
        ("get", 302, "file:///etc/passwd", None),
        ("get", 302, "ftp://h/", None),
        ("get", 302, "https://me:pw@h/", None),
        ("get", 302, "http://[", None),
        ("get", 302, "", None),
        ("get", 304, "b", None),
        ("get", 200, "b", None),
    ],
)
def test_which_redirects_are_followed(method: str, code: int, location: str, expected: str | None) -> None:
    following = redirected_request(request_to(method), code, location)
    assert (f"{following.method} {following.location}" if following else None) == expected


def test_secrets_stay_with_their_server() -> None:
    same = redirected_request(request_to("get"), 302, "b")
    other = redirected_request(request_to("get"), 302, "https://api.test:8443/")
    assert same
    assert other
    assert SECRET.items() <= same.headers.items()
    assert other.headers == {"Accept": "*/*"}


def test_a_303_drops_the_body_and_its_headers() -> None:
    get = redirected_request(request_to("post"), 303, "b")
    assert get
    assert get.content is None
    assert get.headers == {"Accept": "*/*", **SECRET}
    post = redirected_request(request_to("post"), 307, "b")
    assert post
    assert post.content == b'{"old":1}'
    assert post.headers["Idempotency-Key"]


def test_how_long_to_wait_before_a_retry() -> None:
    assert [retry_delay(number) for number in (1, 2, 3, 7, 1000)] == [1, 2, 4, 60, 60]
    assert [retry_delay(1, header) for header in ("0", "7", "9999", "soon", "-1", "٣")] == [0, 7, 60, 1, 1, 1]
    assert [code for code in range(200, 600) if is_retryable(code)] == [429, 502, 503, 504]


@pytest.mark.parametrize(
    ("modes", "output"),
    [
        ([], {"old": 1}),
        ("status", {"old": 1, "request_status": 201}),
        (["status", "response_text"], {"old": 1, "request_status": 201, "response": '{"x": 1}'}),
        ("response_json", {"old": 1, "response": {"x": 1}}),
    ],
)
def test_output_modes(modes: Any, output: Any) -> None:
    request = request_to("get", output_mode=modes)
    assert response_output(request, 201, "", b'{"x": 1}', is_cut=False) == output


def test_the_output_replaces_an_input_that_is_no_object() -> None:
    on_list = build("get", {"url": "a", "output_mode": "status"}, [1])
    assert response_output(on_list, 200, "", b"", is_cut=False) == {"request_status": 200}
    assert response_output(build("get", {"url": "a"}, [1]), 200, "", b"", is_cut=False) == [1]


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        ("", "é".encode(), "é"),
        ("text/plain; charset=ISO-8859-1", b"\xe9", "é"),
        ('text/plain; Charset="latin-1"', b"\xe9", "é"),
        ("text/plain; charset=none-such", "é".encode(), "é"),
        ("text/plain; charset=hex", "é".encode(), "é"),
        ("text/plain", b"\xff", "�"),
    ],
)
def test_a_body_is_read_by_its_charset(content_type: str, content: bytes, text: str) -> None:
    request = request_to("get", output_mode="response_text")
    assert response_output(request, 200, content_type, content, is_cut=False)["response"] == text


def test_an_unusable_body_is_refused_with_a_reason() -> None:
    as_json = request_to("get", output_mode="response_json")
    with pytest.raises(BadResponse, match=r"request:get: https://api\.test/v1/a answers what is not JSON: "):
        response_output(as_json, 200, "", b"<html>", is_cut=False)
    with pytest.raises(BadResponse, match=r"answers more than request\.size allows"):
        response_output(as_json, 200, "", b"1", is_cut=True)
    status_only = request_to("get", output_mode="status")
    assert response_output(status_only, 200, "", b"1", is_cut=True)["request_status"] == 200


def test_the_message_of_a_failure_is_short_and_without_the_query() -> None:
    message = failure_message(request_to("get"), "500 Internal Server Error", "", b"no\n  luck" + b"x" * 9999)
    assert message.startswith(
        "request:get: https://api.test/v1/a answers 500 Internal Server Error: no luckxx"
    )
    assert len(message) < 300
    assert failure_message(request_to("get"), "302 Found", "http://b", b"").endswith(
        "answers 302 Found and leads to http://b, which is not followed"
    )
