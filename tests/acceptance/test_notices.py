"""Notices of the built file: the examples of docs/notices.md, a killed role, what the commands say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from lfr import Client
from tests.support.pages import block
from tests.support.processes import lfr, role
from tests.support.receivers import WebhookServer, mail_server, webhook_server
from tests.support.waiting import eventually

PAGE = "docs/notices.md"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUICK = {"LFR_LEASE": "0.5"}


@pytest.fixture
def receiver() -> Iterator[WebhookServer]:
    with webhook_server() as server:
        yield server


def write(folder: Path, text: str) -> str:
    file = folder / "lfr.yaml"
    file.write_text(text)
    return str(file)


def test_what_the_page_shows(redis_url: str, tmp_path: Path, receiver: WebhookServer) -> None:
    text = block(PAGE, "# lfr.yaml")
    config = write(tmp_path, text.replace("https://chat.example/hooks/operations", f"{receiver.url}/hook"))
    keys = {"LFR_NOTIFY_SIGNING_KEYS": f"chat={KEY}"}
    with role("lifecycle", url=redis_url), role("notify", "--config", config, url=redis_url, more=keys):
        eventually(lambda: '"is_alive": true' in lfr("notify", "list", "--json", url=redis_url).stdout)
        tested = lfr("notify", "test", "failures", url=redis_url)
        assert (tested.returncode, tested.stdout) == (0, "webhook:chat has got it\n")
        client = Client(redis_url)
        id = client.run("@flow order\nA", labels={"tenant": "7"}, workflow_id="workflow:order-17")
        eventually(lambda: client.inspect(id)["steps"][1]["state"] == "RUNNING")
        client.fail(id, 1, "no disk")
        eventually(lambda: len(receiver.bodies()) == 2)
    [(_, _, test), (_, headers, body)] = receiver.requests
    raw = body.pop("_raw")
    assert test["test"] is True
    shown = json.loads(block(PAGE, '"id": "orders:'))
    assert body.keys() == shown.keys()
    same = {key for key in shown if body[key] == shown[key]}
    assert same == shown.keys() - {"id", "rule", "at", "started", "ended"}
    names: dict[str, Any] = {}
    exec(block(PAGE, "def is_genuine"), names)
    assert names["is_genuine"](KEY, headers, raw)
    assert not names["is_genuine"](KEY, headers, raw + b" ")
    assert not names["is_genuine"](KEY, {**headers, "webhook-timestamp": "1614265330"}, raw)
    listed = lfr("notify", "list", url=redis_url)
    assert "failures" in listed.stdout
    assert listed.stderr == "no notify role runs: nothing is sent (lfr notify)\n"


def test_a_role_that_is_killed_while_it_sends_sends_again_under_the_same_id(
    redis_url: str, tmp_path: Path, receiver: WebhookServer
) -> None:
    rule = "notify: {rules: {r: {when: failed, to: webhook:w}}, webhooks: {w: '%s/hook'}}"
    config = write(tmp_path, rule % receiver.url)
    client = Client(redis_url)
    with role("lifecycle", url=redis_url):
        with role("notify", "--config", config, url=redis_url):  # from then on, events wait for the role
            eventually(lambda: '"is_alive": true' in lfr("notify", "list", "--json", url=redis_url).stdout)
        id = client.run("A")
        eventually(lambda: client.inspect(id)["steps"][1]["state"] == "RUNNING")
        client.fail(id, 1, "no disk")
        receiver.held.clear()
        for number in range(5):
            with role("notify", "--config", config, url=redis_url, more=QUICK) as process:
                eventually(lambda count=number: len(receiver.requests) > count)  # type: ignore[misc]
                process.kill()
                process.wait()
        receiver.held.set()
        with (
            role("notify", "--config", config, url=redis_url, more=QUICK),
            redis.Redis.from_url(redis_url) as db,
        ):
            eventually(lambda: not db.exists("workflows:notices"))
    assert len(receiver.requests) >= 6
    assert {headers["webhook-id"] for _, headers, _ in receiver.requests} == {receiver.bodies()[0]["id"]}


def test_what_the_commands_say_when_something_is_wrong(redis_url: str, tmp_path: Path) -> None:
    without = lfr("notify", url=redis_url)
    assert (without.returncode, "there is no rule" in without.stderr) == (78, True)
    bad = lfr("notify", "--config", write(tmp_path, "notify: {rules: {r: {when: fialed}}}"), url=redis_url)
    expected = 'lfr: notify.rules: the rule r: when has "fialed" (did you mean failed?)\n'
    assert (bad.returncode, bad.stderr) == (78, expected)
    stopped = lfr("notify", "test", "r", url=redis_url)
    assert (stopped.returncode, "no notify role runs" in stopped.stderr) == (69, True)
    assert lfr("notify", "list", "x", url=redis_url).returncode == 64
    with mail_server(refuses="RCPT") as sink:
        config = write(
            tmp_path,
            "notify:\n"
            "  rules: {r: {when: failed, to: [command:c, mail:a@b.example]}}\n"
            f"  mail_server: 127.0.0.1:{sink.port}\n"
            "  mail_from: lfr@b.example\n"
            "  mail_tls: none\n"
            "  commands: {c: /bin/false}\n"
            "  webhooks: {w: 'https://chat.example/secret'}\n",
        )
        with role("notify", "--config", config, url=redis_url):
            eventually(lambda: '"is_alive": true' in lfr("notify", "list", "--json", url=redis_url).stdout)
            tested = lfr("notify", "test", "r", url=redis_url)
            unknown = lfr("notify", "test", "s", url=redis_url)
    assert tested.returncode == 69
    assert tested.stdout == (
        "command:c has not got it: it has ended with exit code 1\n"
        "mail:a@b.example has not got it: the mail server answers 550 not here\n"
    )
    assert (unknown.returncode, unknown.stderr) == (66, "lfr: there is no rule s (there are r)\n")
    shown = lfr("config", "--json", "--config", config, url=redis_url)
    assert "chat.example" not in shown.stdout
    assert json.loads(shown.stdout)["notify.webhooks"]["value"] == {"w": "********"}
