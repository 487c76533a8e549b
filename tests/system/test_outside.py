"""Workflows that talk to the world outside: HTTP requests and commands to Redis, by the built file."""

from __future__ import annotations

from pathlib import Path

from lfr import Client
from tests.support.processes import role
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
            found = lfr.wait(lfr.run(FLOW, {"id": 7}), timeout=60)
    name = 'Ann "A"'
    assert found["state"] == "FINISHED", found["reason"]
    assert found["output"] == {
        "id": 7,
        "response": {"name": name},
        "new": 1,
        "user": {"name": name},
        "request_status": 201,
    }
    get, post = web.asked
    assert (get.method, post.method, post.content) == ("GET", "POST", rb'{"to": "Ann \"A\""}')
    assert get.headers["authorization"] == post.headers["authorization"] == "Bearer t0ken"
