"""Workflows that talk to the world outside: HTTP requests and commands to Redis, by the built file."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qsl, urlsplit
from urllib.request import Request, urlopen

import pytest

from lfr import Client
from lfr.host.valkey_address import free_port
from tests.support.processes import role
from tests.support.waiting import STALL_SECONDS, eventually
from tests.support.web import Page, web_server

FLOW = """
request:get (- {url: "users/{input[id]}", output_mode: response_json} -)
-> redis:hset (- {args: ["user:{input[id]}", name, "{input[response][name]}"], key: new} -)
-> redis:hgetall (- {args: ["user:{input[id]}"], key: user} -)
-> request:post (- {url: greetings, template: '{{"to": "{input[user][name]}"}}', output_mode: status} -)
"""


def test_requests_and_commands_in_one_workflow(redis_url: str, tmp_path: Path) -> None:
    with web_server() as web:
        web.pages["/v1/users/7"] = Page(b'{"name": "Ann \\"A\\""}', "application/json")
        web.pages["/v1/greetings"] = Page(status=201)
        config = tmp_path / "lfr.yaml"
        config.write_text(f"request: {{urls: {{global: {{base: '{web.url}/v1/'}}}}}}")
        more = {"LFR_REQUEST_TOKEN": "t0ken"}
        with (
            role("lifecycle", url=redis_url),
            role("redis", url=redis_url),
            role("request", "--config", str(config), url=redis_url, more=more),
        ):
            lfr = Client(redis_url)
            workflow = lfr.wait(lfr.run(FLOW, {"id": 7}), timeout=STALL_SECONDS)
    name = 'Ann "A"'
    assert workflow["state"] == "FINISHED", workflow["reason"]
    assert workflow["output"] == {
        "id": 7,
        "response": {"name": name},
        "new": 1,
        "user": {"name": name},
        "request_status": 201,
    }
    get, post = web.requests
    assert (get.method, post.method, post.content) == ("GET", "POST", rb'{"to": "Ann \"A\""}')
    assert get.headers["authorization"] == post.headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("is_quick", [False, True])
def test_the_far_side_ends_a_task_by_the_api(redis_url: str, is_quick: bool) -> None:
    """With `is_quick` it does so before it answers the request."""
    port, hold = free_port(), threading.Event()
    with (
        web_server() as web,
        role("lifecycle", url=redis_url),
        role("request", url=redis_url, more={"LFR_REQUEST_ALLOW": web.url}),
        role("api", f"127.0.0.1:{port}", url=redis_url),
    ):
        lfr = Client(redis_url)
        flow = f"request:get (- {{url: '{web.url}/jobs', sync: false, error_on_status: false}} -)"
        if is_quick:
            web.hold = hold
        id = lfr.run(flow, {"a": 1})
        query = dict(parse_qsl(urlsplit(eventually(lambda: web.requests)[0].path).query))
        step = f"{query['littleflow-workflow']}/steps/{query['littleflow-index']}"
        attempt = {"attempt": int(query["littleflow-attempt"]), "run": query["littleflow-run"]}
        answer = {**attempt, "output": {"b": 2}}
        assert eventually(lambda: post(f"http://127.0.0.1:{port}/workflows/{step}/end", answer)) == 202
        workflow = lfr.wait(id, timeout=STALL_SECONDS)
        hold.set()
    assert (workflow["state"], workflow["output"]) == ("FINISHED", {"b": 2})


def post(url: str, body: Any) -> int | None:
    """Return the status of the response; None if the server does not listen yet."""
    content = json.dumps(body).encode()
    try:
        with urlopen(
            Request(url, content, {"Content-Type": "application/json"}), timeout=STALL_SECONDS
        ) as answer:
            return int(answer.status)
    except URLError as error:
        if isinstance(error.reason, ConnectionError):
            return None
        raise
