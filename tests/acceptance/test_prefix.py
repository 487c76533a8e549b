"""Two installations on one server, told apart by `redis.prefix`: real processes, command line and API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import redis

from lfr.host.valkey_address import free_port
from tests.support.processes import lfr, role
from tests.support.waiting import eventually

PREFIX = "staging:"

FLOW = "shop:name -> wait:event (- event: go -) -> wait:acquire (- name: gate -)"

TASKS = """
from lfr import task

@task("shop:name")
def shop(input):
    return {{"by": "{name}"}}
"""


class Installation:
    """The roles of an installation, with a worker that answers with its name."""

    def __init__(self, name: str, prefix: str, url: str, folder: Path) -> None:
        self.url, self.prefix, self.port = url, prefix, free_port()
        self.more = {"LFR_REDIS_PREFIX": prefix}
        self.tasks = folder / f"{name}.py"
        self.tasks.write_text(TASKS.format(name=name))

    @contextmanager
    def running(self) -> Iterator[None]:
        with ExitStack() as stack:
            worker = ("tasks", str(self.tasks), "--group", "shop")
            for words in (("lifecycle",), ("wait",), worker, ("api", f"127.0.0.1:{self.port}")):
                stack.enter_context(role(*words, url=self.url, more=self.more))
            yield

    def lfr(self, *words: str) -> str:
        done = lfr(*words, url=self.url, more=self.more)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def get(self, path: str) -> Any:
        """Return the JSON that the API answers, once it runs."""

        def read() -> list[Any] | None:
            with suppress(URLError), urlopen(f"http://127.0.0.1:{self.port}/{path}") as reply:
                return [json.loads(reply.read())]
            return None

        return eventually(read)[0]

    def listed(self) -> set[str]:
        return {each["id"].removeprefix("workflow:") for each in self.get("workflows")}

    def latches(self) -> dict[str, int]:
        return {each["name"]: each["value"] for each in self.get("latches")}

    def output(self, id: str) -> Any:
        """Return the output of a workflow once it has finished."""

        def finished() -> Any:
            workflow = self.get(f"workflows/workflow:{id}")
            assert workflow["state"] in ("RUNNING", "FINISHED"), workflow
            return workflow["state"] == "FINISHED" and [workflow["output"]]

        return eventually(finished)[0]


def test_two_installations_on_one_server_see_each_its_own(redis_url: str, tmp_path: Path) -> None:
    flow = tmp_path / "a.flow"
    flow.write_text(FLOW)
    plain = Installation("plain", "", redis_url, tmp_path)
    staging = Installation("staging", PREFIX, redis_url, tmp_path)
    with plain.running(), staging.running():
        for each, id in ((plain, "same"), (plain, "mine"), (staging, "same"), (staging, "theirs")):
            each.lfr("run", str(flow), "--workflow-id", id)
        assert plain.listed() == {"same", "mine"}
        assert staging.listed() == {"same", "theirs"}
        for _ in range(2):  # one for each wait, if they begin later
            staging.lfr("event", "go")
        assert staging.output("same") == staging.output("theirs") == {"by": "staging"}
        assert plain.get("workflows/workflow:same")["state"] == "RUNNING"
        assert (plain.latches(), staging.latches()) == ({}, {"gate": 2})
        for _ in range(2):
            plain.lfr("event", "go")
        assert plain.output("same") == plain.output("mine") == {"by": "plain"}
        staging.lfr("delete", "same")
        assert (plain.listed(), staging.listed()) == ({"same", "mine"}, {"theirs"})
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        names = set(client.scan_iter())
    assert {"workflow:same", f"{PREFIX}workflow:theirs"} <= names
    assert not names & {f"{PREFIX}workflow:same", "workflow:theirs"}
