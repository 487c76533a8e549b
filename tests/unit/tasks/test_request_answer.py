"""request:*: what becomes of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from lfr.tasks.request import Request
from lfr.tasks.request_answer import (
    BadResponse,
    failure_message,
    is_retryable,
    redirected_request,
    response_output,
    retry_delay,
)
from tests.unit.tasks.test_request import request

SECRET = {"Authorization": "secret", "X-Key": "secret"}


def asked(method: str, **parameters: Any) -> Request:
    return request(method, {"url": "a?key=secret", "headers": SECRET, **parameters}, {"old": 1})


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
    found = redirected_request(asked(method), code, location)
    assert (f"{found.method} {found.place}" if found else None) == expected


def test_secrets_stay_with_their_server() -> None:
    same = redirected_request(asked("get"), 302, "b")
    other = redirected_request(asked("get"), 302, "https://api.test:8443/")
    assert same
    assert other
    assert SECRET.items() <= same.headers.items()
    assert other.headers == {"Accept": "*/*"}


def test_a_303_drops_the_body_and_what_is_said_of_it() -> None:
    found = redirected_request(asked("post"), 303, "b")
    assert found
    assert found.content is None
    assert found.headers == {"Accept": "*/*", **SECRET}
    kept = redirected_request(asked("post"), 307, "b")
    assert kept
    assert kept.content == b'{"old":1}'
    assert kept.headers["Idempotency-Key"]


def test_how_long_to_wait_before_a_retry() -> None:
    assert [retry_delay(number) for number in (1, 2, 3, 7, 1000)] == [1, 2, 4, 60, 60]
    assert [retry_delay(1, said) for said in ("0", "7", "9999", "soon", "-1", "٣")] == [0, 7, 60, 1, 1, 1]
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
def test_what_is_put_into_the_output(modes: Any, output: Any) -> None:
    found = response_output(asked("get", output_mode=modes), 201, "", b'{"x": 1}', is_cut=False)
    assert found == output


def test_an_input_that_is_no_object_gives_way() -> None:
    on_list = request("get", {"url": "a", "output_mode": "status"}, [1])
    assert response_output(on_list, 200, "", b"", is_cut=False) == {"request_status": 200}
    assert response_output(request("get", {"url": "a"}, [1]), 200, "", b"", is_cut=False) == [1]


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
    found = response_output(
        asked("get", output_mode="response_text"), 200, content_type, content, is_cut=False
    )
    assert found["response"] == text


def test_a_body_that_cannot_be_used_is_told() -> None:
    as_json = asked("get", output_mode="response_json")
    with pytest.raises(BadResponse, match=r"request:get: https://api\.test/v1/a answers what is not JSON: "):
        response_output(as_json, 200, "", b"<html>", is_cut=False)
    with pytest.raises(BadResponse, match=r"answers more than request\.size allows"):
        response_output(as_json, 200, "", b"1", is_cut=True)
    assert (
        response_output(asked("get", output_mode="status"), 200, "", b"1", is_cut=True)["request_status"]
        == 200
    )


def test_a_failure_is_told_in_short_and_without_the_query() -> None:
    told = failure_message(asked("get"), "500 Internal Server Error", "", b"no\n  luck" + b"x" * 9999)
    assert told.startswith("request:get: https://api.test/v1/a answers 500 Internal Server Error: no luckxx")
    assert len(told) < 300
    assert failure_message(asked("get"), "302 Found", "http://b", b"").endswith(
        "answers 302 Found and leads to http://b, which is not followed"
    )
