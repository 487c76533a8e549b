"""request:*: the request that a task asks for, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.events import StartTask
from lfr.tasks.parameters import BadParameter
from lfr.tasks.request import Request, build_request, fill_body, parse_request_parameters
from lfr.values.json import Json

BASE = "https://api.test/v1/"
INPUT = {"id": "a/7", "n": 3, "dots": "..", "quoted": 'say "hi"\n'}


def task(method: str, parameters: Any, input: Any = INPUT) -> StartTask:
    return StartTask("workflow:w", "fetch", f"request:{method}", 4, input, parameters, 2)


def request(method: str, parameters: Any, input: Any = INPUT, base: str = BASE) -> Request:
    return build_request(parse_request_parameters(task(method, parameters, input)), base)


def url(parameters: Any, input: Any = INPUT, base: str = BASE) -> str:
    return str(request("get", parameters, input, base).location)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("https://other.test/x", "https://other.test/x"),
        ("users", "https://api.test/v1/users"),
        ("/users?a=b", "https://api.test/users?a=b"),
        ("../v2/users", "https://api.test/v2/users"),
        ("users/{input[id]}?q={input[quoted]}", "https://api.test/v1/users/a%2F7?q=say%20%22hi%22%0A"),
        ("{input[id]}", "https://api.test/v1/a/7"),
        ("", "https://api.test/v1/"),
        ("é ü", "https://api.test/v1/%C3%A9%20%C3%BC"),
    ],
)
def test_the_url(template: str, expected: str) -> None:
    if " " in template:
        template = template.replace(" ", "%20")
    assert url({"url": template}) == expected


def test_a_value_at_the_beginning_of_the_url_is_not_encoded() -> None:
    assert url({"url": "{input[at]}/{input[at]}"}, {"at": "http://h/a"}) == "http://h/a/http%3A%2F%2Fh%2Fa"


@pytest.mark.parametrize("item", ["..", ".", "../..", "a/../../b", "%2e%2e", "a;/..;b"])
def test_a_value_that_would_leave_its_place_in_the_url_is_refused(item: str) -> None:
    with pytest.raises(BadParameter, match=r"must not have \. or \.\."):
        url({"url": "users/{input[id]}/edit"}, {"id": item})


@pytest.mark.parametrize(
    ("item", "encoded"),
    [
        ("?x=1", "%3Fx%3D1"),
        ("#x", "%23x"),
        ("@evil.test", "%40evil.test"),
        ("//evil.test", "%2F%2Fevil.test"),
        ("a.b", "a.b"),
        ("...", "..."),
        ("5%", "5%25"),
    ],
)
def test_what_is_filled_into_a_url_stays_in_its_place(item: str, encoded: str) -> None:
    assert url({"url": "users/{input[id]}/edit"}, {"id": item}) == f"{BASE}users/{encoded}/edit"


@given(st.text(min_size=1))
def test_any_text_that_is_filled_into_a_url_stays_in_its_place(item: str) -> None:
    try:
        location = request("get", {"url": "users/{input[id]}/edit"}, {"id": item}).location
    except BadParameter:
        assert set(item) & set(".%")  # only what may be . or .. once it is decoded is refused
        return
    assert (location.origin, location.path.count("/"), location.query) == ("https://api.test", 4, "")


def test_the_input_overrides_what_the_flow_says() -> None:
    own = {"url": "a", "timeout": "5s", "category": "mine", "headers": {"X-A": "b"}, "environ": "test"}
    input = {"url": "b", "timeout": 9, "category": "theirs", "headers": {"X-A": "c"}, "sync": False, "n": 1}
    built = request("post", {**own, "from_input": ["url", "sync", "template"]}, input)
    assert built.location.path == "/v1/b"
    assert (built.timeout, built.is_sync) == (5, False)
    assert built.headers["X-A"] == "b"
    built = request("post", {**own, "from_input": []}, input)
    assert (built.location.path, built.is_sync) == ("/v1/a", True)
    parameters = parse_request_parameters(
        task(
            "get",
            {"url": "a", "category": "mine", "from_input": "environ"},
            {"category": "x", "environ": "t"},
        )
    )
    assert (parameters.values["environ"], parameters.values["category"]) == ("t", "mine")


def test_the_url_of_a_flow_is_that_of_the_request() -> None:
    assert request("get", {"url": "a"}, {"url": "https://evil.test/"}).location.path == "/v1/a"
    assert str(request("get", {"url": "a"}, {"url": "https://evil.test/"}).location).startswith(BASE)


@pytest.mark.parametrize("parameters", [None, {}, {"url": None}])
def test_the_input_gives_the_url_if_the_flow_does_not(parameters: Any) -> None:
    assert request("get", parameters, {"url": "b"}).location.path == "/v1/b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sync", False),
        ("environ", "staging"),
        ("template", "x"),
        ("content_type", "text/plain"),
        ("use_context_parameters", False),
        ("output_mode", "status"),
        ("error_on_status", False),
    ],
)
def test_the_input_steers_nothing_of_which_the_flow_says_nothing(name: str, value: Json) -> None:
    with pytest.raises(BadParameter, match=f"the input has a member {name}, and the flow does not say"):
        request("post", {"url": "a"}, {name: value})
    assert request("post", {"url": "a"}, {name: None}).location.path == "/v1/a"


def test_defaults() -> None:
    parameters = parse_request_parameters(task("get", {"url": "a"}))
    assert (parameters.values["environ"], parameters.values["category"]) == ("global", "base")
    built = build_request(parameters, BASE)
    assert (built.method, built.content, built.timeout, built.retries) == ("GET", None, 30, 0)
    assert (built.is_sync, built.error_on_status, built.output_modes) == (True, True, ())
    assert built.headers == {"Accept": "*/*"}


@pytest.mark.parametrize("input", [None, {}, [], "text", 5])
@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_without_a_template_the_input_is_sent_as_json(method: str, input: Any) -> None:
    built = request(method, {"url": "a"}, input)
    assert built.content is not None
    assert json.loads(built.content) == input
    assert built.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["get", "delete"])
def test_get_and_delete_send_a_body_only_by_a_template(method: str) -> None:
    assert request(method, {"url": "a"}).content is None
    built = request(method, {"url": "a", "template": "é {input[n]}", "content_type": "text/x-{input[n]}"})
    assert built.content == "é 3".encode()
    assert built.headers["Content-Type"] == "text/x-3"


@pytest.mark.parametrize(
    ("template", "content_type", "expected"),
    [
        ('{{"a": "{input[quoted]}"}}', "application/json", r'{"a": "say \"hi\"\n"}'),
        ('{{"a": "\\"{input[quoted]}", "n": {input[n]}}}', "a/b+json", r'{"a": "\"say \"hi\"\n", "n": 3}'),
        (
            '{{"a": {input}}}',
            "application/JSON; charset=x",
            '{"a": ' + json.dumps(INPUT, separators=(",", ":")) + "}",
        ),
        ("a={input[quoted]}&b={input[n]}", "application/x-www-form-urlencoded", "a=say+%22hi%22%0A&b=3"),
        ("{input[quoted]}", "text/plain", 'say "hi"\n'),
    ],
)
def test_values_are_escaped_as_the_type_of_the_body_needs(
    template: str, content_type: str, expected: str
) -> None:
    assert fill_body(template, content_type, {"input": INPUT}) == expected


@given(st.text(), st.text())
def test_no_text_gets_out_of_a_text_in_json(one: str, two: str) -> None:
    body = fill_body(
        '{{"{input[one]}": ["{input[two]}"]}}', "application/json", {"input": {"one": one, "two": two}}
    )
    assert json.loads(body) == {one: [two]}


@given(st.text(), st.text())
def test_no_text_gets_out_of_a_field_of_a_form(one: str, two: str) -> None:
    template = "one=.{input[one]}&two=.{input[two]}"
    body = fill_body(template, "application/x-www-form-urlencoded", {"input": {"one": one, "two": two}})
    assert parse_qs(body, strict_parsing=True) == {"one": ["." + one], "two": ["." + two]}


def test_with_sync_false_the_query_names_the_task_to_complete() -> None:
    built = request("get", {"url": "a?b=c&d", "sync": False})
    query = "littleflow-name=fetch&littleflow-base=request:get&littleflow-index=4"
    assert built.location.query == f"b=c&d&{query}&littleflow-workflow=workflow:w&littleflow-attempt=2"
    assert request("get", {"url": "a", "sync": False, "use_context_parameters": False}).location.query == ""
    assert request("get", {"url": "a", "use_context_parameters": True}).location.query == ""


def test_with_sync_false_the_query_names_the_run() -> None:
    parameters = {"url": "http://x", "sync": False}
    task = StartTask("workflow:w", "fetch", "request:get", 4, {}, parameters, 2, run="0f5c9a31")
    query = build_request(parse_request_parameters(task), "").location.query
    assert query.endswith("&littleflow-attempt=2&littleflow-run=0f5c9a31")


def test_a_traceparent_is_sent_only_if_the_setting_says_so() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    task = StartTask("workflow:w", "fetch", "request:get", 4, {}, {"url": "http://x"}, 2, traceparent=trace)
    parameters = parse_request_parameters(task)
    assert "traceparent" not in build_request(parameters, "").headers
    assert build_request(parameters, "", with_trace=True).headers["traceparent"] == trace
    own = {"url": "http://x", "headers": {"Traceparent": "00-own"}}
    with_own = parse_request_parameters(replace(task, parameters=own))
    assert build_request(with_own, "", with_trace=True).headers == {
        "Accept": "*/*",
        "Traceparent": "00-own",
    }
    untraced = parse_request_parameters(replace(task, traceparent=""))
    assert "traceparent" not in build_request(untraced, "", with_trace=True).headers


def test_default_headers_and_the_tasks_own() -> None:
    own = {"x-id": "{input[n]}", "accept": "text/csv", "Content-TYPE": "text/x"}
    headers = dict(request("post", {"url": "a", "headers": own}).headers)
    assert headers.pop("Idempotency-Key").startswith("workflow:w/4/")  # and a digest
    assert headers == {
        "x-id": "3",
        "accept": "text/csv",
        "Content-TYPE": "text/x",
    }
    assert request("get", {"url": "a", "output_mode": "response_json"}).headers == {
        "Accept": "application/json"
    }
    assert "Idempotency-Key" not in request("put", {"url": "a"}).headers


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "request:post needs the parameter url, a text"),
        ({"url": 5}, "request:post: url is 5, but must be a text"),
        ({"url": "a", "sync": "no"}, 'request:post: sync is "no", but must be true or false'),
        ({"url": "a", "environ": 1}, "request:post: environ is 1, but must be a text"),
        ({"url": "a", "category": []}, "request:post: category is [], but must be a text"),
        ({"url": "a", "template": {}}, "request:post: template is {}, but must be a text"),
        ({"url": "a", "content_type": 1}, "request:post: content_type is 1, but must be a text"),
        ({"url": "a", "use_context_parameters": 1}, "use_context_parameters is 1, but must be true or false"),
        (
            {"url": "a", "output_mode": "all"},
            'output_mode is "all", but must be status, response_text, response_',
        ),
        ({"url": "a", "error_on_status": 0}, "error_on_status is 0, but must be true or false"),
        ({"url": "a", "headers": ["a"]}, 'headers is ["a"], but must be an object of texts'),
        ({"url": "a", "headers": {"a": 1}}, 'headers is {"a": 1}, but must be an object of texts'),
        ({"url": "a", "timeout": 0}, "timeout is 0, but must be a number of seconds, or a text such as"),
        (
            {"url": "a", "timeout": "2h"},
            'timeout is "2h", but must be a number of seconds, or a text such as',
        ),
        ({"url": "a", "retries": -1}, "retries is -1, but must be a whole number from 0 to 10"),
        ({"url": "a", "retries": 1.5}, "retries is 1.5, but must be a whole number from 0 to 10"),
        (["a"], 'request:post: the parameters are ["a"], but must be an object'),
        ({"url": "{input[x]}"}, 'request:post: url: {input[x]}: the input has no "x"'),
        ({"url": "{input.x}"}, "request:post: url: a template only looks items up"),
        ({"url": "a", "template": "{"}, 'request:post: template: "{" is not closed'),
        ({"url": "a", "content_type": "{input}\n{x}"}, "request:post: content_type: {x}: there is no x"),
        ({"url": "a", "content_type": "a\r\nX: b"}, r"headers: Content-Type cannot be 'a\r\nX: b'"),
        ({"url": "a", "headers": {"X-A": "{input[quoted]}"}}, "headers: X-A cannot be 'say \"hi\"\\n'"),
        ({"url": "a", "headers": {"X-A": "→"}}, r"headers: X-A cannot be '\u2192'"),
        ({"url": "a", "headers": {"X-A": "{x}"}}, "headers: X-A: {x}: there is no x"),
        ({"url": "a", "headers": {"X A": "b"}}, "headers: 'X A' is no header that a task can give"),
        ({"url": "a", "headers": {"HOST": "b"}}, "headers: 'HOST' is no header that a task can give"),
        ({"url": "ftp://h/a"}, "url: 'ftp://h/a' begins neither with http: nor with https:"),
        ({"url": "file:///etc/passwd"}, "url: 'file:///etc/passwd' begins neither with http: nor"),
        ({"url": "https://me:pw@h/a"}, "url: 'h/a': no user or password may stand before the host"),
        ({"url": "https://h/a b"}, "url: 'https://h/a b': a URI has no blanks"),
        ({"url": "https://[h/a"}, "url: 'https://[h/a' is no URL"),
    ],
)
def test_a_wrong_parameter_is_named(parameters: Any, reason: str) -> None:
    with pytest.raises(BadParameter) as caught:
        request("post", parameters)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("request:post")


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ({"url": ["x"]}, 'request:get: url in the input is ["x"], but must be a text'),
        ({"sync": "yes"}, 'request:get: sync in the input is "yes", but must be true or false'),
        ({"output_mode": 1}, "request:get: output_mode in the input is 1, but must be"),
    ],
)
def test_a_wrong_member_of_the_input_is_named(member: Any, reason: str) -> None:
    with pytest.raises(BadParameter) as caught:
        request("get", {"url": "a", "from_input": list(member)}, member)
    assert str(caught.value).startswith(reason)


def test_a_relative_url_without_a_base_names_the_missing_setting() -> None:
    with pytest.raises(BadParameter, match=r"'a' is relative.*: request.urls has none for test\.mine"):
        url({"url": "a", "environ": "test", "category": "mine"}, base="")


@pytest.mark.parametrize("base", ["api.test", "ftp://api.test/", "file:///", "https://me@h/"])
def test_an_invalid_base_is_refused(base: str) -> None:
    with pytest.raises(BadParameter, match="request:get: url: "):
        url({"url": "https://h/"}, base=base)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(BadParameter, match="request:head: there is no such task, only get, post"):
        parse_request_parameters(task("head", {"url": "a"}))


def test_the_templates_of_all_headers_make_a_bounded_text() -> None:
    headers = {f"X-{number}": "{input}" for number in range(150)}
    assert request("get", {"url": "a", "headers": headers}, "x" * 400).headers["X-149"] == "x" * 400
    with pytest.raises(BadParameter, match="headers: X-65: what the templates make is longer than 65536"):
        request("get", {"url": "a", "headers": headers}, "x" * 1000)
